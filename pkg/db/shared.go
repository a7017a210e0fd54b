package inmem

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Namespace names a place that runs share: a tenant's (Tenant alone), that of an app of a tenant
// (Tenant and App), or that of an agent of an app (all three). UTF-8, at most 1 KiB each.
type Namespace struct {
	Tenant, App, Agent string

	_ struct{}
}

// Shared is a handle to a shared namespace: a place of its own with the same primitives as a run,
// for what several runs have in common. No run sees it by accident: access is through this handle,
// in a transaction over several scopes with OnShared. It has no status and no end. Who writes there
// at once settles it by transactions and CAS, as in a run.
//
// It is safe for concurrent use, holds no resource, and never expires.
type Shared struct {
	d     *DB
	name  Namespace
	scope *backend.Scope
}

// Shared returns a handle to a shared namespace, which comes into being with its first use. Each
// level is a namespace of its own: an app does not see what its tenant shares.
//
// Errors: ErrInvalidArgument for a Namespace without a tenant, or with an agent but no app;
// ErrTooLarge; and those of Tx.Commit.
func (d *DB) Shared(ctx context.Context, n Namespace) (*Shared, error) {
	err := runindex.CheckShared(n.Tenant, n.App, n.Agent)
	var s *backend.Scope
	if err == nil {
		s, err = d.sharedScope(ctx, n)
	}
	if err != nil {
		return nil, fmt.Errorf("shared namespace %s: %w", n, err)
	}
	return &Shared{d: d, name: n, scope: s}, nil
}

// String shows the parts that are named, with slashes between them.
func (n Namespace) String() string {
	switch {
	case n.App == "" && n.Agent == "":
		return fmt.Sprintf("%q", n.Tenant)
	case n.Agent == "":
		return fmt.Sprintf("%q/%q", n.Tenant, n.App)
	}
	return fmt.Sprintf("%q/%q/%q", n.Tenant, n.App, n.Agent)
}

// sharedScope finds the scope, or makes it.
func (d *DB) sharedScope(ctx context.Context, n Namespace) (*backend.Scope, error) {
	key := codec.SharedKey(n.Tenant, n.App, n.Agent)
	rec, err := d.scopeRecord(ctx, key)
	if err == nil || !errors.Is(err, ErrRunNotFound) {
		return &backend.Scope{Number: rec.Number, Record: key}, err
	}
	number, err := d.b.AllocateScope(ctx)
	if err != nil {
		return nil, txn.ContextError(err)
	}
	var s *backend.Scope
	_, err = d.m.Update(ctx, d.system, housekeeping, func(t *txn.Tx) error {
		s = &backend.Scope{Number: number, Record: key}
		system := t.Scope(d.system)
		e, err := system.Get(ctx, codec.ScopeRecords, key)
		if err != nil {
			return err
		}
		if e.Exists { // somebody was faster: of two, both get the same
			rec, err := codec.DecodeScopeRecord(e.Value)
			s.Number = rec.Number
			return err
		}
		now := system.Now()
		data, err := codec.AppendScopeRecord(nil, codec.ScopeRecord{
			Kind: codec.KindShared, Number: number, Status: Active,
			Tenant: n.Tenant, App: n.App, Agent: n.Agent, Created: now, Updated: now,
		})
		if err != nil {
			return err
		}
		t.CreateScope(s)
		_, err = system.Put(ctx, codec.ScopeRecords, key, data, 0)
		return err
	})
	return s, err
}

// deleteTenantShared deletes all shared namespaces of a tenant.
func (d *DB) deleteTenantShared(ctx context.Context, tenant string) error {
	// Up to its first part the key of the tenant's own namespace begins those of all below.
	prefix := "@" + string(codec.Tuple(nil).AppendString(tenant))
	for {
		var batch []string
		c := d.m.Scope(d.system).Scan(ctx, codec.ScopeRecords, txn.PrefixRange(prefix))
		for len(batch) < deleteBatch && c.Next() {
			batch = append(batch, c.Key())
		}
		c.Close()
		if err := c.Err(); err != nil || len(batch) == 0 {
			return err
		}
		_, err := d.m.Update(ctx, d.system, housekeeping,
			func(t *txn.Tx) error {
				for _, key := range batch {
					if _, err := t.Scope(d.system).Delete(ctx, codec.ScopeRecords, key); err != nil {
						return err
					}
				}
				return nil
			})
		if err != nil {
			return err
		}
	}
}

// Namespace is the name of the shared namespace.
func (s *Shared) Namespace() Namespace { return s.name }

// KV returns the keys of the shared namespace; see Run.KV.
func (s *Shared) KV() KV { return kv.New(s.d.m.Scope(s.scope)) }

// Update runs fn in a transaction on the shared namespace; see Run.Update. For one that also works
// on runs start it on the DB, and use Tx.OnShared.
func (s *Shared) Update(ctx context.Context, fn func(*Tx) error) (uint64, error) {
	return s.d.update(ctx, s.scope, TxOptions{}, fn)
}

// UpdateWith is Update with options.
func (s *Shared) UpdateWith(ctx context.Context, o TxOptions, fn func(*Tx) error,
) (uint64, error) {
	return s.d.update(ctx, s.scope, o, fn)
}

// View calls fn with a read-only view of the shared namespace; see Run.View.
func (s *Shared) View(ctx context.Context, fn func(*View) error) error {
	return s.d.view(ctx, s.scope, fn)
}

// Begin starts a transaction that its caller ends with Commit or Rollback; see Run.Begin.
func (s *Shared) Begin(ctx context.Context, o TxOptions) (*Tx, error) {
	return s.d.begin(ctx, s.scope, o)
}

// OnShared returns the transaction as it works on a shared namespace; see On.
func (tx *Tx) OnShared(s *Shared) *Tx {
	on := &Tx{d: tx.d, t: tx.t}
	if s != nil && s.d == tx.d {
		on.scope = tx.t.Scope(s.scope)
	}
	return on
}

// OnShared returns the view as it looks at a shared namespace.
func (v *View) OnShared(s *Shared) *View {
	on := &View{d: v.d, v: v.v}
	if s != nil && s.d == v.d {
		on.scope = v.v.Scope(s.scope)
	}
	return on
}
