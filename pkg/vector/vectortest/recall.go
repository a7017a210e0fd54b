package vectortest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/vector"
)

// least is the recall at 10 that every way of asking must reach with default settings.
const least = 0.95

func size(full int) int {
	if testing.Short() {
		return full / 5
	}
	return full
}

// filled is an index with rows of version 1, 2, 3... of which all but a few are linked.
func filled(t testing.TB, make Make, c vector.Config, rows [][]float32) *pair {
	t.Helper()
	index, err := make(c)
	require.NoError(t, err)
	p := &pair{index: index, twin: NewTwin(c.Metric)}
	for _, vec := range rows {
		p.version++
		id := fmt.Sprintf("id-%d", mixed(int(p.version)))
		slot, err := index.Add(id, vec, p.version)
		require.NoError(t, err)
		p.twin.Add(id, vec, p.version)
		p.living = append(p.living, slot)
	}
	_, err = index.Link(context.Background(), len(rows)-len(rows)/100)
	require.NoError(t, err)
	return p
}

// requireRecall asks every query as the planner and as a walk.
func (p *pair) requireRecall(t testing.TB, ask [][]float32, o vector.SearchOptions, name string) {
	t.Helper()
	sum := map[vector.Strategy]float64{}
	for _, q := range ask {
		want := p.twin.Search(q, o)
		for _, o.Strategy = range []vector.Strategy{vector.Auto, vector.Walk} {
			got, info, err := p.index.Search(nil, q, o)
			require.NoError(t, err)
			if info.Exact {
				require.Equal(t, want, append([]vector.Hit{}, got...))
			}
			p.members(t, q, o, want, got)
			sum[o.Strategy] += Recall(got, want) / float64(len(ask))
		}
	}
	require.GreaterOrEqual(t, sum[vector.Auto], least, name)
	require.GreaterOrEqual(t, sum[vector.Walk], least, name)
}

// recall: R300 (recall@10 at least 0.95) and R301 (a filtered search returns k when k exist), over
// metrics, filters of several widths, with and against the clusters, and old versions.
func recall(t *testing.T, make Make) {
	const dim, queries = 96, 25
	for _, metric := range metrics {
		n := size(3000)
		if metric == vector.Cosine {
			n = size(10_000)
		}
		data := Clustered(uint64(metric), n+queries, dim)
		// Seed 5: nothing about it is special.
		c := vector.Config{Dim: dim, Metric: metric, Kind: vector.KindAuto, Seed: 5,
			FlatRows: 1 + n/20}
		p := filled(t, make, c, data[:n])
		ask := data[n:]
		for name, o := range filters(data[:n]) {
			o.K = 10
			p.requireRecall(t, ask, o, metric.String()+", "+name)
		}
	}
}

// filters are ways to ask for a part of the rows.
func filters(data [][]float32) map[string]vector.SearchOptions {
	n := len(data)
	r := rand.New(rand.NewPCG(1, 2))
	random := func(share float64) *vector.Bitmap {
		set := vector.NewBitmap(n)
		for i := range n {
			if r.Float64() < share {
				set.Add(vector.Slot(i))
			}
		}
		return set
	}
	side := vector.NewBitmap(n)
	for i, vec := range data {
		if vec[0] > 0.5 && vec[1] > 0 {
			side.Add(vector.Slot(i))
		}
	}
	now := uint64(n)
	return map[string]vector.SearchOptions{
		"all":       {At: now},
		"50 %":      {At: now, Allowed: random(0.5)},
		"10 %":      {At: now, Allowed: random(0.1)},
		"1 %":       {At: now, Allowed: random(0.01)},
		"one side":  {At: now, Allowed: side},
		"few":       {At: now, Allowed: random(4 / float64(n))},
		"none":      {At: now, Allowed: vector.NewBitmap(0)},
		"early":     {At: now / 10},
		"half":      {At: now / 2},
		"half, 50%": {At: now / 2, Allowed: random(0.5)},
	}
}

// updates: half of the rows get a new vector, some of them the same one, some many times; then the
// newest view and the old one are as good as before.
func updates(t *testing.T, make Make) {
	const dim, queries = 48, 25
	n := size(3000)
	data := Clustered(11, 2*n+queries, dim)
	c := vector.Config{Dim: dim, Metric: vector.L2, Kind: vector.KindGraph, FlatRows: 1}
	p := filled(t, make, c, data[:n])
	old := p.version
	for i := range n / 2 {
		vec := data[n+i]
		switch {
		case i%10 == 0:
			vec = data[2*i]
		case i%10 == 1:
			vec = data[n] // an opinion that many rows come to share
		}
		slot := p.living[2*i]
		p.version++
		require.NoError(t, p.index.Kill(slot, p.version))
		p.twin.Kill(slot, p.version)
		id := p.index.ID(slot)
		slot, err := p.index.Add(id, vec, p.version)
		require.NoError(t, err)
		p.twin.Add(id, vec, p.version)
		p.living[2*i] = slot
	}
	_, err := p.index.Link(context.Background(), n)
	require.NoError(t, err)
	require.Zero(t, p.index.Tail())
	ask := append(data[2*n:], data[n], data[0])
	for _, at := range []uint64{p.version, old, old + uint64(n)/4} {
		p.requireRecall(t, ask, vector.SearchOptions{K: 10, At: at}, fmt.Sprint("at ", at))
	}
}

// duplicates: half of the rows are copies of five vectors, most of them dead at the end. The others
// are found as well as without them, and so is the copy that lives.
func duplicates(t *testing.T, make Make) {
	const dim, queries = 24, 25
	n := size(4000)
	data := Clustered(12, n+queries, dim)
	c := vector.Config{Dim: dim, Metric: vector.Cosine, Kind: vector.KindGraph, FlatRows: 1}
	hot := data[n-5 : n]
	rows := append([][]float32{}, data[:n-5]...)
	for i := 0; i < len(rows); i += 2 {
		rows[i] = hot[i/2%5]
	}
	p := filled(t, make, c, rows)
	for i := 0; i < len(rows)-20; i += 2 {
		require.NoError(t, p.index.Kill(vector.Slot(i), p.version+1))
		p.twin.Kill(vector.Slot(i), p.version+1)
	}
	for _, at := range []uint64{p.version, p.version + 1} {
		p.requireRecall(t, append(data[n:], hot...), vector.SearchOptions{K: 10, At: at},
			fmt.Sprint("at ", at))
	}
}

// determinism: the same calls give the same bytes, whoever searches meanwhile and in whatever
// portions slots are linked.
func determinism(t *testing.T, make Make) {
	const dim = 16
	n := size(1500)
	data := Clustered(3, n, dim)
	c := vector.Config{Dim: dim, Metric: vector.Cosine, Kind: vector.KindGraph, Seed: 9}
	written := func(portion int) []byte {
		index, err := make(c)
		require.NoError(t, err)
		for i, vec := range data {
			_, err := index.Add(fmt.Sprint(i), vec, uint64(i))
			require.NoError(t, err)
		}
		var wait sync.WaitGroup
		for range 2 {
			wait.Go(func() {
				for _, q := range data[:50] {
					_, _, _ = index.Search(nil, q, vector.SearchOptions{K: 5, At: uint64(n)})
				}
			})
		}
		for index.Tail() > 0 {
			_, err := index.Link(context.Background(), portion)
			require.NoError(t, err)
		}
		wait.Wait()
		var b bytes.Buffer
		_, err = index.Snapshot(uint64(n)).WriteTo(&b)
		require.NoError(t, err)
		return b.Bytes()
	}
	require.Equal(t, written(7), written(n))
}

// concurrency: searches beside a writer and a linker see every row that was there when they began
// and none that their version does not have.
func concurrency(t *testing.T, make Make) {
	const dim, readers = 8, 3
	n := size(1500)
	data := Clustered(4, n, dim)
	index, err := make(vector.Config{Dim: dim, Metric: vector.L2, Kind: vector.KindGraph, M: 4,
		EfConstruction: 16})
	require.NoError(t, err)
	published := channels(n)
	ctx, cancel := context.WithCancel(context.Background())
	var wait, linking sync.WaitGroup
	linking.Go(func() {
		for ctx.Err() == nil {
			_, _ = index.Link(ctx, 10)
		}
	})
	for reader := range readers {
		wait.Go(func() {
			for i := range published[reader] {
				// Row j is born at j+1 and killed at j+101: a view of i+1 sees the last 100.
				o := vector.SearchOptions{K: 10, At: uint64(i + 1), Strategy: strategies[i%4]}
				hits, info, err := index.Search(nil, data[i], o)
				if err != nil || len(hits) != min(10, i+1, 100) ||
					info.Exact && hits[0].Score != 0 {
					t.Errorf("at %d: %d hits, %v, %v", i, len(hits), err, info)
				}
				for _, h := range hits {
					if int(h.Slot) > i || int(h.Slot)+100 <= i {
						t.Errorf("at %d: slot %d is not visible", i, h.Slot)
					}
				}
			}
		})
	}
	for i, vec := range data {
		_, err := index.Add(fmt.Sprint(i), vec, uint64(i+1))
		require.NoError(t, err)
		if i >= 100 {
			require.NoError(t, index.Kill(vector.Slot(i-100), uint64(i+1)))
		}
		published[i%readers] <- i
	}
	for _, c := range published {
		close(c)
	}
	wait.Wait()
	cancel()
	linking.Wait()
}

func channels(n int) [3]chan int {
	return [3]chan int{make(chan int, n), make(chan int, n), make(chan int, n)}
}

// rebuild: the same answers from what still matters.
func rebuild(t *testing.T, make Make) {
	const dim = 16
	n := size(2000)
	data := Clustered(6, n, dim)
	p := filled(t, make, vector.Config{Dim: dim, Metric: vector.Dot, Kind: vector.KindGraph}, data)
	for i := range n / 2 {
		require.NoError(t, p.index.Kill(vector.Slot(2*i), p.version+uint64(i)))
		p.twin.Kill(vector.Slot(2*i), p.version+uint64(i))
	}
	horizon := p.version + uint64(n)/4
	fresh, moved, err := p.index.Rebuild(context.Background(), horizon)
	require.NoError(t, err)
	require.Equal(t, p.index.Live(), fresh.Live())
	require.Equal(t, n-n/4-1, fresh.Slots())
	for _, strategy := range []vector.Strategy{vector.Scan, vector.Walk} {
		for i, q := range data[:30] {
			o := vector.SearchOptions{K: 10, At: horizon + uint64(10*i), Strategy: strategy}
			want := p.twin.Search(q, o)
			got, _, err := fresh.Search(nil, q, o)
			require.NoError(t, err)
			require.Len(t, got, len(want))
			if strategy == vector.Scan {
				for j, h := range want {
					require.Equal(t, vector.Hit{Slot: moved[h.Slot], Score: h.Score}, got[j])
					require.Equal(t, p.index.ID(h.Slot), fresh.ID(got[j].Slot))
				}
			}
			require.GreaterOrEqual(t, Recall(got, want), 0.5)
		}
		_, err := fresh.Link(context.Background(), n)
		require.NoError(t, err)
	}
}
