package embedded

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// rangeGroup is all that a request read by range of one primitive of one scope. The write log of
// the scope is walked once per group, under the commit lock, whatever the number of ranges.
type rangeGroup struct {
	scope     *backend.Scope
	primitive codec.Primitive
	spans     []backend.Range // sorted, disjoint
}

// groupRanges sorts and merges the ranges of a request. It is done before the lock.
func groupRanges(reads []backend.RangeRead) []rangeGroup {
	if len(reads) == 0 {
		return nil
	}
	sorted := slices.Clone(reads)
	slices.SortFunc(sorted, func(a, b backend.RangeRead) int {
		return cmp.Or(cmp.Compare(a.Scope.Number, b.Scope.Number),
			cmp.Compare(a.Primitive, b.Primitive), strings.Compare(a.Range.Start, b.Range.Start))
	})
	var groups []rangeGroup
	for _, r := range sorted {
		n := len(groups) - 1
		if n < 0 || groups[n].scope.Number != r.Scope.Number || groups[n].primitive != r.Primitive {
			groups = append(groups, rangeGroup{scope: r.Scope, primitive: r.Primitive})
			n++
		}
		groups[n].add(r.Range)
	}
	return groups
}

// add merges a range that starts at or behind all before it.
func (g *rangeGroup) add(r backend.Range) {
	if r.End != "" && r.Start >= r.End {
		return // nothing lies in it
	}
	if n := len(g.spans) - 1; n >= 0 {
		last := &g.spans[n]
		if last.End == "" {
			return
		}
		if r.Start <= last.End {
			if r.End == "" || r.End > last.End {
				last.End = r.End
			}
			return
		}
	}
	g.spans = append(g.spans, backend.Range{Start: r.Start, End: r.End})
}

// contains tells whether a key lies in one of the ranges.
func (g *rangeGroup) contains(key string) bool {
	behind := sort.Search(len(g.spans), func(i int) bool { return g.spans[i].Start > key })
	return behind > 0 && g.spans[behind-1].Contains(key)
}

// check adds every key of the ranges that was written after the request's pin. REQUIRES: the commit
// lock.
func (g *rangeGroup) check(p *plan, failed []backend.Conflict) []backend.Conflict {
	st := p.db.state(g.scope)
	if st == nil || p.req.Pin == nil || len(g.spans) == 0 {
		return failed
	}
	at, start, end := p.req.Pin.Version(), g.spans[0].Start, g.spans[len(g.spans)-1].End
	st.mem.WritesSince(at, byte(g.primitive), start, end, func(key string, stamp uint64) bool {
		if g.contains(key) {
			failed = append(failed, backend.Conflict{
				Scope: g.scope.Number, Primitive: g.primitive,
				Key: strings.Clone(key), // it would hold on to a whole segment of the memtable
				// Expected is the version at which the range was as it was read.
				Expected: at, Found: stamp,
			})
		}
		return true
	})
	return failed
}
