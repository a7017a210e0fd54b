package memtable

import (
	"sync/atomic"
)

// walk calls do for every living entry that has its newest record in a segment: the entry, which
// may lie elsewhere, its offset, its newest record's, and the words that both take up here. do may
// drop or move the entry.
func (t *Table) walk(g *segment, do func(e []uint64, off, record uint64, size int)) {
	base := g.number << t.arena.shift
	for i := 0; i < g.used; {
		w, off := g.words[i:], base|uint64(i)
		if w[0]&recordMark == 0 {
			n := entrySize(w[entryIdent])
			size := n + recordLen(w[n:])
			i += size
			if !isDead(w) && w[entryHead] == off+uint64(n) {
				do(w, off, w[entryHead], size)
			}
			continue
		}
		size := 1 + recordLen(w[1:])
		i += size
		owner := w[0] &^ recordMark
		e := t.arena.at(owner)
		if e != nil && !isDead(e) && e[entryHead] == off+1 {
			do(e, owner, off+1, size)
		}
	}
}

// compact moves what lives in a segment to the head, if that makes a quarter of it or more free,
// and returns the bytes gained. The segment is given back when the last of it has moved.
func (t *Table) compact(g *segment) int64 {
	gain := len(g.words) - g.live
	if !g.worthwhile() {
		return 0
	}
	if g.live == 0 {
		return int64(gain) * 8 // given back already
	}
	t.walk(g, func(e []uint64, off, record uint64, _ int) {
		if t.arena.segment(off) == g {
			t.moveEntry(e, off, record)
		} else {
			t.moveRecord(e, off, record)
		}
	})
	t.moveHeaders(g)
	return int64(gain) * 8
}

// moveHeaders moves the living entries that have been overwritten since: their newest record lies
// elsewhere, and goes with them.
func (t *Table) moveHeaders(g *segment) {
	base := g.number << t.arena.shift
	for i := 0; i < g.used && g.live > 0; {
		w, off := g.words[i:], base|uint64(i)
		if w[0]&recordMark != 0 {
			i += 1 + recordLen(w[1:])
			continue
		}
		n := entrySize(w[entryIdent])
		i += n + recordLen(w[n:])
		if !isDead(w) {
			t.moveEntry(w, off, w[entryHead])
		}
	}
}

// moveEntry copies an entry with its newest record, unless that is large, leads order and index to
// the copy, and leaves the original dead but readable. Older versions stay where they are: the
// chain ends where their segment is gone.
func (t *Table) moveEntry(e []uint64, off, record uint64) {
	r := t.arena.at(record)
	n, size := entrySize(e[entryIdent]), recordLen(r)
	item := t.recordItem(e, off, record)
	apart := t.arena.large(n + size)
	if apart {
		size = recordTail // as in create
	}
	to, w := t.arena.alloc(n+size, r[recordVersion])
	copy(w, e[:n])
	if apart {
		t.arena.free(to+uint64(n), size)
		t.arena.at(record - 1)[0] = recordMark | to
	} else {
		copy(w[n:], r[:size])
		w[entryHead] = to + uint64(n)
	}
	h := t.hashOf(e)
	b, slot := t.locate(h, off)
	s := t.scope(e)
	s.order(identPrimitive(e[entryIdent])).set(uint32(e[entrySerial]), to)
	repoint(b, slot, to)
	atomic.StoreUint64(&e[entryStamp], dead)
	t.arena.free(off, n)
	switch {
	case !apart:
		t.arena.free(record, item)
	case !t.arena.large(item): // else it has a segment of its own, and stays
		t.moveRecord(w, to, record)
	}
}

// moveRecord copies an entry's newest record when the entry itself lies in another segment.
func (t *Table) moveRecord(e []uint64, off, record uint64) {
	r := t.arena.at(record)
	size := recordLen(r)
	to, w := t.arena.alloc(1+size, r[recordVersion])
	w[0] = recordMark | off
	copy(w[1:], r[:size])
	atomic.StoreUint64(&e[entryHead], to+1)
	t.arena.free(record, 1+size)
}

// scope finds the scope of a living entry, dropped ones included.
func (t *Table) scope(e []uint64) *Scope {
	id := identScope(e[entryIdent])
	if s := t.scopes[id]; s != nil {
		return s
	}
	for _, s := range t.doomed {
		if s.id == id {
			return s
		}
	}
	return nil
}
