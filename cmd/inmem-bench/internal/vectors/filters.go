package vectors

import (
	"github.com/inmem-db/inmem/pkg/vector"
)

// filter is one that workloads search with.
type filter struct {
	name, about string
	filter      *vector.Filter
	allowed     func(s *set) func(row int) bool
}

// filters are those of the bars: half of the rows, a tenth, a hundredth, all by chance; and a tenth
// that lies together, far from most queries, which only a set with clusters has: it is the last.
var filters = []filter{
	byChance("50_percent", "half of the rows", 50),
	byChance("10_percent", "a tenth of the rows", 10),
	byChance("1_percent", "a hundredth of the rows", 1),
	{"10_percent_corr", "a tenth that lies together", vector.Eq("area", 3),
		func(s *set) func(int) bool {
			return func(row int) bool { return s.areas[row] == 3 }
		}},
}

func byChance(name, about string, below int) filter {
	return filter{name: name, about: about, filter: vector.Lt("class", below),
		allowed: func(s *set) func(int) bool {
			return func(row int) bool { return int(s.classes[row]) < below }
		}}
}

// filtersOf are those that a source can be asked with.
func filtersOf(src source) []filter {
	if src.filed {
		return filters[:len(filters)-1]
	}
	return filters
}

// truths are the exact answers by the name of the filter, "" for none, each computed once.
type truths map[string][][]neighbour

func (t truths) of(s *set, by *filter) [][]neighbour {
	name, allowed := "", func(int) bool { return true }
	if by != nil {
		name, allowed = by.name, by.allowed(s)
	}
	if t[name] == nil {
		t[name] = s.truth(allowed)
	}
	return t[name]
}
