package inmem

import (
	"errors"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
	"github.com/inmem-db/inmem/pkg/txn"
)

// The errors of this package, for errors.Is. Messages name the operation, the run and the key, and
// what was found against what was expected. A user function's own error comes back unchanged.
//
//	error               when                                            what to do
//	ErrConflict         a key that was read, or named by a CAS, has     run again; Update does
//	                    changed; errors.As *ConflictError lists all
//	ErrVersionMismatch  a CAS lost (always together with ErrConflict)   read again, decide anew
//	ErrTimeout          the context's deadline passed                   matches the context's, too
//	ErrCanceled         the context was cancelled                       matches the context's, too
//	ErrReadOnly         a write on a View, or the database takes none   -
//	ErrClosed           the database was closed                         -
//	ErrTxnDone          a Tx or View was used after its end             a mistake in the program
//	ErrTxnTooOld        a transaction pinned too much memory for too    make it shorter
//	                    long
//	ErrRunNotFound      no run has this id                              -
//	ErrRunExists        BeginRun with an id that is taken               Run finds it
//	ErrHasForks         a run is to be deleted that forks read through;  see DeleteRunWith
//	                    errors.As *ForksError names some
//	ErrRunNotActive     a write to, or the end of, a run that ended;    -
//	                    errors.As *RunStatusError names the status
//	ErrNotFound         the cell, span or collection that an operation  -
//	                    needs is not there; reading what is absent is
//	                    no error
//	ErrExists           Init of a cell, Create of a collection, or a    load it
//	                    span id, that is there
//	ErrInvalidTransition  a step that is not declared: of a cell's      -
//	                    machine or a run's status
//	ErrSpanEnded        the end of a span that has ended                -
//	ErrDimension        a vector with more or fewer components than its  a mistake in the program
//	                    collection has
//	ErrNotFinite        a vector with a NaN or an infinity in it        look where it comes from
//	ErrInvalidArgument  an argument or option that is never right       a mistake in the program
//	ErrPruned           a version below what retention has left of      ask for a later one
//	                    the run; errors.As *PrunedError names it
//	ErrTooLarge         a key, value, nesting or transaction over its   split it
//	                    limit
//	ErrTypeMismatch     a value of another kind than asked for          -
//	ErrCorrupt          the files hold what was never written           restore; see the message
//	ErrStorage          the storage failed; unless it also matches      close, look, open again
//	                    ErrNoSpace the database is read-only now
//	ErrNoSpace          too little free disk space; nothing was lost    make space, try again
//	ErrLocked           the directory is open elsewhere                 -
//	ErrFormat           written by a newer version                      use that one
//
// When a commit fails, nothing of it was written, with one exception: *UnknownOutcomeError means
// that the commit is in the log while it could not be learned whether it lasts.
var (
	ErrConflict          = backend.ErrConflict
	ErrVersionMismatch   = backend.ErrVersionMismatch
	ErrTimeout           = txn.ErrTimeout
	ErrCanceled          = txn.ErrCanceled
	ErrReadOnly          = backend.ErrReadOnly
	ErrClosed            = backend.ErrClosed
	ErrTxnDone           = txn.ErrTxnDone
	ErrTxnTooOld         = backend.ErrTxnTooOld
	ErrRunNotFound       = backend.ErrScopeGone
	ErrRunExists         = errors.New("run exists")
	ErrHasForks          = runindex.ErrHasForks
	ErrRunNotActive      = backend.ErrScopeNotActive
	ErrNotFound          = txn.ErrNotFound
	ErrExists            = txn.ErrExists
	ErrInvalidTransition = txn.ErrInvalidTransition
	ErrSpanEnded         = trace.ErrEnded
	ErrDimension         = vectors.ErrDimension
	ErrNotFinite         = vectors.ErrNotFinite
	ErrInvalidArgument   = codec.ErrInvalidArgument
	ErrTooLarge          = codec.ErrTooLarge
	ErrTypeMismatch      = codec.ErrTypeMismatch
	ErrPruned            = backend.ErrPruned
	ErrCorrupt           = codec.ErrCorrupt
	ErrStorage           = backend.ErrStorage
	ErrNoSpace           = backend.ErrNoSpace
	ErrLocked            = backend.ErrLocked
	ErrFormat            = codec.ErrFormat
)

// ConflictError lists every key that stood in the way of a commit, with its run, the version that
// was read or expected, and the version found. Use errors.As.
type ConflictError = txn.ConflictError

// RunStatusError names the run that refused a write, and its status. It matches ErrRunNotActive.
// Use errors.As.
type RunStatusError = backend.ScopeStatusError

// UnknownOutcomeError reports a commit that is in the log and is, or may become, visible, while it
// could not be learned whether it outlives a crash: the storage failed, or the database was closed,
// during the wait for the disk. It names the commit's version, and unwraps to the cause. Use
// errors.As.
type UnknownOutcomeError = backend.UnknownOutcomeError

// PrunedError names the run, the version that was asked for, and the earliest that can be read. It
// matches ErrPruned. Use errors.As.
type PrunedError = backend.PrunedError
