package memtable

import (
	"sync/atomic"
	"unsafe"
)

// Bits of a scope's state. Complete is only ever taken away, and dropping takes it away too.
const (
	stateComplete = 1 << iota
	stateDropped
	stateCold
)

// Scope is a run, a shared namespace or the system scope: one key space with an order per
// primitive. Methods say whether they are the writer's or anybody's.
type Scope struct {
	t         *Table
	id        uint64 // never given out twice, so a scope cannot see what another left behind
	number    uint64
	state     atomic.Uint32
	lastWrite atomic.Uint64
	keys      atomic.Int64
	orders    atomic.Pointer[[]*order] // few; copied when one is added

	// The writer's:
	evicted uint64 // greatest version that was ever in an entry that is gone: see Admit
	lastLog uint64 // position of the scope's newest record in the write log
	at      int    // how far the removal of all entries has come: index into orders...
	serial  uint32 // ...and serial there
	coldAt  int    // index in the table's list of cold scopes, plus 1
	pinned  uint64 // least newest version that kept an entry of a cold scope from eviction
}

// NewScope adds a scope. complete promises that every key of it that exists in the store will have
// been given to Apply or Admit before any reader gets hold of the scope: for a new run there are
// none. number is for messages only; two scopes of one number share nothing. Writer.
func (t *Table) NewScope(number uint64, complete bool) *Scope {
	t.reap(reapBatch)
	t.lastID++
	s := &Scope{t: t, id: t.lastID, number: number}
	if complete {
		s.state.Store(stateComplete)
	} else {
		// Its keys may have been written before now, by whoever: what was read from the store at
		// an older version need not be the newest.
		s.evicted = t.newest
	}
	s.orders.Store(new([]*order))
	t.scopes[s.id] = s
	t.held.Add(scopeBytes)
	return s
}

const (
	scopeBytes = int64(unsafe.Sizeof(Scope{})) + 64
	orderBytes = int64(unsafe.Sizeof(order{})) + 64
)

// DropScope removes a scope with all its entries. Readers that hold it get Unknown from now on,
// open cursors end Partial. Memory comes back in bounded pieces: here, in Evict, Forget, NewScope.
// Dropping twice does nothing. Writer.
func (t *Table) DropScope(s *Scope) {
	if t.scopes[s.id] != s {
		return
	}
	s.state.Store(stateDropped)
	delete(t.scopes, s.id)
	t.warm(s)
	s.at, s.serial = 0, 0
	t.doomed = append(t.doomed, s)
	t.reap(reapBatch)
}

// Complete reports whether a key that is not in memory does not exist. Any goroutine; a reader
// that looked a key up asks after it missed.
func (s *Scope) Complete() bool { return s.state.Load()&stateComplete != 0 }

// LastWrite is the version of the newest write: puts and deletes, not expiry tombstones, not what
// was admitted from the store. 0: none since the scope was made. One load, any goroutine.
func (s *Scope) LastWrite() uint64 { return s.lastWrite.Load() }

// Keys is the number of entries of the scope. Any goroutine.
func (s *Scope) Keys() int64 { return s.keys.Load() }

// Cold reports whether MarkCold was called. Any goroutine.
func (s *Scope) Cold() bool { return s.state.Load()&stateCold != 0 }

// MarkCold makes the scope's entries the first to be evicted: for runs that have ended. Writer.
func (s *Scope) MarkCold() {
	if s.state.Load()&(stateCold|stateDropped) != 0 {
		return
	}
	s.state.Or(stateCold)
	s.t.cold = append(s.t.cold, s)
	s.coldAt = len(s.t.cold)
}

// lose takes the promise away that a miss is an absence. Whoever is about to remove an entry calls
// it first. The orders are of no use from then on, since only complete scopes are scanned.
func (s *Scope) lose() {
	if s.state.Load()&stateComplete == 0 {
		return
	}
	s.state.And(^uint32(stateComplete))
	for _, o := range *s.orders.Load() {
		o.abandon(s.t)
	}
}

// order returns the order of a primitive, or nil. Any goroutine.
func (s *Scope) order(p byte) *order {
	for _, o := range *s.orders.Load() {
		if o.primitive == p {
			return o
		}
	}
	return nil
}

func (s *Scope) makeOrder(p byte) *order {
	if o := s.order(p); o != nil {
		return o
	}
	o := &order{primitive: p, serials: serials{held: &s.t.held}}
	old := *s.orders.Load()
	list := make([]*order, 0, len(old)+1)
	list = append(append(list, old...), o)
	s.orders.Store(&list)
	s.t.held.Add(orderBytes)
	return o
}
