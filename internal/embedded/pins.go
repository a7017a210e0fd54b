package embedded

import (
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
)

// pinSet knows the snapshots of all open read-write transactions.
//
// Named invariant (the memtable asserts it on eviction): a key absent from the memtable has no
// version newer than the snapshot of any open read-write transaction. It is why validation never
// reads the disk. Two rules keep it:
//
//   - a pin takes the published version under mu, so pins lie in the list in version order and the
//     oldest one is its head;
//   - eviction takes its horizon under mu too: every pin taken later is at or above it.
//
// Lock order: mu is a leaf; it may be taken with or without the commit lock.
type pinSet struct {
	published *atomic.Uint64

	mu struct {
		sync.Mutex
		head, tail *pin
		open       int64
		idle       *pin // released ones, by next, for those who come: at most maxIdlePins
		idling     int
	}
}

// pin implements backend.Pin. It holds no reference to its transaction, so that an abandoned one
// can be collected. Once released it is somebody else's.
type pin struct {
	set        *pinSet
	version    uint64
	ended      atomic.Bool // taken away to free memory
	prev, next *pin        // guarded by set.mu
	linked     bool        // guarded by set.mu
}

// maxIdlePins is how many released pins are kept.
const maxIdlePins = 64

func (s *pinSet) acquire() *pin {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.idle
	if p != nil {
		s.mu.idle, p.next = p.next, nil
		s.mu.idling--
	} else {
		p = &pin{set: s}
	}
	p.version = s.published.Load()
	p.prev, p.linked = s.mu.tail, true
	if s.mu.tail != nil {
		s.mu.tail.next = p
	} else {
		s.mu.head = p
	}
	s.mu.tail = p
	s.mu.open++
	return p
}

func (p *pin) Version() uint64 { return p.version }

func (p *pin) Err() error {
	if p.ended.Load() {
		return backend.ErrTxnTooOld
	}
	return nil
}

func (p *pin) Release() {
	p.set.mu.Lock()
	defer p.set.mu.Unlock()
	if !p.linked {
		return // it was taken away, and is left to the garbage collector
	}
	p.set.unlink(p)
	if p.set.mu.idling < maxIdlePins {
		p.next, p.set.mu.idle = p.set.mu.idle, p
		p.set.mu.idling++
	}
}

// unlink takes a pin out of the list. REQUIRES: mu is held.
func (s *pinSet) unlink(p *pin) {
	if !p.linked {
		return
	}
	p.linked = false
	s.mu.open--
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		s.mu.head = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		s.mu.tail = p.prev
	}
	p.prev, p.next = nil, nil
}

// horizon is the version at or below which nothing is needed in memory for validation.
func (s *pinSet) horizon() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.head != nil {
		return s.mu.head.version
	}
	return s.published.Load()
}

// endOldest takes the oldest pins, all of one version, away and reports how many. Pins at the
// published version are left alone: they hold nothing back.
func (s *pinSet) endOldest() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.head == nil || s.mu.head.version >= s.published.Load() {
		return 0
	}
	oldest, n := s.mu.head.version, 0
	for s.mu.head != nil && s.mu.head.version == oldest {
		s.mu.head.ended.Store(true)
		s.unlink(s.mu.head)
		n++
	}
	return n
}

func (s *pinSet) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.open
}
