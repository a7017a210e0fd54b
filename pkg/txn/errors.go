package txn

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The errors that this layer adds to those of packages backend and codec.
var (
	// ErrTxnDone: the transaction or view was used after its end.
	ErrTxnDone = errors.New("transaction has ended")
	// ErrTimeout: a deadline passed. Always together with context.DeadlineExceeded.
	ErrTimeout = errors.New("timeout")
	// ErrCanceled: a context was cancelled. Always together with context.Canceled.
	ErrCanceled = errors.New("canceled")
)

// What primitives have to say, each in one word for all of them. Those about runs are the
// authority's, which primitives do not know.
var (
	// ErrRunNotFound: no run has the id, or it was deleted.
	ErrRunNotFound = backend.ErrScopeGone
	// ErrRunNotActive: the status of the run does not admit it. See *RunStatusError.
	ErrRunNotActive = backend.ErrScopeNotActive
	// ErrExists: what was to be made is there already.
	ErrExists = errors.New("exists already")
	// ErrNotFound: what an operation needs is not there. Reading what is absent is no error.
	ErrNotFound = errors.New("not found")
	// ErrInvalidTransition: a step that is not declared: of a run's status, or of a state cell.
	ErrInvalidTransition = errors.New("invalid transition")
)

// RunStatusError names the run that refused something, and its status. It matches ErrRunNotActive.
type RunStatusError = backend.ScopeStatusError

// The refusals that need no details.
var (
	errView = fmt.Errorf("%w: a view takes no writes", backend.ErrReadOnly)

	errNoScope = fmt.Errorf("%w: a transaction or view over the database names each run with On",
		codec.ErrInvalidArgument)
	errZeroScope = fmt.Errorf("%w: not made by an open database, or made by another one",
		codec.ErrInvalidArgument)
	errManaged = fmt.Errorf("%w: the function's return value ends this transaction",
		codec.ErrInvalidArgument)
)

// contextError gives a context's error our own name besides its own, and tells the story.
type contextError struct {
	name  error // ErrTimeout or ErrCanceled
	cause error
	story string
}

func (e *contextError) Error() string {
	return fmt.Sprintf("%v: %v%s", e.name, e.cause, e.story)
}

func (e *contextError) Unwrap() []error { return []error{e.name, e.cause} }

// commitError says that a commit failed. Its text is made when somebody asks: most conflicts are
// retried, and nobody reads them.
type commitError struct{ cause error }

func (e *commitError) Error() string { return "commit: " + e.cause.Error() }

func (e *commitError) Unwrap() error { return e.cause }

// retryError says that the wait for a retry was cut short, and which conflict had led to it.
type retryError struct {
	retry int // counted from 1
	cause error
	lost  *ConflictError
}

func (e *retryError) Error() string {
	return fmt.Sprintf("waiting for retry %d: %v (after %v)", e.retry, e.cause, e.lost)
}

func (e *retryError) Unwrap() error { return e.cause }

// ContextError returns err so that it matches ErrTimeout or ErrCanceled besides the context's own
// error, if it comes from a context; any other error, and nil, comes back as it is.
func ContextError(err error) error {
	var name error
	switch {
	case err == nil || errors.Is(err, ErrTimeout) || errors.Is(err, ErrCanceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		name = ErrTimeout
	case errors.Is(err, context.Canceled):
		name = ErrCanceled
	default:
		return err
	}
	return &contextError{name: name, cause: err}
}

// done returns the context's error under our names, or nil while it goes on.
func done(ctx context.Context) error { return ContextError(ctx.Err()) }
