package memtable

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/invariants"
)

// Bounds of the work that one call does.
const (
	evictBatch = 4096 // entries of cold scopes looked at
	reapBatch  = 4096 // entries of dropped scopes removed
	evictRound = 2    // segments cleaned
)

// Evict gives back about bytes of memory and tells how many entries it dropped and how many bytes
// it made free (Bytes follows segment by segment). It drops only entries whose newest version is at
// or below horizon. In this order: what dropped scopes left; segments that are a quarter garbage or
// more, whose living entries are moved, so that no scope loses anything; entries of cold scopes;
// the oldest entries, with a second chance for those that were used since the last visit. Work is
// bounded by about two segments per call; 0, 0 says that nothing may go. It forgets like Forget.
// Writer.
func (t *Table) Evict(horizon uint64, bytes int64) (entries int, freed int64) {
	t.Forget(horizon)
	for round := 0; round < evictRound && freed < bytes; round++ {
		g := t.emptiest()
		if g == nil {
			if n := t.evictCold(horizon); n > 0 {
				entries += n
				continue
			}
			g = t.oldest(horizon)
			if g == nil {
				break
			}
			if g == t.arena.head {
				t.arena.seal()
			}
			entries += t.evictFrom(g, horizon)
		}
		freed += t.compact(g)
	}
	return entries, freed
}

// emptiest returns the sealed segment with the smallest part alive, if a quarter of it or more is
// garbage.
func (t *Table) emptiest() *segment {
	var best *segment
	var least float64
	d := t.arena.dir.Load()
	for i := range d.slots {
		g := d.slots[i].Load()
		if g == nil || g == t.arena.head || !g.worthwhile() {
			continue
		}
		if part := float64(g.live) / float64(len(g.words)); best == nil || part < least {
			best, least = g, part
		}
	}
	return best
}

// oldest returns the oldest segment from which something may be evicted; the head comes last.
func (t *Table) oldest(horizon uint64) *segment {
	var best *segment
	d := t.arena.dir.Load()
	for i := range d.slots {
		g := d.slots[i].Load()
		if g == nil || g.oldest > horizon || g == t.arena.head {
			continue
		}
		if best == nil || g.number < best.number {
			best = g
		}
	}
	if h := t.arena.head; best == nil && h != nil && h.live > 0 && h.oldest <= horizon {
		best = h
	}
	return best
}

// evictFrom drops entries that have their newest record in a segment. An entry that was used since
// the last visit stays once, as long as such entries fill no more than half of the segment.
func (t *Table) evictFrom(g *segment, horizon uint64) (entries int) {
	spare := len(g.words) / 2
	oldest := uint64(math.MaxUint64)
	t.walk(g, func(e []uint64, off, record uint64, size int) {
		version := t.arena.at(record)[recordVersion]
		s := t.scopes[identScope(e[entryIdent])]
		if s == nil {
			return // dropped: reap gets there
		}
		if version > horizon {
			oldest = min(oldest, version)
			return
		}
		h := t.hashOf(e)
		b, slot := t.locate(h, off)
		used := uint64(1) << (56 + slot)
		if spare >= size && atomic.LoadUint64(&b[0])&used != 0 {
			atomic.AndUint64(&b[0], ^used)
			spare -= size
			oldest = min(oldest, version)
			return
		}
		t.evict(s, e, off, version, horizon)
		entries++
	})
	g.oldest = oldest
	return entries
}

// evict drops an entry: first the mark, so that a reader that misses the entry sees it.
func (t *Table) evict(s *Scope, e []uint64, off, version, horizon uint64) {
	s.lose()
	s.evicted = max(s.evicted, version)
	if invariants.Enabled && version > horizon {
		invariants.Failf("absent-is-old: evicting version %d above horizon %d", version, horizon)
	}
	t.drop(s, e, off)
}

// drop removes an entry of a scope that is not complete.
func (t *Table) drop(s *Scope, e []uint64, off uint64) {
	if invariants.Enabled && s.Complete() {
		invariants.Failf("mark-before-removal: scope %d is complete", s.number)
	}
	h := t.hashOf(e)
	b, slot := t.locate(h, off)
	t.remove(h, b, slot)
	s.order(identPrimitive(e[entryIdent])).release(uint32(e[entrySerial]))
	atomic.StoreUint64(&e[entryStamp], dead)
	s.keys.Add(-1)
	t.keys.Add(-1)
	record := e[entryHead]
	n := t.recordItem(e, off, record)
	t.arena.free(off, entrySize(e[entryIdent]))
	t.arena.free(record, n)
}

// evictCold drops entries of the scopes that were marked cold, a batch per call. A scope leaves the
// list when all its entries are gone; what is written to it later is evicted like everything else.
func (t *Table) evictCold(horizon uint64) (entries int) {
	budget := evictBatch
	for i := len(t.cold) - 1; i >= 0 && budget > 0; i-- {
		s := t.cold[i]
		if s.at == 0 && s.serial == 0 {
			if s.pinned > horizon {
				continue
			}
			s.pinned = math.MaxUint64
		}
		done := s.visit(&budget, func(e []uint64, off uint64) {
			version := t.arena.at(e[entryHead])[recordVersion]
			if version > horizon {
				s.pinned = min(s.pinned, version)
				return
			}
			t.evict(s, e, off, version, horizon)
			entries++
		})
		if !done {
			break
		}
		s.at, s.serial = 0, 0
		if s.pinned == math.MaxUint64 {
			t.warm(s)
		}
	}
	return entries
}

// warm takes a scope off the list of cold ones.
func (t *Table) warm(s *Scope) {
	if s.coldAt == 0 {
		return
	}
	last := t.cold[len(t.cold)-1]
	t.cold[s.coldAt-1] = last
	last.coldAt, s.coldAt = s.coldAt, 0
	t.cold[len(t.cold)-1] = nil
	t.cold = t.cold[:len(t.cold)-1]
}

// reap removes entries of dropped scopes, up to budget, and what is left of the scopes then.
func (t *Table) reap(budget int) {
	for len(t.doomed) > 0 && budget > 0 {
		s := t.doomed[0]
		if !s.visit(&budget, func(e []uint64, off uint64) { t.drop(s, e, off) }) {
			return
		}
		for _, o := range *s.orders.Load() {
			o.abandon(t)
			t.held.Add(-o.bytes() - orderBytes)
		}
		t.held.Add(-scopeBytes)
		t.doomed = slices.Delete(t.doomed, 0, 1)
	}
}

// visit goes on through the scope's entries, from where the last call stopped, for as long as
// budget lasts, and reports whether it reached the end.
func (s *Scope) visit(budget *int, do func(e []uint64, off uint64)) bool {
	for orders := *s.orders.Load(); s.at < len(orders); s.at, s.serial = s.at+1, 0 {
		o := orders[s.at]
		for ; s.serial < o.n.Load(); s.serial++ {
			if *budget == 0 {
				return false
			}
			*budget--
			if off := o.offset(s.serial); off != 0 {
				do(s.t.arena.at(off), off)
			}
		}
	}
	return true
}
