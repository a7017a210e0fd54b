package txn

import (
	"cmp"
	"slices"
	"sync"

	"github.com/inmem-db/inmem/internal/backend"
)

// readSet collects what a transaction read from its snapshot.
//
// A key may stand in the list more than once, always with the same stamp, for all reads come from
// one snapshot: so an add costs one append, with no lookup. Invariant: the list is at most twice as
// long as the number of different keys, or shorter than denseReads.
type readSet struct {
	list  []backend.Read
	limit int // the length at which duplicates are squeezed out, once it was reached
}

const (
	fewReads   = 8   // up to here a look at all entries is cheaper than a duplicate
	denseReads = 512 // up to here duplicates are not worth a sort
)

func (s *readSet) add(r backend.Read) {
	n := len(s.list)
	if n <= fewReads {
		for i := range s.list {
			if !otherEntry(&s.list[i], &r) && sameRead(&s.list[i], &r) {
				return
			}
		}
	}
	if n >= denseReads && n >= s.limit {
		s.compact()
		s.limit = max(denseReads, 2*len(s.list))
	}
	s.list = append(s.list, r)
}

// compact brings the list into key order, each key once.
func (s *readSet) compact() {
	slices.SortFunc(s.list, func(a, b backend.Read) int {
		return cmp.Or(
			cmp.Compare(a.Scope.Number, b.Scope.Number),
			cmp.Compare(a.Primitive, b.Primitive),
			cmp.Compare(a.Key, b.Key),
		)
	})
	kept := slices.CompactFunc(s.list, func(a, b backend.Read) bool { return sameRead(&a, &b) })
	clear(s.list[len(kept):cap(s.list)])
	s.list = kept
}

// otherEntry tells, at next to no cost, that two reads are of different keys; or of one whose entry
// was moved between them.
func otherEntry(a, b *backend.Read) bool {
	return a.Hint != b.Hint && a.Hint != 0 && b.Hint != 0
}

func sameRead(a, b *backend.Read) bool {
	return a.Key == b.Key && a.Primitive == b.Primitive && a.Scope.Number == b.Scope.Number
}

// buffers are the room that a transaction begins with, handed from one to the next: making and
// clearing it anew took longer than a small transaction's reads. The sets grow out of it if they
// have to.
type buffers struct {
	reads   []backend.Read
	writes  []backend.Write
	request backend.Request
}

const (
	firstReads  = 64
	firstWrites = 8
	keptReads   = 1 << 10 // longer lists are left to the garbage collector
	keptWrites  = 1 << 8
)

var idleBuffers = sync.Pool{New: func() any {
	return &buffers{
		reads:  make([]backend.Read, 0, firstReads),
		writes: make([]backend.Write, 0, firstWrites),
	}
}}

// borrow takes the transaction's buffers into use.
func (t *Tx) borrow() {
	b := idleBuffers.Get().(*buffers)
	t.lent, t.reads.list, t.writes.list = b, b.reads, b.writes
}

// giveBack ends the use of the buffers. Nobody holds them any more: an authority keeps nothing of a
// request, and whoever uses the transaction after this is refused before it looks at its sets.
func (t *Tx) giveBack() {
	b := t.lent
	t.lent = nil
	if b == nil {
		return
	}
	b.reads = emptied(b.reads, t.reads.list, keptReads)
	b.writes = emptied(b.writes, t.writes.list, keptWrites)
	b.request = backend.Request{}
	idleBuffers.Put(b)
}

// emptied is the list as it was used, or as it was lent if that has become too large to keep.
func emptied[T any](lent, used []T, most int) []T {
	if cap(used) > most {
		used = lent[:cap(lent)]
	}
	clear(used)
	return used[:0]
}
