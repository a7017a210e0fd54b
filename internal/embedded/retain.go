package embedded

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// What retention has removed, and what it may not. The horizons of a scope lie in the scope itself
// (codec.HorizonKey), so that they go with it, and in its state while it is in use. They are
// written before anything is removed (prune.go), and a reader asks for them after it has read:
// whoever was overtaken by a removal finds the horizon that was set before it.

// horizons are what is known of a scope's. Immutable.
type horizons struct {
	list    backend.Horizons
	newest  uint64 // of list
	first   uint64 // version of the scope's first commit; 0: the journal tells
	pending bool   // what lies below is not removed in full
}

func newHorizons(r codec.HorizonRecord) *horizons {
	list := backend.Horizons(r.Horizons)
	return &horizons{list: list, newest: list.Newest(), first: r.First, pending: r.Pending}
}

func (h *horizons) record() codec.HorizonRecord {
	return codec.HorizonRecord{Horizons: h.list, First: h.first, Pending: h.pending}
}

// known returns the list of horizons that may be nil.
func (h *horizons) known() backend.Horizons {
	if h == nil {
		return nil
	}
	return h.list
}

// refuse answers a read of a primitive that was made at a version which cannot be read any more.
// It is asked after the read. Version 0 is empty whatever was removed.
func (st *scopeState) refuse(s *backend.Scope, p codec.Primitive, at uint64) error {
	if h := st.horizons.Load(); h != nil && at < h.newest && at != 0 {
		return h.refuse(s, p, at)
	}
	return nil
}

func (h *horizons) refuse(s *backend.Scope, p codec.Primitive, at uint64) error {
	if earliest := h.list.Of(p); at < earliest {
		return &backend.PrunedError{Run: s.Record, Version: at, Earliest: earliest}
	}
	return nil
}

// loadHorizons reads the horizons of a scope from the store; nil if it has none. REQUIRES: the
// caller keeps the store open.
func (d *DB) loadHorizons(n codec.Scope) (*horizons, error) {
	if n == codec.SystemScope {
		return nil, nil
	}
	value, closer, err := d.store.Get(codec.HorizonKey(n))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, d.readFailed(err)
	}
	var rec codec.HorizonRecord
	env, err := codec.DecodeEnvelope(value)
	if err == nil {
		rec, err = codec.DecodeHorizonRecord(env.Payload)
	}
	if err = errors.Join(err, closer.Close()); err != nil {
		return nil, d.readFailed(err)
	}
	return newHorizons(rec), nil
}

// horizonsOf returns the horizons of a scope by its number, from its state if there is one that
// knows. REQUIRES: the caller keeps the store open.
func (d *DB) horizonsOf(n codec.Scope) (*horizons, error) {
	if st := d.scopes.get(n); st != nil && st.phase.Load() != scopeUnknown {
		return st.horizons.Load(), nil
	}
	return d.loadHorizons(n)
}

// Horizons implements backend.Retainer.
func (d *DB) Horizons(ctx context.Context, s *backend.Scope) (backend.Horizons, error) {
	if d.closed.Load() {
		return nil, backend.ErrClosed
	}
	list, _, err := d.horizonsThrough(ctx, s)
	return list, err
}

// retentions are the holds on history. Lock order: the commit lock comes before mu. Horizons are
// decided, written and shown in one step under mu (DB.setHorizons); so a hold is there before it,
// or finds it.
type retentions struct {
	// raised counts the horizons that were set: facts of a scope that were read before one was are
	// read again.
	raised atomic.Uint64

	mu   sync.Mutex
	held *retention // guarded by mu: the newest of a list
}

// retention implements backend.Retention.
type retention struct {
	set     *retentions
	scope   codec.Scope // SystemScope stands for all
	version uint64

	prev, next *retention // guarded by set.mu
	ended      bool       // guarded by set.mu
}

func (r *retention) Version() uint64 { return r.version }

func (r *retention) Release() {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	if r.ended {
		return
	}
	r.ended = true
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		r.set.held = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.prev, r.next = nil, nil
}

func (r *retentions) add(x *retention) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.next = r.held; x.next != nil {
		x.next.prev = x
	}
	r.held = x
}

// Retain implements backend.Retainer.
func (d *DB) Retain(
	ctx context.Context, s *backend.Scope, at uint64,
) (backend.Retention, error) {
	if d.closed.Load() {
		return nil, backend.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &retention{set: &d.retained, version: at}
	if s == nil || s.Number == codec.SystemScope {
		d.retained.add(r)
		return r, nil
	}
	r.scope = s.Number
	d.retained.add(r)
	// Asked behind the hold: a horizon that is set later respects it.
	err := d.stillReadable(ctx, s, at)
	if err != nil {
		r.Release()
		return nil, err
	}
	return r, nil
}

// stillReadable refuses a version at which nothing but the events of a scope can be read.
func (d *DB) stillReadable(ctx context.Context, s *backend.Scope, at uint64) error {
	list, _, err := d.horizonsThrough(ctx, s)
	if earliest := list.Of(codec.Journal); err == nil && at < earliest && at != 0 {
		err = &backend.PrunedError{Run: s.Record, Version: at, Earliest: earliest}
	}
	return err
}
