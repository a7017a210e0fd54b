package vectors

import (
	"math"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// tolerance is how far a score may be from the one that is computed here: the order of additions
// may be another, nothing else.
const tolerance = 1e-4

// leastRecall is the recall@10 at the default width, and with any filter, below which an answer is
// not approximate but wrong.
const leastRecall = 0.9

// exam holds answers against the true ones and counts the recall. It belongs to one trial.
type exam struct {
	set     *set
	truth   [][]neighbour
	allowed func(row int) bool
	least   float64 // recall below which the whole is wrong

	found, expected int
}

// hit is what a search returned.
type hit struct {
	id    string
	score float32
}

// check looks at the answer to a query: as many hits as there can be, in order, allowed, with their
// true scores. Which of several rows of nearly one score are among the hits does not matter: a hit
// counts if it is as near as the last true one.
func (e *exam) check(query int, hits []hit) error {
	truth := e.truth[query]
	if len(hits) != len(truth) {
		return measure.Wrongf("query %d: %d hits, there are %d rows to find", query, len(hits),
			len(truth))
	}
	seen := make(map[int]bool, len(hits))
	for i, h := range hits {
		row, err := e.set.rowOf(h.id)
		if err != nil {
			return err
		}
		want := e.set.score(e.set.queries[query], row)
		switch {
		case seen[row]:
			return measure.Wrongf("query %d: row %d is there twice", query, row)
		case e.allowed != nil && !e.allowed(row):
			return measure.Wrongf("query %d: row %d does not pass the filter", query, row)
		case i > 0 && h.score > hits[i-1].score:
			return measure.Wrongf("query %d: hit %d is better than the one before it", query, i)
		case !near(h.score, want):
			return measure.Wrongf("query %d: score %v of row %d, expected %v", query, h.score, row, want)
		}
		seen[row] = true
		if last := truth[len(truth)-1].score; want >= last || near(want, last) {
			e.found++
		}
	}
	e.expected += len(truth)
	return nil
}

// near compares two scores.
func near(a, b float32) bool {
	return math.Abs(float64(a)-float64(b)) <= tolerance*math.Max(math.Abs(float64(b)), 1)
}

// recall is the share of the true neighbours that were found.
func (e *exam) recall() float64 {
	if e.expected == 0 {
		return 1
	}
	return float64(e.found) / float64(e.expected)
}

// verdict ends a trial. The recall of few queries says too little to fail.
func (e *exam) verdict() error {
	if r := e.recall(); r < e.least && e.expected >= 50*depth {
		return measure.Wrongf("recall@%d is %.3f, expected at least %.2f", depth, r, e.least)
	}
	return nil
}

// metric is the recall as a figure of the report.
func (e *exam) metric() measure.Metric {
	return measure.Metric{Name: measure.Recall, Unit: "%", Value: 100 * e.recall()}
}
