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
	limit int             // the length at which duplicates are squeezed out
	kept  *[]backend.Read // whose memory the list began with
}

const (
	fewReads   = 8   // up to here a look at all entries is cheaper than a duplicate
	denseReads = 512 // up to here duplicates are not worth a sort
	keptReads  = 1 << 10
)

// readLists has empty lists that transactions have given back, of at most keptReads.
var readLists = sync.Pool{New: func() any {
	list := make([]backend.Read, 0, denseReads/8)
	return &list
}}

func (s *readSet) add(r backend.Read) {
	n := len(s.list)
	if n <= fewReads {
		for i := range s.list {
			if !otherEntry(&s.list[i], &r) && sameRead(&s.list[i], &r) {
				return
			}
		}
	}
	if s.kept == nil {
		s.kept = readLists.Get().(*[]backend.Read)
		s.list, s.limit = *s.kept, denseReads
	}
	if n == s.limit {
		s.compact()
		s.limit = max(denseReads, 2*len(s.list))
	}
	s.list = append(s.list, r)
}

// drop forgets all reads. Nobody holds the list any more.
func (s *readSet) drop() {
	if s.kept != nil && cap(s.list) <= keptReads {
		clear(s.list)
		*s.kept = s.list[:0]
		readLists.Put(s.kept)
	}
	*s = readSet{}
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
