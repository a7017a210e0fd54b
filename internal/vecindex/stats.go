package vecindex

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Stats tell what a collection has in memory: of its own scope only, not of what a fork shares with
// others. All are 0 for a collection that was not searched, or whose index was dropped.
type Stats struct {
	// Rows counts the versions of rows that are there, Live those that were not replaced or deleted
	// since, Dead the others; Tail those that await their place in the graph.
	Rows, Live, Dead, Tail int
	// Linked is the share of Rows that is in the graph, 0 if there is none.
	Linked float64
	// Graph: there is a graph, or will be.
	Graph bool
	// Bytes is the memory that all of it takes, float32 rows and values for filters included.
	Bytes int64
	// Version is the version up to which the index follows the scope, Base the one from which on it
	// can answer; before, rows are read.
	Base, Version uint64
	// Paths are how many paths of metadata there are values in memory of.
	Paths int
	// Frozen counts indexes as of one version, kept for forks and views.
	Frozen int

	_ struct{}
}

// Stats tells what a collection has in memory. Cost: a look at what is kept.
func (m *Manager) Stats(c Collection) Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s Stats
	for k, x := range m.indexes {
		if k.scope != c.Scope.Number || k.prefix != c.Prefix || k.incarnation != c.Incarnation {
			continue
		}
		if k.frozen != 0 {
			s.Frozen++
		}
		if content := x.content.Load(); content != nil {
			s.add(content, k.frozen != 0)
			s.Bytes += x.bytes.Load()
		}
	}
	return s
}

func (s *Stats) add(c *content, frozen bool) {
	if !frozen {
		s.Base, s.Version = c.base, c.version.Load()
	}
	c.mu.RLock()
	s.Paths += len(c.columns)
	c.mu.RUnlock()
	rows := c.rows.Load()
	if rows == nil || frozen {
		return
	}
	s.Rows, s.Live, s.Tail = rows.Slots(), rows.Live(), rows.Tail()
	s.Dead = s.Rows - s.Live
	s.Graph = c.graphed()
	if s.Graph && s.Rows > 0 {
		s.Linked = 1 - float64(s.Tail)/float64(s.Rows)
	}
}

// graphed tells whether there is a graph, or will be.
func (c *content) graphed() bool {
	rows := c.rows.Load()
	config := rows.Config()
	return config.Kind == vector.KindGraph ||
		config.Kind == vector.KindAuto && rows.Slots() > config.FlatRows
}

// Recall is how many of the true nearest rows searches find.
type Recall struct {
	// Recall is the share of the true nearest rows that were found; rows that are as near as the
	// last of them count, too.
	Recall float64
	// Queries is how many searches that is the mean of, Worst the least share of one of them.
	Queries int
	Worst   float64

	_ struct{}
}

// maxQueries bounds EstimateRecall.
const maxQueries = 10_000

// EstimateRecall measures the searches of a collection at a version against exact ones: sample
// queries (at most 10,000), each halfway between two rows, for the k nearest. The same rows give
// the same queries. Errors: those of Search; codec.ErrInvalidArgument for a sample or k below 1.
// Cost: a walk over the rows, and two searches per query, one of them exact.
func (m *Manager) EstimateRecall(
	ctx context.Context, c Collection, at uint64, sample, k int,
) (Recall, error) {
	if sample < 1 || k < 1 {
		return Recall{}, fmt.Errorf("estimate recall: %w: sample is %d and k %d, expected 1 or more",
			codec.ErrInvalidArgument, sample, k)
	}
	queries, err := m.sample(ctx, &c, at, min(sample, maxQueries))
	if err != nil {
		return Recall{}, fmt.Errorf("estimate recall: %w", err)
	}
	total := Recall{Recall: 1, Worst: 1, Queries: len(queries)}
	sum := 0.0
	for _, v := range queries {
		share, err := m.recallOf(ctx, c, at, v, k)
		if err != nil {
			return Recall{}, fmt.Errorf("estimate recall: %w", err)
		}
		sum += share
		total.Worst = min(total.Worst, share)
	}
	if len(queries) > 0 {
		total.Recall = sum / float64(len(queries))
	}
	return total, nil
}

func (m *Manager) recallOf(
	ctx context.Context, c Collection, at uint64, v []float32, k int,
) (float64, error) {
	exact, err := m.Search(ctx, c, at, Query{Vector: v, K: k, Strategy: vector.Scan})
	if err != nil || len(exact.Hits) == 0 {
		return 1, err
	}
	found, err := m.Search(ctx, c, at, Query{Vector: v, K: k})
	if err != nil {
		return 0, err
	}
	least, good := exact.Hits[len(exact.Hits)-1].Score, 0
	for _, h := range found.Hits {
		if h.Score >= least {
			good++
		}
	}
	return float64(good) / float64(len(exact.Hits)), nil
}

// sample returns n vectors, each halfway between two rows that follow each other among rows taken
// at even distances.
func (m *Manager) sample(
	ctx context.Context, c *Collection, at uint64, n int,
) ([][]float32, error) {
	kept, step, seen := [][]float32{}, 1, 0
	cur := m.b.Scan(ctx, c.Scope, codec.Vectors, backend.PrefixRange(c.Prefix), at)
	defer cur.Close()
	for cur.Next() {
		if len(cur.Key()) == len(c.Prefix) {
			continue
		}
		if seen++; seen%step != 0 {
			continue
		}
		vec, err := codec.DecodeVector(nil, cur.Record().Value)
		if err != nil {
			return nil, err
		}
		if kept = append(kept, vec); len(kept) > 2*n {
			for i := range n {
				kept[i] = kept[2*i+1]
			}
			kept, step = kept[:n], 2*step
		}
	}
	if err := cur.Err(); err != nil || len(kept) == 0 {
		return nil, err
	}
	first := kept[0]
	for i, v := range kept[:min(n, len(kept))] {
		next := first
		if i+1 < len(kept) {
			next = kept[i+1]
		}
		middle := make([]float32, len(v))
		for j := range v {
			middle[j] = v[j]/2 + next[j]/2
		}
		kept[i] = middle
	}
	return kept[:min(n, len(kept))], nil
}
