package inmem

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
)

// Status is where a run is in its life.
type Status = codec.Status

// The statuses. Only an Active run takes writes; see RunRecord for what leads where.
const (
	Active    = codec.Active
	Paused    = codec.Paused
	Completed = codec.Completed
	Failed    = codec.Failed
	Cancelled = codec.Cancelled
	Archived  = codec.Archived
)

// Run is a handle to one run. It is safe for concurrent use, holds no resource, and never expires.
type Run struct {
	d     *DB
	id    string
	scope *backend.Scope
}

// ID is the run's UUID as text.
func (r *Run) ID() string { return r.id }

// KV returns the run's keys. Every write commits by itself; every read sees what is committed.
// Inside the function of Update these are separate transactions, visible at once and not undone
// with it: use tx.KV() there.
func (r *Run) KV() KV { return kv.New(r.d.m.Scope(r.scope)) }

// Update runs fn in a transaction on the run, commits if it returns nil, and returns the commit
// version, 0 if nothing was written. If fn returns an error nothing is written and the error comes
// back unchanged; a panic rolls back and goes on up.
//
// On a conflict fn runs again on a new snapshot, so it must have no effects but those on tx. A
// transaction in fn started from the run, or an operation on the run, is a transaction of its own:
// it does not see what fn wrote and is not undone with it. The deadline of ctx bounds everything,
// retries included.
//
// Errors: those of fn and of Tx.Commit; the last conflict when the retries are used up.
func (r *Run) Update(ctx context.Context, fn func(*Tx) error) (uint64, error) {
	return r.d.update(ctx, r.scope, TxOptions{}, fn)
}

// UpdateWith is Update with options.
func (r *Run) UpdateWith(ctx context.Context, o TxOptions, fn func(*Tx) error) (uint64, error) {
	return r.d.update(ctx, r.scope, o, fn)
}

// View calls fn with a read-only view of the run as it is published now, and returns its error
// unchanged. A view takes no lock, never conflicts, and keeps no writer waiting.
func (r *Run) View(ctx context.Context, fn func(*View) error) error {
	return r.d.view(ctx, r.scope, fn)
}

// Begin starts a transaction that its caller ends with Commit or Rollback. It is never retried.
// Prefer Update. One that is dropped is rolled back when the garbage collector finds it; until then
// it holds memory.
//
// Errors: ErrInvalidArgument, ErrTimeout, ErrCanceled, ErrClosed.
func (r *Run) Begin(ctx context.Context, o TxOptions) (*Tx, error) {
	return r.d.begin(ctx, r.scope, o)
}

// Record returns the run's record: its status, tags, metadata and lineage. See package runindex for
// its methods.
func (r *Run) Record() RunRecord {
	return runindex.NewRecord(r.d.m.Scope(r.d.system), r.d.m.Scope(r.scope), r.d.epoch)
}

// Info reads the run's record: Record().Info.
//
// Errors: ErrRunNotFound, ErrTimeout, ErrCanceled, ErrStorage, ErrCorrupt, ErrClosed.
func (r *Run) Info(ctx context.Context) (RunInfo, error) { return r.Record().Info(ctx) }

// End gives the run its final status: Completed, Failed or Cancelled. From then on it takes no
// writes; transactions under way on it fail with ErrRunNotActive at their commit. It is
// Record().Complete, Fail without a reason, or Cancel.
//
// Errors: ErrInvalidTransition, also matching ErrRunNotActive if the run has ended before;
// ErrInvalidArgument for another status; and those of Tx.Commit.
func (r *Run) End(ctx context.Context, status Status) error {
	switch status {
	case Completed:
		return r.Record().Complete(ctx)
	case Failed:
		return r.Record().Fail(ctx, "")
	case Cancelled:
		return r.Record().Cancel(ctx)
	}
	return fmt.Errorf("end run %s: %w: status %v, must be completed, failed or cancelled",
		r.id, ErrInvalidArgument, status)
}
