package inmem

import (
	"context"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/txn"
)

// At returns a view of the run as it was at a version: what the newest commit at or below it left,
// in all primitives, and the run's record. Version 0 is empty. Expiry is judged by the time of that
// commit, also for the newest version, so a view of the past shows the same for ever. Close it.
//
// An open view keeps the history that it shows from being pruned, and costs no memory; one that is
// dropped is closed when the garbage collector finds it. Deletion of the run wins: its views answer
// ErrRunNotFound from then on.
//
// Cost: independent of the size of the run. Errors: ErrInvalidArgument for a version that is not
// published yet, ErrPruned below what retention has left, ErrTimeout, ErrCanceled, ErrStorage,
// ErrCorrupt, ErrClosed.
func (r *Run) At(ctx context.Context, version uint64) (*View, error) {
	v, err := r.d.viewAt(ctx, r.scope, version)
	if err != nil {
		return nil, fmt.Errorf("run %s at version %d: %w", r.id, version, err)
	}
	return v, nil
}

// AtTime is At with the greatest version whose commit time is at or before t; before the first
// commit it is version 0. A time in the future shows the newest version. The times of commits that
// were imported are those that they had where they were made.
func (r *Run) AtTime(ctx context.Context, t time.Time) (*View, error) {
	version, err := r.d.m.VersionAt(ctx, r.scope, nanoseconds(t))
	if err != nil {
		return nil, fmt.Errorf("run %s at %v: %w", r.id, t, err)
	}
	return r.At(ctx, version)
}

// At is Run.At for a shared namespace.
func (s *Shared) At(ctx context.Context, version uint64) (*View, error) {
	v, err := s.d.viewAt(ctx, s.scope, version)
	if err != nil {
		return nil, fmt.Errorf("shared namespace %s at version %d: %w", s.name, version, err)
	}
	return v, nil
}

// At returns a view of the whole database as it was at a version: name each run with On, and ask
// Runs for those that there were. See Run.At.
func (d *DB) At(ctx context.Context, version uint64) (*View, error) {
	v, err := d.viewAt(ctx, nil, version)
	if err != nil {
		return nil, fmt.Errorf("database at version %d: %w", version, err)
	}
	return v, nil
}

// AtTime is At with the greatest version whose commit time is at or before t; see Run.AtTime.
func (d *DB) AtTime(ctx context.Context, t time.Time) (*View, error) {
	version, err := d.VersionAt(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("database at %v: %w", t, err)
	}
	return d.At(ctx, version)
}

// VersionAt returns the greatest version whose commit time is at or before t; 0 before the first
// commit. Cost: by the logarithm of the number of versions. Errors: ErrTimeout, ErrCanceled,
// ErrStorage, ErrCorrupt, ErrClosed.
func (d *DB) VersionAt(ctx context.Context, t time.Time) (uint64, error) {
	version, err := d.b.VersionAt(ctx, nanoseconds(t))
	return version, txn.ContextError(err)
}

// The times that fit into 64 bits of Unix nanoseconds.
var (
	firstTime = time.Unix(0, -1<<63)
	lastTime  = time.Unix(0, 1<<63-1)
)

// nanoseconds is t as a commit time; what does not fit saturates.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(firstTime):
		t = firstTime
	case t.After(lastTime):
		t = lastTime
	}
	return t.UnixNano()
}

func (d *DB) viewAt(ctx context.Context, s *backend.Scope, version uint64) (*View, error) {
	v, err := d.m.ViewAt(ctx, s, version)
	if err != nil {
		return nil, err
	}
	return &View{d: d, v: v, scope: v.Scope(s)}, nil
}

// Close ends a view that At or AtTime made: everything that was made from it answers ErrTxnDone
// from then on. A second Close returns nil. A view that a function was given ends with the
// function, and refuses Close with ErrInvalidArgument.
func (v *View) Close() error { return v.v.End() }

// Time is the time by which the view judges expiry: for a view of the past that of the commit that
// it shows, zero at version 0; otherwise that of its start.
func (v *View) Time() time.Time {
	if ns := v.v.Now(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}
