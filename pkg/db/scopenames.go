package inmem

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// scopeNames finds the record of a scope by its number, which no index does: commits name numbers,
// people names. It knows all scopes up to a version, and learns what came after when one is
// missing.
type scopeNames struct {
	mu     sync.Mutex // guards the rest, also while it is read
	runs   map[codec.Scope]uuid.UUID
	shared map[codec.Scope]string // keys of records
	upTo   uint64                 // 0: nothing is known
}

// record is the key of a scope's record. ok is false if there is none any more, or never was.
// Cost: a lookup; the first time a scan over the records of all scopes.
func (n *scopeNames) record(
	ctx context.Context, d *DB, number codec.Scope,
) (key string, ok bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if key, ok = n.known(number); ok {
		return key, true, nil
	}
	if n.upTo == 0 {
		err = n.learnAll(ctx, d, d.b.Published())
	} else {
		err = n.learnSince(ctx, d, d.b.Published())
	}
	key, ok = n.known(number)
	return key, ok, err
}

// known REQUIRES: mu.
func (n *scopeNames) known(number codec.Scope) (key string, ok bool) {
	if id, ok := n.runs[number]; ok {
		return id.String(), true
	}
	key, ok = n.shared[number]
	return key, ok
}

// learnAll reads all records. REQUIRES: mu.
func (n *scopeNames) learnAll(ctx context.Context, d *DB, at uint64) error {
	n.runs, n.shared = map[codec.Scope]uuid.UUID{}, map[codec.Scope]string{}
	c := d.b.Scan(ctx, d.system, codec.ScopeRecords, backend.Range{}, at)
	defer c.Close()
	for c.Next() {
		if err := n.learn(c.Key(), c.Record()); err != nil {
			return err
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	n.upTo = at
	return nil
}

// learnSince reads the records that were written since. REQUIRES: mu.
func (n *scopeNames) learnSince(ctx context.Context, d *DB, at uint64) error {
	c, err := d.b.Commits(ctx, d.system, n.upTo)
	if err != nil {
		return err
	}
	r := backend.JournalRange{
		From: c.Count + 1, At: at, Only: []backend.KeySpace{{Primitive: codec.ScopeRecords}},
	}
	for e, err := range d.b.Journal(ctx, d.system, r) {
		if err != nil {
			return err
		}
		for _, x := range e.Changes {
			r, err := d.b.Get(ctx, d.system, codec.ScopeRecords, x.Key, at)
			if err == nil {
				err = n.learn(x.Key, &r)
			}
			if err != nil {
				return err
			}
		}
	}
	n.upTo = at
	return nil
}

// learn takes in a record. REQUIRES: mu.
func (n *scopeNames) learn(key string, r *backend.Record) error {
	if !r.Exists() {
		return nil
	}
	rec, err := codec.DecodeScopeRecord(r.Value)
	if err != nil {
		return err
	}
	if rec.Kind != codec.KindShared {
		n.runs[rec.Number] = rec.ID
	} else {
		n.shared[rec.Number] = key
	}
	return nil
}

// scopeName is what people call a scope: the id of a run, or Namespace.String.
func scopeName(record string) (string, error) {
	if _, err := uuid.Parse(record); err == nil {
		return record, nil
	}
	tenant, app, agent, err := codec.DecodeSharedKey(record)
	return Namespace{Tenant: tenant, App: app, Agent: agent}.String(), err
}
