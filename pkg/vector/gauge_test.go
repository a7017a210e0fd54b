package vector

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// wideData lies in few clusters that are spread in all directions: hard for a graph, since every
// row has many neighbours that are almost equally near and few of these know each other.
func wideData(n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(21, 22))
	centers := randomData(23, 3, dim)
	data := make([][]float32, n)
	for i := range data {
		data[i] = randomVector(r, dim)
		for d, x := range centers[r.IntN(len(centers))] {
			data[i][d] += x
		}
	}
	return data
}

// walkRecall is the recall at 10 of walks of a width.
func walkRecall(t *testing.T, ix Index, queries [][]float32, ef int) float64 {
	t.Helper()
	found := 0
	for _, q := range queries {
		o := SearchOptions{K: 10, At: alive - 1, Strategy: Scan}
		want, _, err := ix.Search(nil, q, o)
		require.NoError(t, err)
		o.Strategy, o.Ef = Walk, ef
		got, _, err := ix.Search(nil, q, o)
		require.NoError(t, err)
		for _, h := range got {
			if h.Score >= want[9].Score {
				found++
			}
		}
	}
	return float64(found) / float64(10*len(queries))
}

// R300: the default width is what the rows need: 0.95 also where the width that most data needs
// finds far less, and not more than that where it is enough.
func TestDefaultWidthFollowsTheData(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: links 16,000 rows; go test ./... runs it")
	}
	const dim, n, queries = 48, 4000, 40
	for metric, m := range map[Metric]int{Cosine: 4, Dot: 6, L2: 4} {
		data := wideData(n+queries, dim)
		ix := linkedIndex(t, Config{Dim: dim, Metric: metric, Kind: KindGraph, FlatRows: 1,
			M: m, EfConstruction: 24}, data[:n])
		narrow := walkRecall(t, ix, data[n:], defaultEf)
		require.Less(t, narrow, 0.93, metric)
		require.GreaterOrEqual(t, walkRecall(t, ix, data[n:], 0), 0.95, metric)
	}
	easy := linkedIndex(t, Config{Dim: 3, Metric: L2, Kind: KindGraph, FlatRows: 1},
		randomData(24, n, 3))
	require.Equal(t, defaultEf, easy.(*slotIndex).graph.gauged())
	require.Positive(t, easy.(*slotIndex).graph.link.gauge.count)
}

// What was measured is part of a snapshot, and of no older format.
func TestSnapshotKeepsTheWidth(t *testing.T) {
	c := Config{Dim: 24, Metric: Dot, Kind: KindGraph, M: 4, EfConstruction: 16}
	data := wideData(1800, c.Dim)
	ix := linkedIndex(t, c, data)
	width := ix.(*slotIndex).graph.gauged()
	require.Greater(t, width, defaultEf)
	file := snapshotOf(t, ix, 1800)
	read, _, err := ReadSnapshot(bytes.NewReader(file), c)
	require.NoError(t, err)
	require.Equal(t, width, read.(*slotIndex).graph.gauged())
	require.Equal(t, ix.(*slotIndex).graph.link.gauge, read.(*slotIndex).graph.link.gauge)

	older := bytes.Clone(file)
	older[blockHead+len(snapshotMagic)] = 1
	_, _, err = ReadSnapshot(bytes.NewReader(mended(older)), c)
	require.Error(t, err)
	found := bytes.Clone(file)
	found[len(found)-blockHead-1] = gaugeDepth + 1
	_, _, err = ReadSnapshot(bytes.NewReader(mended(found)), c)
	require.ErrorContains(t, err, fmt.Sprint(gaugeDepth+1, " of 10 neighbours"))
}
