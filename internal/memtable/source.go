package memtable

import "sync/atomic"

// source resolves some keys ahead of use. The entries of a scope lie apart, so each costs misses;
// asked for together, and before they are needed, nobody waits for them one by one.
type source struct {
	serials  [BlockSize]uint32
	offs     [BlockSize]uint64
	at, have int
	whole    bool // nothing of it lies beyond the range
}

// nearby is how many words apart entries are that the processor brings near by itself, because they
// lie one behind the other.
const nearby = 64

// firstWidth is how many keys a source resolves at first.
const firstWidth = 16

func (f *source) empty() bool { return f.at == f.have }

// fill makes both sources stand on a key, if they have one left. It returns false when neither has.
func (c *Cursor) fill() bool {
	if c.fromBase.empty() && c.lo < c.hi {
		c.fillBase()
	}
	if !c.fromBase.whole {
		c.trim()
	}
	for c.fromTree.empty() && (len(c.places) > 0 || !c.ended) {
		if len(c.places) == 0 {
			c.loadLeaf()
		} else {
			c.fillTree()
		}
	}
	return !c.fromBase.empty() || !c.fromTree.empty()
}

// fillBase resolves what comes next in the base, up to the end of a chunk of the serials.
func (c *Cursor) fillBase() {
	f := &c.fromBase
	n := min(int(c.hi-c.lo), c.width)
	first, step := c.lo, uint32(1)
	if c.reverse {
		first, step = c.hi-1, ^uint32(0)
		number, at := c.o.place(first)
		n = min(n, at+1)
		chunk := (*c.o.dir.Load())[number][at+1-n : at+1]
		for i := range chunk {
			f.offs[n-1-i] = liveOffset(&chunk[i])
		}
		c.hi -= uint32(n)
	} else {
		number, at := c.o.place(first)
		chunk := (*c.o.dir.Load())[number][at:]
		n = min(n, len(chunk))
		offs := f.offs[:n]
		for i := range offs {
			offs[i] = liveOffset(&chunk[i])
		}
		c.lo += uint32(n)
	}
	for i := range f.serials[:n] {
		f.serials[i] = first
		first += step
	}
	f.whole = c.reverse && c.start == "" || !c.reverse && c.end == ""
	c.expect(f, n)
}

// liveOffset is what serials.offset makes of a serial's word.
func liveOffset(word *uint64) uint64 {
	if off := atomic.LoadUint64(word); off&freeSerial == 0 {
		return off
	}
	return 0
}

// trim ends the base where the range ends. The search for that place would cost a scan as much as
// the one for its beginning; here it is one look per block, at a key that is needed anyway.
func (c *Cursor) trim() {
	f := &c.fromBase
	f.whole = true
	beyond := func(i int) bool {
		e := c.entryAt(f, i)
		if e == nil {
			return false // the walk ends there: the scope is not complete any more
		}
		if c.reverse {
			return keyOf(e) < c.start
		}
		return keyOf(e) >= c.end
	}
	if f.empty() || !beyond(f.have-1) {
		return
	}
	lo, hi := f.at, f.have-1
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); beyond(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	f.have, c.lo = lo, c.hi
}

func (c *Cursor) fillTree() {
	f := &c.fromTree
	n := min(len(c.places), c.width)
	if c.reverse {
		rest := len(c.places) - n
		for i, place := range c.places[rest:] {
			f.serials[n-1-i] = c.leaf.serials[place]
		}
		c.places = c.places[:rest]
	} else {
		for i, place := range c.places[:n] {
			f.serials[i] = c.leaf.serials[place]
		}
		c.places = c.places[n:]
	}
	c.o.offsets(f.serials[:n], f.offs[:n])
	c.expect(f, n)
}

// expect asks for the entries that a source has resolved.
func (c *Cursor) expect(f *source, n int) {
	c.width = min(2*c.width, BlockSize)
	if span := f.offs[n-1] - f.offs[0]; span > uint64(n)*nearby && -span > uint64(n)*nearby {
		c.s.t.arena.ask(f.offs[:n], &c.wanted)
	}
	f.at, f.have = 0, n
}

// entryAt is the entry at a place of a source; nil if it is gone.
func (c *Cursor) entryAt(f *source, i int) []uint64 {
	e := c.s.t.arena.at(f.offs[i])
	if e == nil { // it has moved
		e, f.offs[i] = c.o.entry(c.s.t, f.serials[i])
	}
	return e
}

// entry is the entry in front of a source; nil if it is gone.
func (c *Cursor) entry(f *source) []uint64 { return c.entryAt(f, f.at) }

// front is the source whose key comes first, and the key of the other, if that has one: where the
// other has its turn. It is nil if an entry is gone.
func (c *Cursor) front() (first *source, until string, bounded bool) {
	f, g := &c.fromBase, &c.fromTree
	switch {
	case f.empty():
		return g, "", false
	case g.empty():
		return f, "", false
	}
	a, b := c.entry(f), c.entry(g)
	if a == nil || b == nil {
		return nil, "", false
	}
	x, y := keyOf(a), keyOf(b)
	if (x < y) != c.reverse {
		return f, y, true
	}
	return g, x, true
}
