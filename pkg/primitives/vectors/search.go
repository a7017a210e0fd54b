package vectors

import (
	"context"

	"github.com/inmem-db/inmem/internal/vecindex"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// SearchOptions say what to search for.
type SearchOptions struct {
	// Vector is what the hits are to be near to; it has the collection's dimension.
	Vector []float32
	// K is how many hits are wanted, at least 1. There are fewer only if there are fewer rows, or
	// fewer that pass the filter.
	K int
	// Filter keeps the rows whose metadata it matches; nil keeps all.
	Filter *vector.Filter
	// Ef is how wide a graph is searched: more finds more and takes longer. 0 is the default. It
	// means nothing where the answer is exact.
	Ef int
	// Strategy is how to search; zero lets the database choose.
	Strategy vector.Strategy
	// WithVectors asks for the vectors of the hits.
	WithVectors bool

	_ struct{}
}

// Hit is one row that a search found.
type Hit struct {
	// ID is the row's id.
	ID string
	// Score says how near it is, by the collection's metric: a higher one is nearer.
	Score float32
	// Metadata is the row's; Null for none.
	Metadata codec.Value
	// Vector is the row's, if it was asked for. The caller may change it.
	Vector []float32
	// Version is the commit version that wrote the row; 0 for what the transaction wrote itself.
	Version uint64
}

// Result is the answer to a search.
type Result struct {
	// Hits are in the order of their scores, the best first; those of one score in that of ids.
	Hits []Hit
	// Plan says how they were found.
	Plan Plan
}

// Plan says how a search was answered.
type Plan struct {
	// Strategy is the way in which most rows were looked at, Why why it was chosen.
	Strategy vector.Strategy
	Why      string
	// Exact: every row that could be a hit was considered; else the hits are most likely the
	// nearest ones.
	Exact bool
	// Estimated is the share of rows that were expected to pass the filter, Passed the share that
	// did, of those in the index; both are 1 without a filter.
	Estimated, Passed float64
	// Rows is how many vectors were compared, Ranked how many of them in full, Tail how many that
	// are not linked in a graph yet.
	Rows, Ranked, Tail int
	// Layers is how many indexes were searched, those of the parents of a fork included; 0 means
	// that the rows were read.
	Layers int
	// Own is how many rows were looked at that the transaction itself wrote or deleted.
	Own int

	_ struct{}
}

// Search returns the rows nearest to a vector. What it sees is one version: outside a transaction
// what is published now, in a view the view's, inside a transaction the snapshot under its own
// writes. A row that is there is never missed because it is new.
//
// Inside a transaction the rows that are returned join the read set, in a Serializable one the
// whole collection does: then the transaction conflicts with whoever writes to it.
//
// Errors: *DimensionError, ErrNotFinite and the like for the vector, codec.ErrInvalidArgument for K
// below 1 or a negative Ef, codec.ErrInvalidArgument and others for a filter that is none.
func (c Collection) Search(ctx context.Context, o SearchOptions) (Result, error) {
	r, err := c.search(ctx, &o)
	if err != nil {
		return Result{}, c.wrap("search", "", err)
	}
	return r, nil
}

func (c Collection) search(ctx context.Context, o *SearchOptions) (Result, error) {
	s := c.scope.Snapshot()
	record, e, err := c.open(ctx, s)
	if err != nil {
		return Result{}, err
	}
	if err := o.check(&record); err != nil {
		return Result{}, err
	}
	beneath, err := s.Beneath()
	if err != nil {
		return Result{}, err
	}
	s.ReadRange(codec.Vectors, c.rows())
	q := query{c: c, record: &record, version: e.Version, o: o, keep: &best{k: o.K}}
	if q.scorer, err = newScorer(&record, o); err != nil {
		return Result{}, err
	}
	q.own = c.own(s)
	if err := q.own.score(q.scorer, q.keep); err != nil {
		return Result{}, err
	}
	plan, err := q.committed(ctx, beneath)
	if err != nil {
		return Result{}, err
	}
	hits, err := c.hits(ctx, s, q.keep.sorted(), o)
	return Result{Hits: hits, Plan: plan}, err
}

// query is a search under way.
type query struct {
	c       Collection
	record  *codec.VectorCollection
	version uint64 // of the record; 0 if the transaction itself wrote it
	o       *SearchOptions
	scorer  *scorer
	own     own
	keep    *best
}

// committed gives what is committed to keep, and says how.
func (q *query) committed(ctx context.Context, beneath txn.Scope) (Plan, error) {
	if q.c.index != nil && q.version != 0 {
		return q.indexed(ctx, beneath)
	}
	err := q.c.exact(ctx, beneath, q.scorer, q.own.hides, q.keep)
	why := "no index"
	if q.version == 0 {
		why = "the transaction made the collection itself"
	}
	passed := 1.0
	if q.scorer.seen > 0 {
		passed = float64(q.scorer.rows) / float64(q.scorer.seen)
	}
	return Plan{
		Strategy: vector.Scan, Why: why, Exact: true, Estimated: passed, Passed: passed,
		Rows: q.scorer.rows, Ranked: q.scorer.rows, Own: len(q.own.ids),
	}, err
}

// indexed is committed by the index.
func (q *query) indexed(ctx context.Context, beneath txn.Scope) (Plan, error) {
	at, err := beneath.At()
	if err != nil {
		return Plan{}, err
	}
	asked := vecindex.Query{
		Vector: q.o.Vector, K: q.o.K, Ef: q.o.Ef, Filter: q.o.Filter, Strategy: q.o.Strategy,
	}
	if len(q.own.ids) > 0 {
		asked.Hidden = q.own.hides
	}
	r, err := q.c.index.Search(ctx, q.c.handle(beneath, q.record, q.version), at, asked)
	if err != nil {
		return Plan{}, txn.ContextError(err)
	}
	for _, h := range r.Hits {
		q.keep.add(scored{h.ID, h.Score})
	}
	p := &r.Plan
	return Plan{
		Strategy: p.Strategy, Why: p.Reason, Exact: p.Exact, Estimated: p.Estimated,
		Passed: p.Actual, Rows: p.Rows + q.scorer.rows, Ranked: p.Ranked + q.scorer.rows,
		Tail: p.Tail, Layers: p.Layers, Own: len(q.own.ids),
	}, nil
}

func (o *SearchOptions) check(record *codec.VectorCollection) error {
	switch {
	case o.K < 1:
		return invalid("K %d, must be at least 1", o.K)
	case o.Ef < 0:
		return invalid("Ef %d, must not be negative", o.Ef)
	case o.Strategy > vector.TwoHop:
		return invalid("strategy %d", o.Strategy)
	}
	if err := checkVector(record.Dimension, o.Vector); err != nil {
		return err
	}
	return o.Filter.Validate()
}

// hits reads the rows that were found, which thereby join the read set of a transaction.
func (c Collection) hits(ctx context.Context, s txn.Scope, found []scored, o *SearchOptions,
) ([]Hit, error) {
	hits := make([]Hit, len(found))
	name, room := c.key(), []float32(nil)
	for i, f := range found {
		key := name + f.id
		e, err := s.Get(ctx, codec.Vectors, key)
		if err != nil {
			return nil, c.wrap("search", f.id, err)
		}
		row, err := codec.DecodeVectorRowIn(room, e.Value)
		if err != nil {
			return nil, c.wrap("search", f.id, err)
		}
		// The sum makes a zero of a negative zero, which is the score of what is equal under L2. The
		// id is that of the key: the index's own would keep the index in memory.
		hits[i] = Hit{ID: key[len(name):], Score: f.score + 0, Metadata: row.Metadata,
			Version: e.Version}
		if o.WithVectors {
			hits[i].Vector = row.Vector
		} else {
			room = row.Vector
		}
	}
	return hits, nil
}
