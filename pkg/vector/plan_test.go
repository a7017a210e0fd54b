package vector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// linkedIndex has n rows, all linked; row i is born at i+1.
func linkedIndex(t testing.TB, c Config, data [][]float32) Index {
	t.Helper()
	ix, err := New(c)
	require.NoError(t, err)
	for i, vec := range data {
		_, err := ix.Add(fmt.Sprintf("row-%d", i), vec, uint64(i+1))
		require.NoError(t, err)
	}
	_, err = ix.Link(context.Background(), len(data))
	require.NoError(t, err)
	return ix
}

func randomData(seed uint64, n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 2))
	data := make([][]float32, n)
	for i := range data {
		data[i] = randomVector(r, dim)
	}
	return data
}

// The planner's choices, and what it says of them.
func TestPlanner(t *testing.T) {
	const n = 10_000
	data := randomData(1, n, 4)
	ix := linkedIndex(t, Config{Dim: 4, Metric: L2, Kind: KindGraph, FlatRows: 100,
		M: 8, EfConstruction: 16}, data)
	every := func(step int) *Bitmap {
		set := NewBitmap(n)
		for i := 0; i < n; i += step {
			set.Add(Slot(i))
		}
		return set
	}
	away := NewBitmap(n) // allowed are rows on the other side of the query only
	for i, vec := range data {
		if vec[0] < -0.6 {
			away.Add(Slot(i))
		}
	}
	right := []float32{3, 0, 0, 0}
	middle := []float32{0, 0, 0, 0}
	for _, c := range []struct {
		name string
		q    []float32
		o    SearchOptions
		want Strategy
		why  string
	}{
		{"all", middle, SearchOptions{Ef: 16}, Walk, "most rows are visible and allowed"},
		{"few", middle, SearchOptions{Ef: 16, Allowed: every(100)}, Scan,
			"few rows are visible and allowed"},
		{"few visible", middle, SearchOptions{Ef: 16, At: 60}, Scan,
			"few rows are visible and allowed"},
		{"wide", middle, SearchOptions{Ef: 1000}, Scan, "the walk would be as wide as a scan"},
		{"huge k", middle, SearchOptions{K: 1 << 30}, Scan, "the walk would be as wide as a scan"},
		{"even", middle, SearchOptions{Ef: 16, Allowed: every(3)}, TwoHop,
			"rows around the query are allowed as often as elsewhere"},
		{"far away", right, SearchOptions{Ef: 10, Allowed: away}, Scan,
			"the walk took as long as a scan"},
		{"narrow walk", middle, SearchOptions{Strategy: Walk, Ef: 10}, Walk, "asked for"},
		{"scan", middle, SearchOptions{Strategy: Scan}, Scan, "asked for"},
		{"walk", middle, SearchOptions{Strategy: Walk, Allowed: every(100)}, Walk, "asked for"},
		{"two-hop", middle, SearchOptions{Strategy: TwoHop, Allowed: every(3)}, TwoHop, "asked for"},
		{"too few", right, SearchOptions{Strategy: Walk, K: 50, Allowed: every(1000)}, Scan,
			"the walk found fewer rows than there are"},
	} {
		if c.o.At == 0 {
			c.o.At = n
		}
		if c.o.K == 0 {
			c.o.K = 10
		}
		_, info, err := ix.Search(nil, c.q, c.o)
		require.NoError(t, err)
		require.Equal(t, c.want, info.Strategy, "%s: %+v", c.name, info)
		require.Equal(t, c.why, info.Why, c.name)
		require.Equal(t, c.want == Scan, info.Exact)
	}
}

// Rows that a scan goes over quickly are walked over all the same when that costs less, but not in
// vain: where hardly any of them lies around the query they are scanned at once. The width follows
// the share of rows that are allowed.
func TestPlannerOfFewRows(t *testing.T) {
	const n = 12_000
	r := rand.New(rand.NewPCG(5, 5))
	data := make([][]float32, n)
	aside := NewBitmap(n)
	even := NewBitmap(n)
	for i := range data {
		data[i] = randomVector(r, 4)
		if i%3 == 0 {
			data[i][0] += 100
			aside.Add(Slot(i))
		}
		if i%4 < 2 {
			even.Add(Slot(i))
		}
	}
	ix := linkedIndex(t, Config{Dim: 4, Metric: L2, Kind: KindGraph, FlatRows: n / 2, M: 4,
		EfConstruction: 16}, data)
	for _, c := range []struct {
		name    string
		allowed *Bitmap
		want    Strategy
		why     string
	}{
		{"even", even, Walk, "most rows are visible and allowed"},
		{"aside", aside, Scan, whyAway},
	} {
		o := SearchOptions{K: 3, At: n, Ef: 10, Allowed: c.allowed}
		hits, info, err := ix.Search(nil, make([]float32, 4), o)
		require.NoError(t, err)
		require.Len(t, hits, 3)
		require.Equal(t, c.want, info.Strategy, "%s: %+v", c.name, info)
		require.Equal(t, c.why, info.Why, c.name)
	}
	s := ix.(*slotIndex).pool.Get().(*searcher)
	s.begin(ix.(*slotIndex), data[0], &SearchOptions{K: 10})
	for share, want := range map[float64]int{0: 10, 0.1: 22, 0.5: 74, 0.95: 128, 1: 128} {
		require.Equal(t, want, s.width(share), "share %v", share)
	}
	s.o.Ef = 7
	require.Equal(t, 10, s.width(0.5))
}

// Under KindAuto nothing is linked up to FlatRows, everything above; the tail is scanned.
func TestAutoBeginsToLink(t *testing.T) {
	data := randomData(2, 300, 3)
	ix := linkedIndex(t, Config{Dim: 3, Metric: L2, FlatRows: 200}, data[:200])
	require.Zero(t, ix.Tail())
	_, info, err := ix.Search(nil, data[0], SearchOptions{K: 1, At: 300, Strategy: Walk})
	require.NoError(t, err)
	require.Equal(t, "no graph", info.Why)
	for i, vec := range data[200:] {
		_, err := ix.Add(fmt.Sprint(i), vec, 300)
		require.NoError(t, err)
	}
	require.Equal(t, 300, ix.Tail())
	linked, err := ix.Link(context.Background(), 250)
	require.NoError(t, err)
	require.Equal(t, 250, linked)
	require.Equal(t, 50, ix.Tail())
	_, info, err = ix.Search(nil, data[0], SearchOptions{K: 1, At: 300, Strategy: Walk})
	require.NoError(t, err)
	require.Equal(t, Walk, info.Strategy)
	require.Equal(t, 50, info.Tail)
	// R301: a row that is not linked yet is found by every search.
	for i, vec := range data[250:] {
		hits, info, err := ix.Search(nil, vec, SearchOptions{K: 1, At: 300, Strategy: Walk})
		require.NoError(t, err)
		require.Equal(t, Walk, info.Strategy)
		require.Equal(t, Slot(250+i), hits[0].Slot)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	linked, err = ix.Link(ctx, 50)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, linked)
}

// Rows that lie so close that their codes hardly differ: the walk sees that it cannot tell, and the
// answer is exact all the same. Somebody who asks for a width gets that width.
func TestCloseRowsAreScanned(t *testing.T) {
	const n, dim = 4400, 256 // of fewer rows or components a scan would cost less
	r := rand.New(rand.NewPCG(4, 4))
	centers := randomData(3, 4, dim)
	data := make([][]float32, n)
	for i := range data {
		data[i] = make([]float32, dim)
		for d := range data[i] {
			data[i][d] = centers[i%4][d] + 1e-4*float32(r.NormFloat64())
		}
	}
	ix := linkedIndex(t, Config{Dim: dim, Metric: Cosine, Kind: KindGraph, FlatRows: 1,
		M: 8, EfConstruction: 30}, data)
	ix.(*slotIndex).graph.width.Store(defaultEf) // whatever was gauged
	for i := range 10 {
		want, _, err := ix.Search(nil, data[i], SearchOptions{K: 5, At: n, Strategy: Scan})
		require.NoError(t, err)
		got, info, err := ix.Search(nil, data[i], SearchOptions{K: 5, At: n})
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.True(t, info.Exact)
		require.Equal(t, "the codes do not tell the nearest rows apart", info.Why)
		require.Greater(t, info.Rows, n+defaultEf, "walked first, then scanned")
		_, info, err = ix.Search(nil, data[i], SearchOptions{K: 5, At: n, Ef: 20})
		require.NoError(t, err)
		require.Equal(t, Walk, info.Strategy)
	}
}

// A narrow walk keeps as many rows more as it is wide: the next best that it has compared.
func TestWalkKeepsSpares(t *testing.T) {
	b := beam{ef: 2, spares: 2}
	for _, key := range []uint64{5, 3, 9, 4, 1, 8, 2} {
		b.keep(key)
	}
	require.ElementsMatch(t, []uint64{1, 2}, b.best)
	require.ElementsMatch(t, []uint64{3, 4}, b.spare)

	const n = 10_000
	r := rand.New(rand.NewPCG(6, 6))
	data := make([][]float32, n)
	allowed := NewBitmap(n)
	for i := range data {
		data[i] = randomVector(r, 8)
		for j := range data[i] {
			data[i][j] += 40 // so far from the origin that codes leave all open
		}
		if i%5 == 0 {
			allowed.Add(Slot(i))
		}
	}
	ix := linkedIndex(t, Config{Dim: 8, Metric: L2, Kind: KindGraph, FlatRows: 10, M: 8,
		EfConstruction: 32}, data).(*slotIndex)
	ix.graph.width.Store(defaultEf) // whatever was gauged
	s := ix.pool.Get().(*searcher)
	defer s.end()
	s.begin(ix, data[0], &SearchOptions{K: 3, At: n, Allowed: allowed})
	p := plan{strategy: TwoHop, width: s.width(0.2), count: n / 5}
	require.Equal(t, 28, p.width)
	require.Empty(t, s.walk(p))
	require.Len(t, s.beam.spare, p.width)
	spares := 0
	for _, c := range s.cands {
		require.True(t, allowed.Contains(c.slot))
		for _, key := range s.beam.spare {
			if uint32(key) == uint32(c.slot) {
				spares++
			}
		}
	}
	require.Positive(t, spares, "they are candidates, too")
	s.clear()
	p.width = s.width(1)
	require.Empty(t, s.walk(p))
	require.Empty(t, s.beam.spare, "a walk of the whole width has no need of them")
}
