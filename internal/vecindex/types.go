package vecindex

import (
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Collection names a collection of a scope, as its record at the version of a search describes it.
type Collection struct {
	// Scope is the run or shared namespace.
	Scope *backend.Scope
	// Prefix is the user key of the collection's record under codec.Vectors; the keys of its rows
	// are Prefix and the id, and no other keys begin with it.
	Prefix string
	// Incarnation is the version of the record: a collection that was dropped and made again is
	// another one.
	Incarnation uint64
	// Config is what the record says of the index: Dim, Metric, Kind, M, EfConstruction.
	Config vector.Config
}

// Query is what to look for.
type Query struct {
	// Vector has the dimension of the collection; K is how many hits are wanted, at least 1.
	Vector []float32
	K      int
	// Ef is the width of a walk over the graph, 0 for the default.
	Ef int
	// Filter must hold for the metadata of a hit; nil holds for all.
	Filter *vector.Filter
	// Hidden, if not nil, tells which ids are left out: what the transaction wrote or deleted
	// itself. It is called by the goroutine that searches.
	Hidden func(id string) bool
	// Strategy asks for one way to answer; Auto leaves it to the planner.
	Strategy vector.Strategy

	_ struct{}
}

// Hit is one row that was found. The id may be the index's own and keep its memory: clone what is
// kept for long.
type Hit struct {
	ID      string
	Score   float32 // higher is better
	Version uint64  // of the row
}

// Result is the answer to a search: hits by score, the best first, those of one score by id.
type Result struct {
	Hits []Hit
	Plan Plan
}

// Plan tells how a search was answered.
type Plan struct {
	// Strategy is the way that most rows were looked at, Reason why it was chosen.
	Strategy vector.Strategy
	Reason   string
	// Exact: every row that could be a hit was considered.
	Exact bool
	// Estimated is the share of rows that the planner expected to pass the filter, Actual the share
	// that did; dead versions of rows count as rows here. Both are 1 without a filter.
	Estimated, Actual float64
	// Rows counts those that were compared, Ranked those of them that were compared in full, Tail
	// those that were no part of the graph yet.
	Rows, Ranked, Tail int
	// Layers is how many indexes were searched: of a fork its own and those of its ancestors. 0
	// means that the rows themselves were read.
	Layers int

	_ struct{}
}
