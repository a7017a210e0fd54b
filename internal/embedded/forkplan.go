package embedded

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// What a commit has to know of forks. All of it is read before the lock: what is inherited is
// settled, so it is as true under the lock as when it was read.

// count takes in the newest commit of a scope. REQUIRES: the commit lock.
func (e *extents) count(number, version uint64) {
	if e.commits.First == 0 {
		e.commits.First = version
	}
	e.commits.Last, e.commits.Count = version, number
}

// loadCreated reads where a scope that comes into being with the commit goes on from.
func (p *plan) loadCreated(ctx context.Context, s *planScope) error {
	s.facts = scopeFacts{}
	for i := range p.writes {
		w := &p.writes[i]
		if !w.isScopeRecord() || w.Key != s.handle.Record || w.Op != backend.Put {
			continue
		}
		rec, _ := codec.DecodeScopeRecord(w.Value) // was checked by arrange
		if rec.Number != s.handle.Number || !rec.ReadsThrough() {
			continue
		}
		if last := p.db.published.load(); rec.ForkVersion > last {
			return fmt.Errorf("%w: fork %s at version %d: the newest is %d", codec.ErrInvalidArgument,
				w.Key, rec.ForkVersion, last)
		}
		if err := p.findParent(ctx, rec); err != nil {
			return err
		}
		l, err := p.db.loadLineage(ctx, rec)
		if err != nil {
			return err
		}
		s.facts.lineage, s.facts.extents = l, l.base
	}
	return nil
}

// findParent demands that the parent exists, as the scope that the record means, and that all of it
// can be read at the fork version.
func (p *plan) findParent(ctx context.Context, r codec.ScopeRecord) error {
	parent := &backend.Scope{Number: r.ParentNumber, Record: r.ParentKey()}
	found, err := p.db.lookup(ctx, p.db.system, codec.ScopeRecords, parent.Record, p.at)
	if err != nil {
		return err
	}
	if !found.Exists() {
		return goneError(parent)
	}
	rec, err := codec.DecodeScopeRecord(found.Value)
	if err != nil {
		return err
	}
	if rec.Number != r.ParentNumber {
		return goneError(parent)
	}
	list, _, err := p.db.horizonsThrough(ctx, parent)
	if earliest := list.Newest(); err == nil && r.ForkVersion < earliest {
		err = &backend.PrunedError{
			Run: parent.Record, Version: r.ForkVersion, Earliest: earliest,
		}
	}
	return err
}

// checkParent refuses a fork whose parent was deleted meanwhile. The pin keeps the state of a scope
// that was deleted after it. REQUIRES: the commit lock.
func (p *plan) checkParent(s *planScope) error {
	if s.facts.lineage == nil {
		return nil
	}
	parent := s.facts.lineage.parent
	if st := p.db.state(parent); st != nil && st.phase.Load() == scopeGone {
		return goneError(parent)
	}
	return nil
}

// lineageOf is that of a scope which the request names.
func (p *plan) lineageOf(ctx context.Context, s *backend.Scope) (*lineage, error) {
	if s.Number == codec.SystemScope {
		return nil, nil
	}
	if st := p.db.state(s); st != nil && st.phase.Load() != scopeUnknown {
		return st.lineage.Load(), nil
	}
	if i := p.scopeOf(s); i >= 0 && (p.scopes[i].known || p.scopes[i].created) {
		return p.scopes[i].facts.lineage, nil
	}
	st, err := p.db.readable(ctx, s)
	if err != nil {
		return nil, err
	}
	return st.lineage.Load(), nil
}

// lookup finds the current record of a key, inherited or not.
func (p *plan) lookup(
	ctx context.Context, s *backend.Scope, prim codec.Primitive, key string,
) (rec backend.Record, err error) {
	l, err := p.lineageOf(ctx, s)
	if err != nil {
		return rec, err
	}
	if l == nil {
		return p.db.lookup(ctx, s, prim, key, p.at)
	}
	err = p.db.retold(func() error {
		if l, err = p.lineageOf(ctx, s); err != nil {
			return err
		}
		rec, err = p.db.lookup(ctx, s, prim, key, p.at)
		if err == nil && rec.Version <= l.above() && l != nil {
			rec, err = p.db.getInherited(ctx, s, l, prim, key)
		}
		return err
	})
	return rec, err
}

// older is what a request relies on whose snapshot lies below the version of a fork that it read:
// between the two the parent may have been written to.
type older struct {
	stamps map[int]uint64 // by place in Request.Reads: of the inherited record
	keys   []olderKey     // of ranges: what was written between
}

type olderKey struct {
	scope *backend.Scope
	found backend.Conflict
}

// readOlder looks for such reads. It costs next to nothing where there are none.
func (p *plan) readOlder(ctx context.Context) error {
	p.older = older{}
	if p.req.Pin == nil {
		return nil
	}
	at := p.req.Pin.Version()
	var last *backend.Scope
	var l *lineage
	var err error
	for i := range p.req.Reads {
		r := &p.req.Reads[i]
		if r.Scope != last {
			if l, err = p.lineageOf(ctx, r.Scope); err != nil {
				return err
			}
			last = r.Scope
		}
		if l == nil || at >= l.fork {
			continue
		}
		rec, err := p.lookup(ctx, r.Scope, r.Primitive, r.Key)
		if err != nil {
			return err
		}
		if p.older.stamps == nil {
			p.older.stamps = map[int]uint64{}
		}
		p.older.stamps[i] = rec.Stamp
	}
	for i := range p.ranges {
		if err := p.readOlderRange(ctx, &p.ranges[i], at); err != nil {
			return err
		}
	}
	return nil
}

// readOlderRange finds the keys of ranges that were written between a snapshot and the fork.
func (p *plan) readOlderRange(ctx context.Context, g *rangeGroup, at uint64) error {
	l, err := p.lineageOf(ctx, g.scope)
	if err != nil || l == nil || at >= l.fork {
		return err
	}
	for _, r := range g.spans {
		c := p.db.scanForked(ctx, g.scope, g.primitive, r, l.fork)
		c.all = true
		for c.Next() {
			if stamp := c.Record().Stamp; stamp > at {
				p.older.keys = append(p.older.keys, olderKey{g.scope, backend.Conflict{
					Scope: g.scope.Number, Primitive: g.primitive, Key: c.Key(),
					Expected: at, Found: stamp,
				}})
			}
		}
		c.Close()
		if err := c.Err(); err != nil {
			return err
		}
	}
	return nil
}

// changed tells whether a key that a fork inherits has another stamp than the one that was read.
func (o *older) changed(i int, r *backend.Read) (stamp uint64, changed bool) {
	stamp, ok := o.stamps[i]
	return stamp, ok && stamp != r.Stamp
}

// check adds the keys of ranges that were written before the fork. Those written since, the write
// log of the fork tells. REQUIRES: the commit lock.
func (o *older) check(p *plan, failed []backend.Conflict) []backend.Conflict {
	for _, k := range o.keys {
		if st := p.db.state(k.scope); st != nil {
			rec, _, answer := st.mem.Newest(byte(k.found.Primitive), k.found.Key)
			if answer == memtable.Found && rec.Version != 0 {
				continue
			}
		}
		failed = append(failed, k.found)
	}
	return failed
}
