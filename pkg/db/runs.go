package inmem

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// RunOptions describe a new run. All of it is optional.
type RunOptions struct {
	// ID is the run's UUID, in the form of 36 characters; any version but all zeros. Default: a new
	// one of version 7, which sorts by time.
	ID string
	// Tenant, App and Agent are the namespace of the run: UTF-8, at most 1 KiB each.
	Tenant, App, Agent string
	// Tags are words to find the run by: not empty, UTF-8. Order and repetition do not matter.
	Tags []string
	// Metadata is any value.
	Metadata Value

	_ struct{}
}

// maxName bounds each part of a namespace, in bytes, so that an index key always fits.
const maxName = 1 << 10

// BeginRun starts a run: Active from the moment of the commit that this call makes.
//
// Errors: ErrRunExists if the id is taken, ErrInvalidArgument, ErrTooLarge, and those of Tx.Commit.
func (d *DB) BeginRun(ctx context.Context, o RunOptions) (*Run, error) {
	id, err := newRunID(o.ID)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return nil, fmt.Errorf("begin run: %w", err)
	}
	number, err := d.b.AllocateScope(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin run %s: %w", id, txn.ContextError(err))
	}
	now := d.b.Now()
	rec := codec.ScopeRecord{
		ID: id, Number: number, Tenant: o.Tenant, App: o.App, Agent: o.Agent,
		Status: Active, Created: now, Updated: now,
		Tags: slices.Compact(slices.Sorted(slices.Values(o.Tags))), Metadata: o.Metadata,
		BootEpoch: d.epoch,
	}
	data, err := codec.AppendScopeRecord(nil, rec)
	if err != nil {
		return nil, fmt.Errorf("begin run %s: %w", id, err)
	}
	s := &backend.Scope{Number: number, Record: id.String()}
	_, err = d.m.Update(ctx, d.system, txn.Options{Retry: &txn.Retry{}}, func(t *txn.Tx) error {
		return createRun(ctx, t, t.Scope(d.system), s, &rec, data)
	})
	switch {
	case errors.Is(err, ErrVersionMismatch): // a lost race and a taken id look the same: it exists
		return nil, fmt.Errorf("begin run %s: %w", id, ErrRunExists)
	case err != nil:
		return nil, fmt.Errorf("begin run %s: %w", id, err)
	}
	return &Run{d: d, id: s.Record, scope: s}, nil
}

// createRun writes all that makes a run: its record, if there never was one under its id, and its
// place in the index by tenant.
func createRun(ctx context.Context, t *txn.Tx, system txn.Scope, s *backend.Scope,
	rec *codec.ScopeRecord, data []byte,
) error {
	t.CreateScope(s)
	if _, err := system.CAS(ctx, codec.ScopeRecords, s.Record, 0, data); err != nil {
		return err
	}
	null, err := codec.AppendValue(nil, codec.Null())
	if err != nil {
		return err
	}
	_, err = system.Put(ctx, codec.RunIndex, tenantKey(rec), null, 0)
	return err
}

// tenantKey orders runs by tenant, app, agent, id.
func tenantKey(r *codec.ScopeRecord) string {
	var t codec.Tuple
	t = t.AppendString(r.Tenant).AppendString(r.App).AppendString(r.Agent)
	return string(t.AppendString(uuid.UUID(r.ID).String()))
}

// Run returns a handle to a run that exists, whatever its status.
//
// Errors: ErrRunNotFound, ErrInvalidArgument if id is not a UUID, ErrTimeout, ErrCanceled,
// ErrStorage, ErrCorrupt, ErrClosed.
func (d *DB) Run(ctx context.Context, id string) (*Run, error) {
	parsed, err := parseRunID(id)
	if err != nil {
		return nil, err
	}
	rec, err := d.scopeRecord(ctx, d.m.Scope(d.system), parsed.String())
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", parsed, err)
	}
	s := &backend.Scope{Number: rec.Number, Record: parsed.String()}
	return &Run{d: d, id: s.Record, scope: s}, nil
}

// statusRetry makes it improbable that a change of status fails by a conflict: whoever loses looks
// at what the other one did, and that says whether the change is still right.
var statusRetry = &txn.Retry{Max: 20}

// End gives an Active run its final status: Completed, Failed or Cancelled. From then on it takes
// no writes; transactions under way on it fail with ErrRunNotActive at their commit.
//
// Errors: ErrRunNotActive if the run has ended before, ErrInvalidArgument for another status, and
// those of Tx.Commit.
func (r *Run) End(ctx context.Context, status Status) error {
	if status != Completed && status != Failed && status != Cancelled {
		return fmt.Errorf("end run %s: %w: status %v, must be completed, failed or cancelled",
			r.id, ErrInvalidArgument, status)
	}
	_, err := r.d.m.Update(ctx, r.d.system, txn.Options{Retry: statusRetry},
		func(t *txn.Tx) error { return r.end(ctx, t.Scope(r.d.system), status) })
	if err != nil {
		return fmt.Errorf("end run %s: %w", r.id, err)
	}
	return nil
}

// end rewrites the run's record. Reading it puts it into the read set: so of two ends one wins.
func (r *Run) end(ctx context.Context, system txn.Scope, status Status) error {
	rec, err := r.d.scopeRecord(ctx, system, r.id)
	if err != nil {
		return err
	}
	if rec.Status != Active {
		return &backend.ScopeStatusError{Record: r.id, Status: rec.Status}
	}
	now := r.d.b.Now()
	rec.Status, rec.Updated, rec.Ended = status, now, now
	data, err := codec.AppendScopeRecord(nil, rec)
	if err != nil {
		return err
	}
	_, err = system.Put(ctx, codec.ScopeRecords, r.id, data, 0)
	return err
}

// scopeRecord reads the record of a run.
func (d *DB) scopeRecord(ctx context.Context, system txn.Scope, id string,
) (codec.ScopeRecord, error) {
	e, err := system.Get(ctx, codec.ScopeRecords, id)
	if err != nil {
		return codec.ScopeRecord{}, err
	}
	if !e.Exists {
		return codec.ScopeRecord{}, ErrRunNotFound
	}
	return codec.DecodeScopeRecord(e.Value)
}

// check refuses what no record could hold; the rest is codec's to refuse.
func (o *RunOptions) check() error {
	for _, part := range []struct{ name, value string }{
		{"tenant", o.Tenant}, {"app", o.App}, {"agent", o.Agent},
	} {
		if len(part.value) > maxName {
			return fmt.Errorf("%w: %s of %d bytes, at most %d",
				ErrTooLarge, part.name, len(part.value), maxName)
		}
	}
	return nil
}

// newRunID parses a given id or makes one.
func newRunID(given string) (uuid.UUID, error) {
	if given != "" {
		return parseRunID(given)
	}
	return uuid.NewV7()
}

func parseRunID(id string) (uuid.UUID, error) {
	const textForm = 36
	parsed, err := uuid.Parse(id)
	if err != nil || len(id) != textForm || parsed == uuid.Nil {
		return parsed, fmt.Errorf("%w: run id %q is not a UUID of 36 characters",
			ErrInvalidArgument, id)
	}
	return parsed, nil
}
