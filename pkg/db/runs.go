package inmem

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// RunOptions describe a new run. All of it is optional.
type RunOptions struct {
	// ID is the run's UUID, in the form of 36 characters; any version but all zeros. Default: a new
	// one of version 7, which sorts by time.
	ID string
	// Tenant, App and Agent are the namespace of the run: UTF-8, at most 1 KiB each.
	Tenant, App, Agent string
	// Parent is the id of the run that this one is begun under. It must exist, in any status.
	Parent string
	// Tags are words to find the run by: not empty, UTF-8, at most 1 KiB each and 256 of them.
	// Order and repetition do not matter.
	Tags []string
	// Metadata is any value, of at most 1 MiB encoded.
	Metadata Value

	_ struct{}
}

// housekeeping makes it improbable that a change of records fails by a conflict: whoever loses
// looks at what the other one did, and that says whether the change is still right.
var housekeeping = txn.Options{Retry: &txn.Retry{Max: 20}, Housekeeping: true}

// BeginRun starts a run: Active from the moment of the commit that this call makes. The id of a run
// that was deleted can be used again; the new run has nothing of the old one.
//
// Errors: ErrRunExists if the id is taken, ErrRunNotFound for a Parent that does not exist,
// ErrInvalidArgument, ErrTooLarge, and those of Tx.Commit.
func (d *DB) BeginRun(ctx context.Context, o RunOptions) (*Run, error) {
	n, err := o.newRun()
	if err == nil {
		err = n.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("begin run: %w", err)
	}
	id := uuid.UUID(n.ID).String()
	r, err := d.createRun(ctx, id, &n, func(*txn.Tx) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("begin run %s: %w", id, err)
	}
	return r, nil
}

// newRun reads the options.
func (o *RunOptions) newRun() (n runindex.NewRun, err error) {
	n = runindex.NewRun{
		Tenant: o.Tenant, App: o.App, Agent: o.Agent, Tags: o.Tags, Metadata: o.Metadata,
	}
	if o.ID != "" {
		n.ID, err = runindex.ParseID(o.ID)
	} else {
		n.ID, err = uuid.NewV7()
	}
	if err == nil && o.Parent != "" {
		n.Parent, err = runindex.ParseID(o.Parent)
	}
	return n, err
}

// createRun commits the record of a run, with its index entries; its scope comes into being with
// it. Each attempt begins with prepare, which may still change n.
func (d *DB) createRun(ctx context.Context, id string, n *runindex.NewRun,
	prepare func(*txn.Tx) error,
) (_ *Run, err error) {
	if n.Number, err = d.b.AllocateScope(ctx); err != nil {
		return nil, txn.ContextError(err)
	}
	s := &backend.Scope{Number: n.Number, Record: id}
	_, err = d.m.Update(ctx, d.system, housekeeping, func(t *txn.Tx) error {
		if err := prepare(t); err != nil {
			return err
		}
		t.CreateScope(s)
		return runindex.Create(ctx, t.Scope(d.system), d.epoch, *n)
	})
	if errors.Is(err, runindex.ErrRunExists) {
		err = ErrRunExists
	}
	if err != nil {
		return nil, err
	}
	if runindex.SweepDue(n) {
		d.sweepRunIndex(ctx)
	}
	return &Run{d: d, id: id, scope: s}, nil
}

// sweepRunIndex does a step of the run index's housekeeping. If it fails a later one does it: this
// one was only done on the way.
func (d *DB) sweepRunIndex(ctx context.Context) {
	once := txn.Options{
		Isolation: Serializable, Retry: &txn.Retry{}, Housekeeping: true,
	}
	_, _ = d.m.Update(ctx, d.system, once, func(t *txn.Tx) error {
		return runindex.Sweep(ctx, t.Scope(d.system), d.epoch)
	})
}

// Run returns a handle to a run that exists, whatever its status.
//
// Errors: ErrRunNotFound, ErrInvalidArgument if id is not a UUID, ErrTimeout, ErrCanceled,
// ErrStorage, ErrCorrupt, ErrClosed.
func (d *DB) Run(ctx context.Context, id string) (*Run, error) {
	parsed, err := runindex.ParseID(id)
	if err != nil {
		return nil, err
	}
	id = uuid.UUID(parsed).String()
	rec, err := d.scopeRecord(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	r := &Run{d: d, id: id, scope: &backend.Scope{
		Number: rec.Number, Record: id, Imported: rec.Imported > 0,
	}}
	if rec.ReadsThrough() {
		d.keeper.look(ctx, r.ref())
	}
	return r, nil
}

// scopeRecord reads the record of a scope.
func (d *DB) scopeRecord(ctx context.Context, key string) (codec.ScopeRecord, error) {
	e, err := d.m.Scope(d.system).Get(ctx, codec.ScopeRecords, key)
	if err != nil {
		return codec.ScopeRecord{}, err
	}
	if !e.Exists {
		return codec.ScopeRecord{}, ErrRunNotFound
	}
	rec, err := codec.DecodeScopeRecord(e.Value)
	if err == nil && rec.Kind == codec.KindImport {
		err = ErrRunNotFound
	}
	return rec, err
}
