package vector_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/vector"
	"github.com/inmem-db/inmem/pkg/vector/vectortest"
)

// benchRows keeps a run short: figures are in docs/vectors.md, those to compare with others come
// from the workload vector of inmem-bench.
const benchRows, benchDim, benchQueries = 10_000, 96, 100

func benchIndex(b *testing.B, data [][]float32) vector.Index {
	b.Helper()
	ix, err := vector.New(vector.Config{Dim: benchDim, Metric: vector.Cosine,
		Kind: vector.KindGraph, FlatRows: 1})
	require.NoError(b, err)
	for i, vec := range data {
		_, err := ix.Add(fmt.Sprint(i), vec, 1)
		require.NoError(b, err)
	}
	return ix
}

func BenchmarkLink(b *testing.B) {
	data := vectortest.Clustered(1, benchRows, benchDim)
	for b.Loop() {
		ix := benchIndex(b, data)
		_, err := ix.Link(context.Background(), benchRows)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkSearch compares walks of several widths with the scan, in one run, at their recall.
func BenchmarkSearch(b *testing.B) {
	data := vectortest.Clustered(1, benchRows+benchQueries, benchDim)
	queries := data[benchRows:]
	ix := benchIndex(b, data[:benchRows])
	_, err := ix.Link(context.Background(), benchRows)
	require.NoError(b, err)
	for _, o := range []vector.SearchOptions{
		{Strategy: vector.Scan},
		{Strategy: vector.Walk, Ef: 10},
		{Strategy: vector.Walk, Ef: 40},
		{Strategy: vector.Walk, Ef: 128},
	} {
		o.K, o.At = 10, 1
		b.Run(fmt.Sprintf("%s/ef=%d", o.Strategy, o.Ef), func(b *testing.B) {
			b.ReportAllocs()
			hits := make([]vector.Hit, 0, 10)
			for i := 0; b.Loop(); i++ {
				hits, _, _ = ix.Search(hits[:0], queries[i%benchQueries], o)
			}
			b.StopTimer()
			exact := vector.SearchOptions{K: 10, At: 1, Strategy: vector.Scan}
			recall := 0.0
			for _, q := range queries {
				want, _, _ := ix.Search(nil, q, exact)
				hits, _, _ = ix.Search(hits[:0], q, o)
				recall += vectortest.Recall(hits, want) / benchQueries
			}
			b.ReportMetric(recall, "recall")
		})
	}
}
