package txn

import (
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// ownScan walks a transaction's writes in a range as they were when the scan began, whatever is
// written meanwhile. It copies nothing: entries that are added later have a greater place in the
// list, and of one that is rewritten while scans are open the set keeps what they have to see.
type ownScan struct {
	set        *writeSet // nil: nothing to walk
	from, to   writeKey  // what is left of the range, for finding the place anew
	reverse    bool
	place, end int // what is left of the range, in set.order
	sorted     int // the length of set.order for which place and end hold
	known      int // the length of the list when the scan began
	start      int // set.rewrites when the scan began
	closed     bool
	passed     bool   // key has been passed: the walk goes on behind it
	key        string // the last key that was passed
}

// pastWrite is what an entry held before a rewrite.
type pastWrite struct {
	rewrite int // the number of the rewrite
	write   backend.Write
}

// scan begins a walk over the writes in a range, in the range's direction.
func (s *writeSet) scan(scope codec.Scope, p codec.Primitive, r backend.Range) ownScan {
	if len(s.list) == 0 {
		return ownScan{}
	}
	s.sort()
	s.scans++
	s.lastScan = s.rewrites
	o := ownScan{
		set: s, from: writeKey{scope, p, r.Start}, to: writeKey{scope, p + 1, ""},
		reverse: r.Reverse, known: len(s.list), start: s.rewrites,
	}
	if r.End != "" {
		o.to = writeKey{scope, p, r.End}
	}
	o.locate()
	return o
}

// locate finds the place of what is left, now that the order has that many entries.
func (o *ownScan) locate() {
	s := o.set
	o.place, o.end, o.sorted = s.search(o.from), s.search(o.to), len(s.order)
	if !o.passed {
		return
	}
	at := writeKey{o.from.scope, o.from.primitive, o.key}
	if o.reverse {
		o.end = s.search(at)
	} else {
		o.place = s.search(at) + 1 // the key stands there: nothing ever leaves the order
	}
}

// peek is the write that comes next, or nil. It is good until the next put.
func (o *ownScan) peek() *backend.Write {
	s := o.set
	if s == nil || o.closed {
		return nil
	}
	if o.sorted != len(s.order) {
		o.locate()
	}
	for o.place < o.end {
		i := s.order[o.place]
		if o.reverse {
			i = s.order[o.end-1]
		}
		if int(i) < o.known {
			return s.seenAt(i, o.start)
		}
		o.step()
	}
	return nil
}

// skip passes the write that peek shows.
func (o *ownScan) skip() {
	if w := o.peek(); w != nil {
		o.key, o.passed = w.Key, true
		o.step()
	}
}

func (o *ownScan) step() {
	if o.reverse {
		o.end--
	} else {
		o.place++
	}
}

// close lets the set forget what it keeps for this scan, once no other needs it.
func (o *ownScan) close() {
	if o.set == nil || o.closed {
		return
	}
	o.closed = true
	if o.set.scans--; o.set.scans <= 0 {
		o.set.scans, o.set.past = 0, nil
	}
}

// keep saves an entry that is about to be rewritten, if an open scan has yet to see it as it is:
// one that began after the entry's last rewrite that was kept.
func (s *writeSet) keep(i int32) {
	if s.scans == 0 {
		return
	}
	past := s.past[i]
	if n := len(past); n > 0 && past[n-1].rewrite >= s.lastScan {
		return
	}
	if s.past == nil {
		s.past = map[int32][]pastWrite{}
	}
	s.past[i] = append(past, pastWrite{rewrite: s.rewrites, write: s.list[i]})
	s.rewrites++
}

// seenAt is entry i for a scan that began at rewrite number start.
func (s *writeSet) seenAt(i int32, start int) *backend.Write {
	past := s.past[i]
	for j := range past {
		if past[j].rewrite >= start {
			return &past[j].write
		}
	}
	return &s.list[i]
}
