package vectors

import (
	"context"

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
	// Strategy is what was done, Why why.
	Strategy vector.Strategy
	Why      string
	// Exact: the hits are the nearest rows, not only most likely so.
	Exact bool
	// Rows is how many vectors were compared.
	Rows int
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
	record, _, err := c.open(ctx, s)
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
	scorer, err := newScorer(&record, o)
	if err != nil {
		return Result{}, err
	}
	own, keep := c.own(s), &best{k: o.K}
	if err := own.score(scorer, keep); err != nil {
		return Result{}, err
	}
	if err := c.exact(ctx, beneath, scorer, own.hides, keep); err != nil {
		return Result{}, err
	}
	hits, err := c.hits(ctx, s, keep.sorted(), o)
	return Result{Hits: hits, Plan: Plan{
		Strategy: vector.Scan, Why: "no index", Exact: true, Rows: scorer.rows, Own: len(own.ids),
	}}, err
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
	for i, f := range found {
		e, err := s.Get(ctx, codec.Vectors, c.rowKey(f.id))
		if err != nil {
			return nil, c.wrap("search", f.id, err)
		}
		row, err := decode(f.id, &e)
		if err != nil {
			return nil, c.wrap("search", f.id, err)
		}
		// The sum makes a zero of a negative zero, which is the score of what is equal under L2.
		hits[i] = Hit{ID: f.id, Score: f.score + 0, Metadata: row.Metadata, Version: e.Version}
		if o.WithVectors {
			hits[i].Vector = row.Vector
		}
	}
	return hits, nil
}
