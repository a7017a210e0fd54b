package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Forks. A fork reads through its parent: what it has nothing of itself is in the parent, at the
// fork version or below. So a scope is a pile of layers: its own keys, above them nothing, below
// them those of its parent, and so on.
//
// Purpose: making a fork costs the same whatever the parent holds, and an ordinary scope does not
// notice that there are forks: it asks one pointer, and only where it has found nothing.
//
// Invariants:
//
//  1. Every own record of a fork lies above its fork version, and nothing at or below the fork
//     version of its parent ever changes. So what is inherited is settled: what was found in a
//     lower layer once is found there always, and only own records have to be validated.
//  2. What lies in the store under a fork's own number, at or below its fork version, are copies
//     that Flatten is making (flatten.go). They count for nothing until the record says Flattened.
//  3. A state keeps what it was made of. When the record of a fork says Flattened, the state goes
//     on as an own layer above a floor: the copies, which only the store has. A state that is made
//     later finds everything under its own number, and is that of an ordinary scope.
//
// A layer below may be dropped under a walk, once nothing reads through it any more. Then the fork
// has been flattened since the walk began, and it is walked anew (DB.flattened).

// lineage is what lies below the own layer of a fork. Immutable.
type lineage struct {
	parent *backend.Scope // nil: the floor of a fork that was flattened
	fork   uint64         // version of the parent at which it is read
	base   extents        // where the parent stood there
}

// extents are how far the history of a scope reaches at a version.
type extents struct {
	commits backend.ScopeCommits
	events  eventHead
}

// above is the version above which the own records of a scope with this lineage lie.
func (l *lineage) above() uint64 {
	if l == nil {
		return 0
	}
	return l.fork
}

// isFloor tells whether what lies below are copies under the scope's own number.
func (l *lineage) isFloor() bool { return l != nil && l.parent == nil }

// below are the numbers at which own commits and own events begin: there may be copies before them.
func (l *lineage) below() (commits, events uint64) {
	if l == nil || l.isFloor() {
		return 0, 0
	}
	return l.base.commits.Count + 1, l.base.events.next
}

// loadLineage reads where a fork comes from. It returns nil for a scope that reads through nothing.
func (d *DB) loadLineage(ctx context.Context, r codec.ScopeRecord) (*lineage, error) {
	if !r.ReadsThrough() {
		return nil, nil
	}
	l := &lineage{
		parent: &backend.Scope{Number: r.ParentNumber, Record: r.ParentKey()}, fork: r.ForkVersion,
	}
	var err error
	if l.base, err = d.extentsAt(ctx, l.parent, l.fork); err != nil {
		return nil, fmt.Errorf("fork of %s at version %d: %w", l.parent.Record, l.fork, err)
	}
	return l, nil
}

// settle lets a state go on above a floor once the record says Flattened. REQUIRES: the commit
// lock.
func (st *scopeState) settle(r codec.ScopeRecord) {
	if l := st.lineage.Load(); l != nil && !l.isFloor() && r.Flattened {
		st.lineage.Store(&lineage{fork: l.fork, base: l.base})
	}
}

// retold does a walk through layers, and does it again if one of them was dropped under it.
func (d *DB) retold(walk func() error) error {
	for {
		before := d.flattened.Load()
		err := walk()
		if !errors.Is(err, backend.ErrScopeGone) || before == d.flattened.Load() {
			return err
		}
	}
}

// getWarm is what a fork inherits of a key that it has no own record of, if memory knows. It gives
// up at whatever is not quite ordinary; a layer that is dropped meanwhile knows nothing.
func (d *DB) getWarm(
	st *scopeState, p codec.Primitive, key string, at uint64,
) (rec backend.Record, known bool) {
	for {
		l := st.lineage.Load()
		switch {
		case l == nil:
			return backend.Record{}, true
		case l.isFloor():
			return backend.Record{}, false
		}
		at = min(at, l.fork)
		if st = d.state(l.parent); st == nil || st.phase.Load() != scopeOpen {
			return backend.Record{}, false
		}
		own := at > st.lineage.Load().above()
		if own {
			rec, known = st.remembered(p, key, at)
			rec.Hint = 0 // it would lead validation to a key of another scope
		}
		if st.horizons.Load() != nil {
			return backend.Record{}, false // somebody has to look whether it may be told
		}
		if own && (!known || rec.Version != 0) {
			return rec, known
		}
	}
}

// getForked is Get for a fork: it goes down the layers until one knows the key.
func (d *DB) getForked(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (rec backend.Record, err error) {
	err = d.retold(func() error {
		rec, err = d.getThrough(ctx, s, p, key, at)
		return err
	})
	if err != nil {
		return backend.Record{}, d.restate(ctx, s, p, at, err)
	}
	return rec, nil
}

func (d *DB) getThrough(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (backend.Record, error) {
	for top := s; ; {
		st, err := d.readable(ctx, s)
		if err != nil {
			return backend.Record{}, err
		}
		l := st.lineage.Load()
		rec, err := d.getLayer(ctx, s, st, l, p, key, at)
		if err != nil || rec.Version != 0 {
			if s != top {
				rec.Hint = 0 // it would lead validation to a key of another scope
			}
			return rec, err
		}
		switch {
		case l == nil:
			return backend.Record{}, nil
		case l.isFloor():
			return d.getFloor(ctx, s, st, p, key, at)
		}
		s, at = l.parent, min(at, l.fork)
	}
}

// getLayer looks a key up among the own keys of a scope.
func (d *DB) getLayer(
	ctx context.Context, s *backend.Scope, st *scopeState, l *lineage, p codec.Primitive, key string,
	at uint64,
) (backend.Record, error) {
	if at <= l.above() {
		return backend.Record{}, st.refuse(s, p, at)
	}
	rec, ok := st.remembered(p, key, at)
	if !ok {
		known := rec.Hint != 0 || st.phase.Load() == scopeGone
		var err error
		if rec, err = d.getStored(ctx, s, p, key, at, known, l.above()); err != nil {
			return backend.Record{}, err
		}
		if st, err = d.stillThere(ctx, s, st); err != nil {
			return backend.Record{}, err
		}
	}
	return rec, st.refuse(s, p, at)
}

// getFloor looks a key up among the copies of a fork that was flattened. They are part of it: what
// can be read of them is decided by the reader's version, which may lie above all of them.
func (d *DB) getFloor(
	ctx context.Context, s *backend.Scope, st *scopeState, p codec.Primitive, key string, at uint64,
) (backend.Record, error) {
	rec, err := d.getCopy(ctx, s, p, key, min(at, st.lineage.Load().above()))
	if err != nil {
		return backend.Record{}, err
	}
	d.dropFloor(st)
	if st, err = d.stillThere(ctx, s, st); err != nil {
		return backend.Record{}, err
	}
	return rec, st.refuse(s, p, at)
}

// dropFloor drops the state of a fork that was flattened as soon as no open transaction could miss
// it: the next one remembers copies as it does everything else. It asks at reads that the state
// made slow, and gives up if a writer is busy.
func (d *DB) dropFloor(st *scopeState) {
	if !d.commitLock.TryLock() {
		return
	}
	defer d.commitLock.Unlock()
	horizon := d.evictable()
	if st.retired.Load() || st.phase.Load() != scopeOpen ||
		max(st.mem.LastWrite(), st.commits.Last) > horizon {
		return
	}
	d.scopes.mu.Lock()
	defer d.scopes.mu.Unlock()
	d.dropLocked(st)
}

// getCopy reads the store and offers nothing to memory, which knows own records only.
func (d *DB) getCopy(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (backend.Record, error) {
	if err := ctx.Err(); err != nil {
		return backend.Record{}, err
	}
	if !d.storeGate.TryRLock() {
		return backend.Record{}, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return backend.Record{}, backend.ErrClosed
	}
	d.counters.storeReads.Add(1)
	return d.readStore(s.Number, p, key, at)
}

// getInherited is what a fork inherits of a key: at its fork version, whatever the reader's.
func (d *DB) getInherited(
	ctx context.Context, s *backend.Scope, l *lineage, p codec.Primitive, key string,
) (backend.Record, error) {
	if l.isFloor() {
		return d.getCopy(ctx, s, p, key, l.fork)
	}
	rec, err := d.getThrough(ctx, l.parent, p, key, l.fork)
	rec.Hint = 0
	return rec, err
}
