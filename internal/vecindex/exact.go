package vecindex

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// scan answers a search by reading the rows as they were at a version.
func (m *Manager) scan(
	ctx context.Context, c *Collection, at uint64, q *Query,
) (Result, error) {
	scorer, err := vector.NewScorer(c.Config.Metric, q.Vector)
	if err != nil {
		return Result{}, err
	}
	cur := m.b.Scan(ctx, c.Scope, codec.Vectors, backend.PrefixRange(c.Prefix), at)
	defer cur.Close()
	best := bestHits{k: q.K}
	seen := 0
	var room []float32
	for cur.Next() {
		id := cur.Key()[len(c.Prefix):]
		if id == "" {
			continue
		}
		r := cur.Record()
		vec, err := codec.DecodeVector(room[:0], r.Value)
		if err != nil {
			return Result{}, fmt.Errorf("row %q: %w", id, err)
		}
		if room = vec; len(vec) != c.Config.Dim {
			return Result{}, fmt.Errorf("%w: row %q of version %d has %d dimensions, its collection %d",
				codec.ErrCorrupt, id, r.Version, len(vec), c.Config.Dim)
		}
		seen++
		pass, err := q.passes(id, r.Value)
		if err != nil {
			return Result{}, fmt.Errorf("row %q: %w", id, err)
		}
		if pass {
			best.offer(Hit{id, scorer.Score(vec), r.Version})
		}
	}
	if err := cur.Err(); err != nil {
		return Result{}, err
	}
	p := Plan{Strategy: vector.Scan, Exact: true, Estimated: 1, Actual: 1, Rows: seen,
		Reason: "the version is older than the index: the rows were read"}
	p.Ranked = best.offered
	if q.Filter != nil && seen > 0 {
		p.Actual = float64(best.offered) / float64(seen)
		p.Estimated = p.Actual
	}
	return Result{best.sorted(), p}, nil
}

// passes tells whether a row may be a hit.
func (q *Query) passes(id string, value []byte) (bool, error) {
	if q.Hidden != nil && q.Hidden(id) {
		return false, nil
	}
	if q.Filter == nil {
		return true, nil
	}
	row, err := codec.DecodeVectorRow(value)
	if err != nil {
		return false, err
	}
	return q.Filter.Matches(row.Metadata), nil
}

// bestHits keeps the k best of what it is offered.
type bestHits struct {
	k, offered int
	hits       []Hit
}

// offer lets up to twice k hits gather and then keeps the better half: some comparisons each.
func (b *bestHits) offer(h Hit) {
	b.offered++
	b.hits = append(b.hits, h)
	if len(b.hits)-b.k >= max(b.k, 64) {
		b.hits = b.sorted()
	}
}

func (b *bestHits) sorted() []Hit {
	sortHits(b.hits)
	return b.hits[:min(len(b.hits), b.k)]
}
