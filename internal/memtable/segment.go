package memtable

import (
	"sync/atomic"
	"unsafe"
)

// An offset names a word of the arena: the segment's number above, the word inside it below. Only
// the start of an item is ever named, so a segment with a single large item may be longer than
// 1<<shift words. 48 bits of words are 2 PiB written over the life of a table: offsets are not
// reused within it.
const (
	offsetBits = 48
	offsetMask = 1<<offsetBits - 1

	minSegmentSize     = 4 << 10
	maxSegmentSize     = 64 << 20
	defaultSegmentSize = 1 << 20
)

// segment is a piece of the arena. Readers use number and words only; words[i] is immutable once
// an offset that leads to it was published, but for the two words of an entry that change.
type segment struct {
	number uint64
	words  []uint64

	// The writer's:
	used   int    // words handed out
	live   int    // words of entries and of their newest records
	oldest uint64 // no entry with its newest record here has a smaller version
}

// worthwhile reports whether enough of the segment is garbage to move the rest.
func (g *segment) worthwhile() bool { return (len(g.words)-g.live)*4 >= len(g.words) }

func (g *segment) bytes() int64 { return int64(len(g.words)) * 8 }

// directory finds segments by number: a ring, so that it need not grow with the numbers. A number
// is only given out when its place is free, and doubling the ring keeps places apart.
type directory struct {
	mask  uint64
	slots []atomic.Pointer[segment]
}

// arena hands out word ranges in append order and forgets whole segments.
type arena struct {
	dir   atomic.Pointer[directory]
	shift uint   // log2 of the words of a segment
	low   uint64 // 1<<shift - 1
	held  *atomic.Int64

	// The writer's:
	head  *segment // where items are appended; never a victim, nil before the first
	next  uint64   // the next number to try, from 1: offset 0 means none
	count int      // segments in the directory
}

func (a *arena) init(size int, held *atomic.Int64) {
	if size <= 0 {
		size = defaultSegmentSize
	}
	size = min(max(size, minSegmentSize), maxSegmentSize)
	for a.shift = 9; 8<<a.shift < size; a.shift++ {
	}
	a.low = 1<<a.shift - 1
	a.held = held
	a.next = 1
	a.dir.Store(&directory{mask: 15, slots: make([]atomic.Pointer[segment], 16)})
}

// at returns the words from an offset on, or nil when the segment is gone. Any goroutine.
func (a *arena) at(off uint64) []uint64 {
	d := a.dir.Load()
	n := off >> a.shift
	g := d.slots[n&d.mask].Load()
	if g == nil || g.number != n {
		return nil
	}
	return g.words[off&a.low:]
}

// ask has the processor bring the beginnings of some entries near, without waiting for them: the
// head, a key of common length and the record after it. places is room for their addresses.
func (a *arena) ask(offs []uint64, places *[BlockSize]uintptr) {
	d := a.dir.Load()
	n := 0
	var words []uint64 // of the segment of the entry before
	last := ^uint64(0)
	shift, low := a.shift&63, a.low
	for _, off := range offs {
		number := off >> shift
		if number != last {
			g := d.slots[number&d.mask].Load()
			if g == nil || g.number != number {
				continue
			}
			words, last = g.words, number
		}
		places[n&(BlockSize-1)] = uintptr(unsafe.Pointer(&words[off&low]))
		n++
	}
	if n > 0 {
		prefetch(places, n)
	}
}

func (a *arena) segment(off uint64) *segment {
	d := a.dir.Load()
	n := off >> a.shift
	g := d.slots[n&d.mask].Load()
	if g == nil || g.number != n {
		return nil
	}
	return g
}

// alloc hands out n words and counts them as live. version is the one of the newest record that
// goes into them.
func (a *arena) alloc(n int, version uint64) (uint64, []uint64) {
	g := a.head
	switch {
	case a.large(n):
		g = a.grow(n)
	case g == nil || g.used+n > len(g.words):
		a.seal()
		g = a.grow(1 << a.shift)
		a.head = g
	}
	at := g.used
	g.used += n
	g.live += n
	g.oldest = min(g.oldest, version)
	return g.number<<a.shift | uint64(at), g.words[at : at+n : at+n]
}

// large reports whether n words get a segment of their own.
func (a *arena) large(n int) bool { return n > 1<<a.shift/4 }

// seal ends the head: from now on it may be cleaned or given back.
func (a *arena) seal() {
	g := a.head
	a.head = nil
	if g != nil && g.live == 0 {
		a.release(g)
	}
}

func (a *arena) grow(words int) *segment {
	d := a.dir.Load()
	if a.count*2 >= len(d.slots) {
		d = a.double(d)
	}
	for d.slots[a.next&d.mask].Load() != nil {
		a.next++
	}
	g := &segment{number: a.next, words: make([]uint64, words), oldest: ^uint64(0)}
	a.next++
	a.count++
	a.held.Add(g.bytes())
	d.slots[g.number&d.mask].Store(g)
	return g
}

func (a *arena) double(d *directory) *directory {
	n := uint64(len(d.slots)) * 2
	bigger := &directory{mask: n - 1, slots: make([]atomic.Pointer[segment], n)}
	for i := range d.slots {
		if g := d.slots[i].Load(); g != nil {
			bigger.slots[g.number&bigger.mask].Store(g)
		}
	}
	a.dir.Store(bigger)
	return bigger
}

// free counts n words at off as dead and gives the segment back once nothing in it lives.
//
// REQUIRES: what led a reader to these words has been pointed elsewhere. A reader that was led
// there before finds the segment gone and looks again.
func (a *arena) free(off uint64, n int) {
	g := a.segment(off)
	g.live -= n
	if g.live == 0 && g != a.head {
		a.release(g)
	}
}

// release drops the directory's hold on a segment. Its memory is left to the garbage collector,
// because values that were handed out may still point into it.
func (a *arena) release(g *segment) {
	d := a.dir.Load()
	if d.slots[g.number&d.mask].Load() != g {
		return
	}
	d.slots[g.number&d.mask].Store(nil)
	a.count--
	a.held.Add(-g.bytes())
}
