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
	r, err := d.createRun(ctx, id, &n)
	if errors.Is(err, runindex.ErrRunExists) {
		err = ErrRunExists
	}
	if err != nil {
		return nil, fmt.Errorf("begin run %s: %w", id, err)
	}
	if runindex.SweepDue(&n) {
		d.sweepRunIndex(ctx)
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
// it.
func (d *DB) createRun(ctx context.Context, id string, n *runindex.NewRun) (_ *Run, err error) {
	if n.Number, err = d.b.AllocateScope(ctx); err != nil {
		return nil, txn.ContextError(err)
	}
	s := &backend.Scope{Number: n.Number, Record: id}
	_, err = d.m.Update(ctx, d.system, housekeeping, func(t *txn.Tx) error {
		t.CreateScope(s)
		return runindex.Create(ctx, t.Scope(d.system), d.epoch, *n)
	})
	if err != nil {
		return nil, err
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
	return &Run{d: d, id: id, scope: &backend.Scope{Number: rec.Number, Record: id}}, nil
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
	return codec.DecodeScopeRecord(e.Value)
}

// DeleteRun deletes a run, whatever its status, with everything in it, in one commit that costs the
// same whatever the run holds. From then on nobody sees anything of it: handles, transactions and
// views of it, old ones too, answer ErrRunNotFound. The space is freed in the background. Runs that
// were begun under it stay and keep its id as Parent, and are nobody's children.
//
// Errors: ErrRunNotFound, ErrInvalidArgument if id is not a UUID, and those of Tx.Commit.
func (d *DB) DeleteRun(ctx context.Context, id string) error {
	parsed, err := runindex.ParseID(id)
	if err != nil {
		return fmt.Errorf("delete run: %w", err)
	}
	id = uuid.UUID(parsed).String()
	system := d.m.Scope(d.system)
	_, err = system.AtomicOn(ctx, codec.ScopeRecords, id, func(s txn.Scope) error {
		return runindex.Delete(ctx, s, id)
	})
	if err != nil {
		return fmt.Errorf("delete run %s: %w", id, err)
	}
	return nil
}

// deleteBatch is how many runs, or shared namespaces, one commit of DeleteTenant deletes.
const deleteBatch = 64

// DeleteTenant deletes all runs of a tenant, archived ones too, and all its shared namespaces, and
// returns how many runs there were. It works in steps, each a commit: after an error, or a crash,
// what was deleted stays deleted, and calling it again finishes the work. Whoever begins runs of
// the tenant meanwhile may keep it from coming to an end, or keep some of them.
//
// Errors: ErrInvalidArgument without a tenant, ErrTooLarge, and those of Tx.Commit.
func (d *DB) DeleteTenant(ctx context.Context, tenant string) (int, error) {
	if tenant == "" {
		return 0, fmt.Errorf("delete tenant: %w: no tenant is named", ErrInvalidArgument)
	}
	n, err := d.deleteTenantRuns(ctx, tenant)
	if err == nil {
		err = d.deleteTenantShared(ctx, tenant)
	}
	if err != nil {
		return n, fmt.Errorf("delete tenant %q: %w", tenant, err)
	}
	return n, nil
}

// deleteTenantRuns goes over the tenant's runs until there are none.
func (d *DB) deleteTenantRuns(ctx context.Context, tenant string) (deleted int, err error) {
	for {
		var batch []string
		seen := 0
		all := RunQuery{Tenant: tenant, IncludeArchived: true}
		for r, err := range d.Runs().All(ctx, all) {
			if err != nil {
				return deleted, err
			}
			seen++
			if batch = append(batch, r.ID); len(batch) == deleteBatch {
				n, err := d.deleteRuns(ctx, batch)
				if deleted += n; err != nil {
					return deleted, err
				}
				batch = nil
			}
		}
		n, err := d.deleteRuns(ctx, batch)
		if deleted += n; err != nil || seen == 0 {
			return deleted, err
		}
	}
}

// deleteRuns deletes runs in one commit, and returns how many still existed.
func (d *DB) deleteRuns(ctx context.Context, ids []string) (n int, err error) {
	_, err = d.m.Update(ctx, d.system, housekeeping, func(t *txn.Tx) error {
		n = 0
		for _, id := range ids {
			err := runindex.Delete(ctx, t.Scope(d.system), id)
			switch {
			case err == nil:
				n++
			case !errors.Is(err, ErrRunNotFound):
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
