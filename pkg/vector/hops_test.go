package vector

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// hopIndex has rows by chance in eight dimensions, all linked.
func hopIndex(t testing.TB, n int) (*slotIndex, [][]float32) {
	t.Helper()
	data := randomData(8, n, 8)
	return linkedIndex(t, Config{Dim: 8, Metric: L2, Kind: KindGraph, FlatRows: 1, M: 8,
		EfConstruction: 40}, data).(*slotIndex), data
}

// share is what a searcher sees around a query.
func shareAround(ix *slotIndex, q []float32, o SearchOptions) float64 {
	s := ix.pool.Get().(*searcher)
	defer s.end()
	o.K = 10
	s.begin(ix, q, &o)
	s.ready()
	s.beam.descend(s.top, 0)
	return s.beam.around()
}

// A filter is judged by the rows around the query, not by those of elsewhere, and by enough of them
// to tell a tenth from next to none.
func TestFilterIsJudgedAroundTheQuery(t *testing.T) {
	const n = 3000
	ix, data := hopIndex(t, n)
	r := rand.New(rand.NewPCG(9, 9))
	even, left := NewBitmap(n), NewBitmap(n)
	for i := range data {
		if r.IntN(10) == 0 {
			even.Add(Slot(i))
		}
		if data[i][0] < 0 {
			left.Add(Slot(i))
		}
	}
	at := func(x float32) []float32 { return []float32{x, 0, 0, 0, 0, 0, 0, 0} }
	require.InDelta(t, 1, shareAround(ix, at(0), SearchOptions{At: n}), 0)
	require.InDelta(t, 0, shareAround(ix, at(0), SearchOptions{At: n, Allowed: NewBitmap(n)}), 0)
	require.Greater(t, shareAround(ix, at(-2), SearchOptions{At: n, Allowed: left}), 0.8)
	require.Less(t, shareAround(ix, at(2), SearchOptions{At: n, Allowed: left}), 0.2)
	require.InDelta(t, 0.1, shareAround(ix, at(0), SearchOptions{At: n, Allowed: even}), 0.07)
	// Rows that a view does not see are not allowed either.
	require.InDelta(t, 0.5, shareAround(ix, at(0), SearchOptions{At: n / 2}), 0.2)
}

// It takes some two hundred rows to judge, and the set of what a two-hop walk may gather has all
// that is allowed and nothing of the walk before.
func TestFilterIsJudgedByEnoughRows(t *testing.T) {
	const n = 1000
	ix, data := hopIndex(t, n)
	s := ix.pool.Get().(*searcher)
	defer s.end()
	s.begin(ix, data[1], &SearchOptions{K: 1, At: n})
	b := s.ready()
	b.descend(s.top, 0)
	require.InDelta(t, 1, b.around(), 0)
	looked := Bitmap{words: b.seen}
	require.GreaterOrEqual(t, looked.Count(), 200)
	require.Less(t, looked.Count(), n/2)

	open := Bitmap{}
	for _, c := range []struct {
		allowed *Bitmap
		count   int
	}{{nil, (n + 63) &^ 63}, {FullBitmap(70), 70}, {FullBitmap(n), n}, {NewBitmap(0), 0}} {
		s.o.Allowed = c.allowed
		b.openAll()
		open.words = b.open
		require.Equal(t, c.count, open.Count())
	}
	b.start(0, 1)
	b.openAll()
	b.open[0], b.batch = 1<<7|1<<9, b.batch[:0]
	s.o.Allowed = FullBitmap(n)
	b.see(7)
	for range 2 {
		b.gatherOpen(7)
		b.gatherOpen(9)
	}
	require.Equal(t, []uint32{9}, b.batch, "each once")
}

// A two-hop walk gives rows that are allowed and visible only, finds nearly all of the nearest, and
// compares fewer than a walk does: also with a set that knows no slots of late, and in a view.
func TestTwoHopWalk(t *testing.T) {
	const n, k = 6000, 10
	ix, data := hopIndex(t, n)
	r := rand.New(rand.NewPCG(3, 3))
	tenth, early := NewBitmap(n), NewBitmap(0)
	for i := range data {
		if r.IntN(10) == 0 {
			tenth.Add(Slot(i))
			if i < n/2 {
				early.Add(Slot(i))
			}
		}
	}
	for name, o := range map[string]SearchOptions{
		"a tenth":            {At: n, Allowed: tenth},
		"a tenth, and early": {At: n, Allowed: early},
		"a tenth, in a view": {At: n / 2, Allowed: tenth},
		"a view":             {At: n / 3},
	} {
		found, hopped, walked := 0, 0, 0
		for q := range 40 {
			ask := func(s Strategy) ([]Hit, SearchInfo) {
				o.K, o.Strategy, o.Ef = k, s, 40
				hits, info, err := ix.Search(nil, data[q*7], o)
				require.NoError(t, err)
				require.Equal(t, s, info.Strategy, name)
				require.Len(t, hits, k, name)
				return hits, info
			}
			truth, _ := ask(Scan)
			_, walk := ask(Walk)
			hits, info := ask(TwoHop)
			hopped, walked = hopped+info.Rows, walked+walk.Rows
			seen := map[Slot]bool{}
			for _, h := range hits {
				require.False(t, seen[h.Slot], "%s: twice", name)
				seen[h.Slot] = true
				require.True(t, o.Allowed == nil || o.Allowed.Contains(h.Slot), name)
				require.Less(t, uint64(h.Slot), o.At, name)
				if slices.Contains(truth, h) {
					found++
				}
			}
		}
		require.GreaterOrEqual(t, float64(found)/(40*k), 0.95, name)
		require.Less(t, hopped, walked, name)
	}
}

// A scan finds every row that is allowed, however they lie in the fours that are compared at once.
func TestScanOfAnyNumberOfRows(t *testing.T) {
	const n = 3*chunkRows + 77
	ix := linkedIndex(t, Config{Dim: 3, Metric: L2, Kind: KindFlat}, randomData(4, n, 3))
	r := rand.New(rand.NewPCG(5, 5))
	for count := range 40 {
		set := NewBitmap(n)
		for set.Count() < count {
			set.Add(Slot(r.IntN(n)))
			if r.IntN(3) == 0 {
				set.Add(Slot(chunkRows + r.IntN(20))) // many in one chunk
			}
		}
		want := slices.Collect(set.All())
		hits, info, err := ix.Search(nil, make([]float32, 3),
			SearchOptions{K: 50, At: n, Allowed: set})
		require.NoError(t, err)
		require.Equal(t, len(want), info.Rows)
		var got []Slot
		for _, h := range hits {
			got = append(got, h.Slot)
		}
		slices.Sort(got)
		require.Equal(t, want, got)
	}
}
