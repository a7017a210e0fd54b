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

// DeleteRun deletes a run, whatever its status, with everything in it, in one commit that costs the
// same whatever the run holds. From then on nobody sees anything of it: handles, transactions and
// views of it, old ones too, answer ErrRunNotFound. The space is freed in the background. Runs that
// were begun under it, and forks that are flattened, stay and keep its id as Parent, and are
// nobody's children.
//
// Forks that still read through the run keep it from being deleted: see DeleteRunWith.
//
// Errors: ErrRunNotFound, ErrHasForks (with *ForksError), ErrInvalidArgument if id is not a UUID,
// and those of Tx.Commit.
func (d *DB) DeleteRun(ctx context.Context, id string) error {
	return d.DeleteRunWith(ctx, id, DeleteOptions{})
}

// ForksChoice is what a deletion does about the forks that still read through the run.
type ForksChoice uint8

const (
	// RefuseForks refuses with ErrHasForks as long as there are any. The default.
	RefuseForks ForksChoice = iota
	// FlattenForks first copies to every fork what it reads through the run. That costs time and
	// space in proportion to what the forks show, and changes nothing that anybody reads.
	FlattenForks
)

// DeleteOptions configure DeleteRunWith. The zero value is what DeleteRun does.
type DeleteOptions struct {
	// Forks is RefuseForks or FlattenForks; default RefuseForks.
	Forks ForksChoice

	_ struct{}
}

// ForksError says which forks read through a run that was to be deleted. It matches ErrHasForks.
// Use errors.As.
type ForksError = runindex.ForksError

// DeleteRunWith is DeleteRun with a choice about forks. Forks made meanwhile are met, too: they are
// refused with ErrRunNotFound, or, before the run is gone, they count. So whoever goes on forking
// the run may keep FlattenForks from coming to an end.
//
// Errors: those of DeleteRun. What was flattened before an error stays so.
func (d *DB) DeleteRunWith(ctx context.Context, id string, o DeleteOptions) error {
	parsed, err := runindex.ParseID(id)
	if err == nil && o.Forks > FlattenForks {
		err = fmt.Errorf("%w: choice %d about forks", ErrInvalidArgument, o.Forks)
	}
	if err != nil {
		return fmt.Errorf("delete run: %w", err)
	}
	id = uuid.UUID(parsed).String()
	if err := d.deleteRun(ctx, id, o); err != nil {
		return fmt.Errorf("delete run %s: %w", id, err)
	}
	return nil
}

func (d *DB) deleteRun(ctx context.Context, id string, o DeleteOptions) error {
	rec, err := d.scopeRecord(ctx, id)
	if err != nil {
		return err
	}
	of := runindex.Ref{ID: id, Number: rec.Number}
	for {
		_, err := d.m.Update(ctx, d.system, deletion, func(t *txn.Tx) error {
			return runindex.DeleteRef(ctx, t.Scope(d.system), of)
		})
		if errors.Is(err, ErrHasForks) && o.Forks == FlattenForks {
			if err = d.flattenForks(ctx, of.Number); err == nil {
				continue
			}
		}
		if err == nil {
			d.vectors.Drop(&backend.Scope{Number: of.Number})
		}
		return err
	}
}

// deletion validates that nobody forks what it deletes; see housekeeping.
var deletion = txn.Options{
	Isolation: Serializable, Retry: housekeeping.Retry, Housekeeping: true,
}

// flattenForks flattens the forks that read through a run.
func (d *DB) flattenForks(ctx context.Context, number codec.Scope) error {
	var ids []string
	for f, err := range runindex.Forks(ctx, d.m.Scope(d.system), number) {
		if err != nil {
			return err
		}
		ids = append(ids, f.ID)
	}
	for _, id := range ids {
		rec, err := d.scopeRecord(ctx, id)
		if err == nil && rec.ParentNumber == number {
			err = d.flatten(ctx, runindex.Ref{ID: id, Number: rec.Number})
		}
		if err != nil && !errors.Is(err, ErrRunNotFound) {
			return err
		}
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
// Forks are no obstacle: those of the tenant itself go with the rest, and those that belong to
// another tenant are flattened first. So what they read of the tenant's runs is theirs afterwards.
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

// deleteTenantRuns goes over the tenant's runs until there are none: from the newest to the oldest,
// so that forks come before what they read through.
func (d *DB) deleteTenantRuns(ctx context.Context, tenant string) (deleted int, err error) {
	for {
		var batch, held []string
		seen, before := 0, deleted
		flush := func() error {
			n, kept, err := d.deleteRuns(ctx, batch)
			deleted, held, batch = deleted+n, append(held, kept...), nil
			return err
		}
		all := RunQuery{Tenant: tenant, IncludeArchived: true, Reverse: true}
		for r, err := range d.Runs().All(ctx, all) {
			if err != nil {
				return deleted, err
			}
			seen++
			if batch = append(batch, r.ID); len(batch) == deleteBatch {
				if err := flush(); err != nil {
					return deleted, err
				}
			}
		}
		if err := flush(); err != nil || seen == 0 {
			return deleted, err
		}
		if deleted > before {
			continue // perhaps nothing holds them any more
		}
		for _, id := range held {
			rec, err := d.scopeRecord(ctx, id)
			if err == nil {
				err = d.flattenForks(ctx, rec.Number)
			}
			if err != nil && !errors.Is(err, ErrRunNotFound) {
				return deleted, err
			}
		}
	}
}

// deleteRuns deletes runs in one commit, one after the other, and returns how many still existed,
// and those that forks read through: they are still there.
func (d *DB) deleteRuns(ctx context.Context, ids []string) (n int, held []string, err error) {
	if len(ids) == 0 {
		return 0, nil, nil
	}
	_, err = d.m.Update(ctx, d.system, deletion, func(t *txn.Tx) error {
		n, held = 0, nil
		for _, id := range ids {
			err := runindex.Delete(ctx, t.Scope(d.system), id)
			switch {
			case err == nil:
				n++
			case errors.Is(err, ErrHasForks):
				held = append(held, id)
			case !errors.Is(err, ErrRunNotFound):
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return n, held, nil
}
