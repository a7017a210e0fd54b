package memtable

import (
	"sort"
)

// Cursor walks the keys of a range at one version. It is not safe for concurrent use, but any
// number of cursors may be open, beside each other and beside the writer. A new cursor stands
// before the first key.
type Cursor struct {
	s          *Scope
	o          *order // nil: no key of the primitive was ever inserted
	tree       *tree
	start, end string
	at         uint64
	reverse    bool
	all        bool // tombstones are not passed over
	partial    bool
	done       bool

	// What is left of the order's base: serials lo to below hi.
	lo, hi             uint32
	fromBase, fromTree source

	// What is left of the current leaf, in key order, and how to go on after it.
	leaf   *leaf
	places []uint16
	width  int    // how many keys a source resolves the next time
	bound  string // forward: lower bound of the next leaf; reverse: lower bound of this leaf
	ended  bool   // no leaf follows

	key string
	ref Ref
	// What most records are, and whether this one is: nothing but a version and a value. Then rec
	// is not filled before somebody asks.
	version uint64
	value   []byte
	plain   bool
	rec     Record
	buf     [leafMax + leafMax/8]uint16
	wanted  [BlockSize]uintptr // room for ask
}

// source resolves some keys ahead of use. The entries of a scope lie apart, so each costs misses;
// asked for together, and before they are needed, nobody waits for them one by one.
type source struct {
	serials  [BlockSize]uint32
	offs     [BlockSize]uint64
	at, have int
}

// firstWidth is how many keys a source resolves at first.
const firstWidth = 16

func (f *source) empty() bool { return f.at == f.have }

// Scan walks the keys start <= key < end of a primitive at version at, backwards if reverse; end ""
// is no bound. Tombstones and known absences are passed over. It answers for complete scopes; for
// others the cursor is Partial from the start. Memory: one cursor; keys and values stay in place.
// Any goroutine.
func (s *Scope) Scan(p byte, start, end string, reverse bool, at uint64) *Cursor {
	c := new(Cursor)
	c.Scan(s, p, start, end, reverse, at)
	return c
}

// Scan is Scope.Scan with a cursor that is new, or closed, and then used again: it is large.
func (c *Cursor) Scan(s *Scope, p byte, start, end string, reverse bool, at uint64) {
	c.s, c.start, c.end, c.at, c.reverse, c.all = s, start, end, at, reverse, false
	c.partial, c.done, c.ended = false, false, true
	c.lo, c.hi, c.bound = 0, 0, ""
	c.width = firstWidth
	c.o = s.order(p)
	if !s.Complete() {
		c.stop()
		return
	}
	if c.o == nil || end != "" && start >= end {
		return
	}
	var base uint32
	c.tree, base = c.o.sorted(s)
	if start != "" {
		c.lo = c.searchBase(0, base, start)
	}
	c.hi = base
	if end != "" {
		c.hi = c.gallop(c.lo, base, end)
	}
	if c.tree != nil {
		c.ended = false
		c.bound = start
		if reverse {
			c.bound = end
		}
	}
}

// ScanAll is Scan, but for tombstones, which are yielded too: for a scope whose keys hide those of
// another.
func (c *Cursor) ScanAll(s *Scope, p byte, start, end string, reverse bool, at uint64) {
	c.Scan(s, p, start, end, reverse, at)
	c.all = true
}

// searchBase returns the first serial of the base from lo to below hi whose key is not below key;
// hi if there is none.
func (c *Cursor) searchBase(lo, hi uint32, key string) uint32 {
	return lo + uint32(sort.Search(int(hi-lo), func(i int) bool {
		return c.o.key(c.s.t, lo+uint32(i)) >= key
	}))
}

// gallop is searchBase for what is probably near lo: most ranges are short.
func (c *Cursor) gallop(lo, hi uint32, key string) uint32 {
	for step := uint32(16); hi-lo > step; step *= 4 {
		if c.o.key(c.s.t, lo+step) >= key {
			return c.searchBase(lo, lo+step, key)
		}
		lo += step + 1
	}
	return c.searchBase(lo, hi, key)
}

// Next moves on and reports whether there is a key. After false it stays false.
func (c *Cursor) Next() bool {
	for !c.done && c.fill() {
		f, _, _ := c.front()
		if f == nil {
			break
		}
		e := c.entry(f) // may change the offset
		if e == nil {
			break
		}
		off, serial := f.offs[f.at], f.serials[f.at]
		f.at++
		if v, value, ok := c.s.t.arena.plain(e, off, c.at); ok && c.s.Complete() {
			c.key, c.ref = keyOf(e), Ref(off)
			c.version, c.value, c.plain = v, value, true
			return true
		}
		c.plain = false
		ans, stale := c.s.t.arena.read(e, off, c.at, &c.rec)
		for stale {
			if e, off = c.o.entry(c.s.t, serial); e == nil {
				break
			}
			ans, stale = c.s.t.arena.read(e, off, c.at, &c.rec)
		}
		// The mark is read after the entry: as long as it says complete, nothing was evicted
		// before the reads above, so they were of the right entry and no key was missed.
		if !c.s.Complete() || ans == Unknown {
			c.stop()
			return false
		}
		if ans == Found && (c.all || !c.rec.Deleted) && c.rec.Version != 0 {
			c.key, c.ref = keyOf(e), Ref(off)
			return true
		}
		c.rec = Record{}
	}
	if !c.done && !c.s.Complete() {
		c.stop()
	}
	c.done = true
	return false
}

// stop ends the cursor because memory cannot tell what follows.
func (c *Cursor) stop() {
	c.partial, c.done = true, true
	c.rec, c.value, c.plain = Record{}, nil, false
}

// Key is the key under the cursor; it aliases the arena as values do.
//
// REQUIRES: the last Next was true. After a false Next it stays the last key, "" if there was none.
func (c *Cursor) Key() string { return c.key }

// Ref is the position of the entry under the cursor, as Get tells it. REQUIRES: the last Next was
// true.
func (c *Cursor) Ref() Ref { return c.ref }

// Record is the record under the cursor, good until the next Next or Close. REQUIRES: the last Next
// was true.
func (c *Cursor) Record() *Record {
	if c.plain {
		c.rec = Record{Version: c.version, Stamp: c.version, Value: c.value}
	}
	return &c.rec
}

// Plain is the version and the value of the record under the cursor, if there is no more to say of
// it: it exists, without a deadline. REQUIRES: the last Next was true.
func (c *Cursor) Plain() (version uint64, value []byte, ok bool) {
	return c.version, c.value, c.plain
}

// Partial reports, after Next was false, that memory could not answer for the rest of the range:
// the scope lost entries to eviction or was dropped while the cursor was open, or was never
// complete, or a key's versions at the cursor's snapshot are not in memory any more. Everything
// yielded is right and nothing was left out before it; what follows Key must come from the store.
func (c *Cursor) Partial() bool { return c.partial }

// Close lets go of everything the cursor holds. It may be called twice.
func (c *Cursor) Close() {
	c.done = true
	c.s, c.o, c.start, c.end, c.bound = nil, nil, "", "", ""
	c.tree, c.leaf, c.places = nil, nil, nil
	c.fromBase.at, c.fromBase.have = 0, 0
	c.fromTree.at, c.fromTree.have = 0, 0
	c.key, c.rec, c.value, c.plain = "", Record{}, nil, false
}

// fill makes both sources stand on a key, if they have one left. It returns false when neither has.
func (c *Cursor) fill() bool {
	if c.fromBase.empty() && c.lo < c.hi {
		c.fillBase()
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

func (c *Cursor) fillBase() {
	f := &c.fromBase
	n := min(int(c.hi-c.lo), c.width)
	if c.reverse {
		for i := range f.serials[:n] {
			f.serials[i] = c.hi - 1 - uint32(i)
		}
		c.hi -= uint32(n)
	} else {
		for i := range f.serials[:n] {
			f.serials[i] = c.lo + uint32(i)
		}
		c.lo += uint32(n)
	}
	c.resolve(f, n)
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
	c.resolve(f, n)
}

// resolve finds the entries of the first n serials of a source and asks for them.
func (c *Cursor) resolve(f *source, n int) {
	c.width = min(2*c.width, BlockSize)
	c.o.offsets(f.serials[:n], f.offs[:n])
	c.s.t.arena.ask(f.offs[:n], &c.wanted)
	f.at, f.have = 0, n
}

// entry is the entry in front of a source; nil if it is gone.
func (c *Cursor) entry(f *source) []uint64 {
	e := c.s.t.arena.at(f.offs[f.at])
	if e == nil { // it has moved
		e, f.offs[f.at] = c.o.entry(c.s.t, f.serials[f.at])
	}
	return e
}

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

// loadLeaf goes on to the next leaf and trims it to the range.
func (c *Cursor) loadLeaf() {
	t := c.s.t
	var upper string
	if c.reverse {
		c.leaf, c.bound = c.tree.leafBelow(c.bound)
		c.ended = c.bound == "" || c.bound <= c.start
	} else {
		c.leaf, _, upper = c.tree.leafAt(c.bound)
		c.bound = upper
		c.ended = upper == "" || c.end != "" && upper >= c.end
	}
	c.places = c.buf[:c.leaf.ordered(t, c.o, &c.buf)]
	if c.end != "" {
		c.places = c.places[:c.leaf.search(t, c.o, c.places, c.end)]
	}
	c.places = c.places[c.leaf.search(t, c.o, c.places, c.start):]
}
