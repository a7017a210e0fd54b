package inmem

import (
	"context"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// Status is where a run is in its life.
type Status = codec.Status

// The statuses. Only an Active run takes writes; the others are ends.
const (
	Active    = codec.Active
	Completed = codec.Completed
	Failed    = codec.Failed
	Cancelled = codec.Cancelled
)

// Run is a handle to one run. It is safe for concurrent use, holds no resource, and never expires.
type Run struct {
	d     *DB
	id    string
	scope *backend.Scope
}

// RunInfo is what the database knows of a run.
type RunInfo struct {
	// ID is the UUID as text; Tenant, App and Agent are the namespace.
	ID, Tenant, App, Agent string
	// Status is where the run is in its life.
	Status Status
	// Created is when the run began, Updated when its record last changed, Ended when it ended
	// (zero for a run that has not).
	Created, Updated, Ended time.Time
	// Tags are sorted, each once.
	Tags []string
	// Metadata is what RunOptions gave; null for nothing.
	Metadata Value

	_ struct{}
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

// Info reads the run's record.
//
// Errors: ErrRunNotFound, ErrStorage, ErrCorrupt, ErrClosed.
func (r *Run) Info(ctx context.Context) (RunInfo, error) {
	rec, err := r.d.scopeRecord(ctx, r.d.m.Scope(r.d.system), r.id)
	if err != nil {
		return RunInfo{}, fmt.Errorf("info of run %s: %w", r.id, err)
	}
	return RunInfo{
		ID: r.id, Tenant: rec.Tenant, App: rec.App, Agent: rec.Agent, Status: rec.Status,
		Created: instant(rec.Created), Updated: instant(rec.Updated), Ended: instant(rec.Ended),
		Tags: rec.Tags, Metadata: rec.Metadata,
	}, nil
}

// instant is a stored time; 0 is none.
func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
