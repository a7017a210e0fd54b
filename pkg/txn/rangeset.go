package txn

import (
	"cmp"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
)

// dense is the length up to which overlapping ranges are not worth a sort.
const dense = 64

// rangeSet collects the ranges that a Serializable transaction scanned.
//
// Ranges may overlap until they are merged, so that an add costs one append. Invariant: the list is
// at most twice as long as it was after the last merge, or shorter than dense.
type rangeSet struct {
	list  []backend.RangeRead
	limit int // the length at which ranges are merged
}

func (s *rangeSet) add(r backend.RangeRead) {
	n := len(s.list)
	if n > 0 && sameSpace(&s.list[n-1], &r) && s.list[n-1].Range == r.Range {
		return
	}
	if n >= max(s.limit, dense) {
		s.merge()
		s.limit = 2 * len(s.list)
	}
	s.list = append(s.list, r)
}

// merge brings the list into order and makes one range of those that overlap or touch. What is
// validated is the same: every key in any of them.
func (s *rangeSet) merge() {
	if len(s.list) < 2 {
		return
	}
	slices.SortFunc(s.list, func(a, b backend.RangeRead) int {
		return cmp.Or(
			cmp.Compare(a.Scope.Number, b.Scope.Number),
			cmp.Compare(a.Primitive, b.Primitive),
			cmp.Compare(a.Range.Start, b.Range.Start),
		)
	})
	kept := s.list[:1]
	for _, r := range s.list[1:] {
		last := &kept[len(kept)-1]
		switch {
		case !sameSpace(last, &r) || last.Range.End != "" && r.Range.Start > last.Range.End:
			kept = append(kept, r)
		case r.Range.End == "" || last.Range.End != "" && r.Range.End > last.Range.End:
			last.Range.End = r.Range.End
		}
	}
	clear(s.list[len(kept):])
	s.list = kept
}

func sameSpace(a, b *backend.RangeRead) bool {
	return a.Scope.Number == b.Scope.Number && a.Primitive == b.Primitive
}
