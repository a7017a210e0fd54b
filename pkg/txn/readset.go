package txn

import (
	"cmp"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
)

// readSet collects what a transaction read from its snapshot.
//
// A key may stand in the list more than once, always with the same stamp, for all reads come from
// one snapshot: so an add costs one append, with no lookup. Invariant: the list is at most twice as
// long as the number of different keys, or shorter than dense.
type readSet struct {
	list   []backend.Read
	limit  int // the length at which duplicates are squeezed out
	inline [4]backend.Read
}

const (
	fewReads = 8  // up to here a look at all entries is cheaper than a duplicate
	dense    = 64 // up to here duplicates are not worth a sort
)

func (s *readSet) add(r backend.Read) {
	n := len(s.list)
	if n <= fewReads {
		for i := range s.list {
			if sameRead(&s.list[i], &r) {
				return
			}
		}
	}
	if n == 0 {
		s.list, s.limit = s.inline[:0], dense
	}
	if n == s.limit {
		s.compact()
		s.limit = max(dense, 2*len(s.list))
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

func sameRead(a, b *backend.Read) bool {
	return a.Key == b.Key && a.Primitive == b.Primitive && a.Scope.Number == b.Scope.Number
}
