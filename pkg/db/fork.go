package inmem

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ForkOptions describe a fork. All of it is optional.
type ForkOptions struct {
	// At is the version of the parent that the fork begins with. Default: what is published now.
	At uint64
	// ID is the fork's; see RunOptions.
	ID string
	// Tenant, App and Agent are the namespace of the fork; an empty part is that of the parent.
	Tenant, App, Agent string
	// Tags and Metadata are the fork's own, nothing is taken over from the parent; see RunOptions.
	Tags     []string
	Metadata Value

	_ struct{}
}

// Fork makes a new run, Active, that reads as this one did at a version: keys, events, cells and
// spans, with their history below that version. What either of them writes afterwards the other one
// does not see. Commit numbers, the event log and its hash chain go on where they were; so does a
// fork of a fork. The run may be in any status, also archived, and may itself be a fork. It is
// the parent of the fork from then on, and can only be deleted with a choice; see DeleteRunWith.
//
// Cost: that of BeginRun, whatever the run holds. What a fork has not written itself it reads
// through its parent, and through that one's parent: reads of what is not there cost more with
// every step. So chains are kept short in the background; see docs/architecture.md.
//
// Errors: ErrInvalidArgument for a version that is not published yet, ErrPruned for one whose
// history is gone, ErrRunNotFound, ErrRunExists if ForkOptions.ID is taken, ErrTooLarge, and those
// of Tx.Commit.
func (r *Run) Fork(ctx context.Context, o ForkOptions) (*Run, error) {
	child, err := r.fork(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("fork run %s: %w", r.id, err)
	}
	return child, nil
}

func (r *Run) fork(ctx context.Context, o *ForkOptions) (*Run, error) {
	plain := RunOptions{
		ID: o.ID, Tenant: o.Tenant, App: o.App, Agent: o.Agent, Tags: o.Tags, Metadata: o.Metadata,
	}
	n, err := plain.newRun()
	if err == nil {
		err = n.Check()
	}
	if err != nil {
		return nil, err
	}
	if n.Parent, err = runindex.ParseID(r.id); err != nil {
		return nil, err
	}
	n.ParentNumber = r.scope.Number
	depth, err := r.shallow(ctx)
	if err != nil {
		return nil, err
	}
	if o.At > 0 { // the newest version is held by the transaction
		hold, err := r.hold(ctx, o.At)
		if err != nil {
			return nil, txn.ContextError(err)
		}
		defer hold.Release()
	}
	id := uuid.UUID(n.ID).String()
	child, err := r.d.createRun(ctx, id, &n, func(t *txn.Tx) error {
		n.ForkVersion = o.At
		switch newest := t.Snapshot(); {
		case o.At == 0:
			n.ForkVersion = newest
		case o.At > newest:
			return fmt.Errorf("%w: version %d, the newest is %d", ErrInvalidArgument, o.At, newest)
		}
		return nil
	})
	if err == nil {
		child.scope.Imported = r.scope.Imported
	}
	if err == nil && depth >= r.d.keeper.depth {
		r.d.keeper.want(child.ref())
	}
	return child, err
}

// hold keeps all that the run showed at a version, or refuses if some of it is gone: a fork shows
// all primitives or is not made.
func (r *Run) hold(ctx context.Context, version uint64) (backend.Retention, error) {
	hold, err := r.d.b.Retain(ctx, r.scope, version)
	if err != nil {
		return nil, err
	}
	horizons, err := r.d.b.Horizons(ctx, r.scope)
	if earliest := horizons.Newest(); err == nil && earliest > version {
		err = &backend.PrunedError{Run: r.id, Version: version, Earliest: earliest}
	}
	if err != nil {
		hold.Release()
		return nil, err
	}
	return hold, nil
}

// ref names the run for the run index.
func (r *Run) ref() runindex.Ref { return runindex.Ref{ID: r.id, Number: r.scope.Number} }

// shallow returns through how many runs this one reads, after it has seen to it that there are not
// too many to be read through by one more.
func (r *Run) shallow(ctx context.Context) (int, error) {
	for {
		chain, err := runindex.Through(ctx, r.d.m.Scope(r.d.system), r.ref())
		if err != nil || len(chain) < r.d.keeper.most {
			return len(chain), err
		}
		if err := r.d.shorten(ctx, chain); err != nil {
			return 0, err
		}
	}
}

// flatten gives a fork all that it reads through its parent. It shows the same as before, at every
// version. It may be gone meanwhile, that is no error.
func (d *DB) flatten(ctx context.Context, of runindex.Ref) error {
	err := d.flattenOnce(ctx, of)
	if errors.Is(err, ErrRunNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("flatten run %s: %w", of.ID, err)
	}
	return nil
}

func (d *DB) flattenOnce(ctx context.Context, of runindex.Ref) error {
	leave, err := d.keeper.enter(ctx, of.Number)
	if err != nil {
		return err
	}
	defer leave()
	chain, err := runindex.Through(ctx, d.m.Scope(d.system), of)
	if err != nil || len(chain) == 0 {
		return err // somebody was faster
	}
	s := &backend.Scope{Number: of.Number, Record: of.ID}
	if err := d.b.Flatten(ctx, s); err != nil {
		return txn.ContextError(err)
	}
	_, err = d.m.Update(ctx, d.system, housekeeping, func(t *txn.Tx) error {
		return runindex.SetFlattened(ctx, t.Scope(d.system), of)
	})
	return err
}
