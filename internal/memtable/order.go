package memtable

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// order knows the keys of one primitive of one scope.
//
// serials 0..base-1 were inserted in rising key order: there, serial order is key order and nothing
// else is kept. That covers event logs and counters for ever. Once a key comes out of turn, base is
// frozen and every later key is in the tail. The tail is unsorted until a scan wants it or it
// exceeds lazyTail keys; from then on it is a tree that the writer keeps up, one key at a time.
// A scan merges base and tree.
type order struct {
	serials
	primitive byte
	base      atomic.Uint32 // never behind the published keys but by a tail; ahead by one at most
	tree      atomic.Pointer[tree]
	guide     atomic.Pointer[guide] // of the base

	// building is held by whoever turns the tail into a tree (a scan or the writer), by a scan that
	// makes the guide longer, and by the writer while it adds to a tail that is not a tree yet. It
	// comes last: nobody takes another lock under it. Held for at most the sort of lazyTail keys.
	building sync.Mutex
}

// lazyTail bounds the sort that a scan, or an insertion, may have to do at once.
const lazyTail = 1024

// add publishes a new entry under a reserved serial. Writer.
func (o *order) add(s *Scope, serial uint32, off uint64, key string) {
	if s.state.Load()&stateComplete == 0 {
		o.publish(serial, off) // never scanned: no order to keep
		return
	}
	base := o.base.Load()
	if base == serial && (base == 0 || key > keyOf(s.t.arena.at(o.offset(base-1)))) {
		// The base rises first: a scan that found the key published and the base behind it would
		// take it for a tail, and put into a tree what the base then has, too.
		o.base.Store(serial + 1)
		o.publish(serial, off)
		return
	}
	if tr := o.tree.Load(); tr != nil {
		o.publish(serial, off)
		tr.insert(serial, key)
		return
	}
	o.building.Lock()
	defer o.building.Unlock()
	o.publish(serial, off)
	if tr := o.tree.Load(); tr != nil {
		tr.insert(serial, key)
	} else if serial-base >= lazyTail {
		o.build(s)
	}
}

// sorted returns what a scan merges: the tree, nil if there is no tail, and the length of the base.
// Together they have every key that was published before the call. Any goroutine.
func (o *order) sorted(s *Scope) (tr *tree, base uint32) {
	base = o.base.Load()
	tr = o.tree.Load()
	n := o.n.Load()
	if tr != nil || n <= base {
		return tr, min(base, n) // its last key may not be published yet
	}
	o.building.Lock()
	defer o.building.Unlock()
	base = o.base.Load() // it may have risen; it is frozen while there is a tail
	tr = o.tree.Load()
	n = o.n.Load()
	if tr == nil && n > base {
		tr = o.build(s)
	}
	return tr, min(base, n)
}

// build turns the tail into a tree. It returns nil if the scope is not complete any more, which
// the caller finds out by itself.
//
// REQUIRES: building is held.
func (o *order) build(s *Scope) *tree {
	t := s.t
	base, n := o.base.Load(), o.n.Load()
	items := make([]keyed, 0, n-base)
	for i := base; i < n; i++ {
		e, _ := o.entry(t, i)
		if e == nil {
			return nil
		}
		items = append(items, keyed{keyOf(e), i})
	}
	if !s.Complete() {
		return nil // serials may have been handed out anew; and abandon may have been here
	}
	slices.SortFunc(items, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	tr := newTree(t, o, items)
	o.tree.Store(tr)
	return tr
}

// entry resolves a serial: the words of its entry and their offset, or nil when the entry is gone.
// Any goroutine.
func (o *order) entry(t *Table, serial uint32) ([]uint64, uint64) {
	for {
		off := o.offset(serial)
		if off == 0 {
			return nil, 0
		}
		if e := t.arena.at(off); e != nil {
			return e, off
		}
		// Moved, and its segment dropped, after the load: the serial leads elsewhere by now.
	}
}

// key is the key of a serial that the writer knows to be there.
func (o *order) key(t *Table, serial uint32) string {
	e, _ := o.entry(t, serial)
	if e == nil {
		return ""
	}
	return keyOf(e)
}

// abandon gives tree and guide up: the scope is not complete any more. Writer.
func (o *order) abandon(t *Table) {
	o.building.Lock()
	defer o.building.Unlock()
	if tr := o.tree.Swap(nil); tr != nil {
		t.held.Add(-tr.bytes)
	}
	t.held.Add(-o.guide.Swap(nil).bytes())
}
