package memtable

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

	// What is left of the order's base: serials lo to below hi, and what of them lies beyond the end
	// of the range. That is found out when it comes.
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
	c.tree, c.hi = c.o.sorted(s)
	switch {
	case !reverse && start != "":
		c.lo = c.o.seek(s, c.hi, start)
	case reverse && end != "":
		c.hi = c.o.seek(s, c.hi, end)
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
