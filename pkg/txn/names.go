package txn

import (
	"errors"

	"github.com/inmem-db/inmem/internal/backend"
)

// What primitives have to say about runs, under names that they can use: they do not know the
// authority.
var (
	// ErrRunNotFound: no run has the id, or it was deleted.
	ErrRunNotFound = backend.ErrScopeGone
	// ErrRunNotActive: the status of the run does not admit it. See *RunStatusError.
	ErrRunNotActive = backend.ErrScopeNotActive
	// ErrInvalidTransition: a step that is not declared: of a run's status, or of a state cell.
	ErrInvalidTransition = errors.New("invalid transition")
)

// RunStatusError names the run that refused something, and its status. It matches ErrRunNotActive.
type RunStatusError = backend.ScopeStatusError
