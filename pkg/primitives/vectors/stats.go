package vectors

import (
	"context"

	"github.com/inmem-db/inmem/internal/vecindex"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Stats tell what a collection has in memory; see the fields.
type Stats = vecindex.Stats

// Recall is how many of the true nearest rows searches find; see the fields.
type Recall = vecindex.Recall

// handle names the collection to the index.
func (c Collection) handle(s txn.Scope, record *codec.VectorCollection, version uint64,
) vecindex.Collection {
	return vecindex.Collection{
		Scope: s.Handle(), Prefix: c.key(), Incarnation: version,
		Config: vector.Config{
			Dim: record.Dimension, Metric: vector.Metric(record.Metric),
			Kind: vector.Kind(record.Index), M: record.Links, EfConstruction: record.Candidates,
		},
	}
}

// Stats tells what the collection has in memory: of this run only, not of what a fork shares with
// its parent. All are 0 for one that was not searched yet. Cost: a look at what is kept.
func (c Collection) Stats(ctx context.Context) (Stats, error) {
	s := c.scope.Snapshot()
	record, e, err := c.open(ctx, s)
	if err != nil || c.index == nil {
		return Stats{}, c.wrap("stats", "", err)
	}
	return c.index.Stats(c.handle(s, &record, e.Version)), nil
}

// EstimateRecall measures the searches of the collection against exact ones: sample queries (at
// most 10,000), each halfway between two rows, for the k nearest. What a transaction wrote itself
// is not looked at, and nothing joins its read set. Where every search is exact the recall is 1.
//
// Errors: codec.ErrInvalidArgument for a sample or k below 1. Cost: a walk over the rows, and two
// searches per query, one of them exact.
func (c Collection) EstimateRecall(ctx context.Context, sample, k int) (Recall, error) {
	r, err := c.estimateRecall(ctx, sample, k)
	return r, c.wrap("estimate recall", "", err)
}

func (c Collection) estimateRecall(ctx context.Context, sample, k int) (Recall, error) {
	if sample < 1 || k < 1 {
		return Recall{}, invalid("sample %d and k %d, must be at least 1", sample, k)
	}
	beneath, err := c.scope.Beneath()
	if err != nil {
		return Recall{}, err
	}
	record, e, err := c.open(ctx, beneath)
	if err != nil {
		return Recall{}, err
	}
	if c.index == nil {
		return Recall{Recall: 1, Worst: 1}, nil
	}
	at, err := beneath.At()
	if err != nil {
		return Recall{}, err
	}
	r, err := c.index.EstimateRecall(ctx, c.handle(beneath, &record, e.Version), at, sample, k)
	return r, txn.ContextError(err)
}
