package vectortest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/vector"
)

// views: a view ten versions back, each of which changed a fiftieth of the rows, finds as many of
// its true neighbours as the newest one does of its own: to a hundredth.
func views(t *testing.T, make Make) {
	const dim, queries, back = 32, 60, 10
	n := size(10_000)
	data := Clustered(17, n+back*n/50+queries, dim)
	c := vector.Config{Dim: dim, Metric: vector.Cosine, Kind: vector.KindGraph, FlatRows: 1,
		EfConstruction: 60}
	p := filled(t, make, c, data[:n])
	old, next := p.version, data[n:]
	for range back {
		p.version++
		for i := range n / 50 {
			which := (i*50 + int(p.version)*7) % n
			slot := p.living[which]
			require.NoError(t, p.index.Kill(slot, p.version))
			p.twin.Kill(slot, p.version)
			id := p.index.ID(slot)
			slot, err := p.index.Add(id, next[0], p.version)
			require.NoError(t, err)
			p.twin.Add(id, next[0], p.version)
			p.living[which], next = slot, next[1:]
		}
	}
	_, err := p.index.Link(context.Background(), 2*n)
	require.NoError(t, err)
	require.Zero(t, p.index.Tail())
	for _, o := range []vector.SearchOptions{
		{K: 10}, {K: 10, Strategy: vector.Walk}, {K: 10, Strategy: vector.Walk, Ef: 30},
	} {
		o.At = p.version
		newest := p.recall(t, next, o)
		o.At = old
		before := p.recall(t, next, o)
		require.GreaterOrEqual(t, newest, least)
		require.InDelta(t, newest, before, 0.01, fmt.Sprintf("%s %d", o.Strategy, o.Ef))
	}
}

// recall is the mean of a way of asking.
func (p *pair) recall(t *testing.T, ask [][]float32, o vector.SearchOptions) (sum float64) {
	for _, q := range ask {
		want := p.twin.Search(q, o)
		got, _, err := p.index.Search(nil, q, o)
		require.NoError(t, err)
		p.members(t, q, o, want, got)
		sum += Recall(got, want) / float64(len(ask))
	}
	return sum
}
