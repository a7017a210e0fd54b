package vector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/invariants"
	"github.com/inmem-db/inmem/pkg/codec"
)

// twin is an index as dumb as can be: the oracle.
type twin struct {
	metric Metric
	rows   []twinRow
}

type twinRow struct {
	id         string
	vec        []float32
	born, died uint64
}

func (t *twin) search(q []float32, o SearchOptions) []Hit {
	scorer, err := NewScorer(t.metric, q)
	if err != nil {
		return nil
	}
	hits := []Hit{}
	for s, r := range t.rows {
		if r.born <= o.At && o.At < r.died && (o.Allowed == nil || o.Allowed.Contains(Slot(s))) {
			hits = append(hits, Hit{Slot(s), scorer.Score(r.vec)})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		switch {
		case a.Score != b.Score && a.Score > b.Score:
			return -1
		case a.Score != b.Score:
			return 1
		case t.rows[a.Slot].id < t.rows[b.Slot].id:
			return -1
		case t.rows[a.Slot].id > t.rows[b.Slot].id:
			return 1
		}
		return int(a.Slot) - int(b.Slot)
	})
	return hits[:min(o.K, len(hits))]
}

func randomVector(r *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// R300: search of an exact index against the dumbest twin, over metrics, versions and filters.
func TestFlatIsExact(t *testing.T) {
	for _, metric := range []Metric{Cosine, Dot, L2} {
		t.Run(metric.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(metric)))
			const dim = 19
			ix, err := New(Config{Dim: dim, Metric: metric, Kind: KindFlat})
			require.NoError(t, err)
			dumb := &twin{metric: metric}
			for i := range 2500 {
				id := fmt.Sprintf("row-%d", i)
				vec := randomVector(r, dim)
				if i%50 == 0 {
					clear(vec)
				}
				if i%70 == 1 {
					vec = slices.Clone(dumb.rows[i/2].vec)
				}
				slot, err := ix.Add(id, vec, uint64(i+1))
				require.NoError(t, err)
				require.Equal(t, Slot(i), slot)
				dumb.rows = append(dumb.rows, twinRow{id, vec, uint64(i + 1), math.MaxUint64})
				if i%3 == 2 {
					at := r.IntN(i)
					require.NoError(t, ix.Kill(Slot(at), uint64(i+1)))
					dumb.rows[at].died = uint64(i + 1)
				}
			}
			for range 60 {
				q := randomVector(r, dim)
				o := SearchOptions{K: 1 + r.IntN(40), At: uint64(r.IntN(2600))}
				if r.IntN(2) == 0 {
					o.Allowed = NewBitmap(0)
					for range 1 + r.IntN(600) {
						o.Allowed.Add(Slot(r.IntN(2500)))
					}
				}
				got, info, err := ix.Search([]Hit{}, q, o)
				require.NoError(t, err)
				require.Equal(t, dumb.search(q, o), got)
				require.True(t, info.Exact)
			}
		})
	}
}

func TestSearchRefuses(t *testing.T) {
	ix, err := New(Config{Dim: 2, Metric: Cosine})
	require.NoError(t, err)
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for _, vec := range [][]float32{nil, {1}, {1, 2, 3}, {1, nan}, {inf, 0}, {-inf, 0}, {1e18, 1e18}} {
		_, err := ix.Add("x", vec, 1)
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
		_, _, err = ix.Search(nil, vec, SearchOptions{K: 1})
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
	}
	for _, o := range []SearchOptions{{}, {K: -1}, {K: 1, Ef: -1}, {K: 1, Strategy: 9}} {
		_, _, err := ix.Search(nil, []float32{1, 2}, o)
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
	}
	hits, _, err := ix.Search(nil, []float32{1, 2}, SearchOptions{K: math.MaxInt})
	require.NoError(t, err)
	require.Empty(t, hits)
}

func TestConfigRefuses(t *testing.T) {
	for _, c := range []Config{
		{}, {Dim: 3}, {Metric: L2}, {Dim: -1, Metric: L2}, {Dim: MaxDim + 1, Metric: L2},
		{Dim: 3, Metric: 4}, {Dim: 3, Metric: L2, Kind: 3}, {Dim: 3, Metric: L2, M: 1},
		{Dim: 3, Metric: L2, M: MaxM + 1}, {Dim: 3, Metric: L2, EfConstruction: 3},
		{Dim: 3, Metric: L2, EfConstruction: 1 << 20}, {Dim: 3, Metric: L2, Compact: true},
		{Dim: 3, Metric: L2, FlatRows: -1},
	} {
		_, err := New(c)
		require.ErrorIs(t, err, codec.ErrInvalidArgument, "%+v", c)
	}
	for _, m := range []Metric{Cosine, Dot, L2} {
		parsed, err := ParseMetric(m.String())
		require.NoError(t, err)
		require.Equal(t, m, parsed)
	}
	_, err := ParseMetric("manhattan")
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
}

// A compact index gives the same answers, from rows that it fetches; an error there ends the
// search.
func TestCompact(t *testing.T) {
	data := randomData(5, 700, 24)
	for _, metric := range []Metric{Cosine, Dot, L2} {
		c := Config{Dim: 24, Metric: metric, Kind: KindGraph, EfConstruction: 40}
		full := linkedIndex(t, c, data)
		c.Compact, c.Fetch = true, fetchFrom(data)
		compact := linkedIndex(t, c, data)
		sameAnswers(t, full, compact)
		require.Equal(t, full.Bytes()-4*24*1024, compact.Bytes())
		require.NoError(t, compact.Restore(0, data[0]))
		require.Equal(t, full.Bytes()-4*24*1024, compact.Bytes())

		// An index becomes compact at any time, beside searches, and says so.
		full.(*slotIndex).config.Fetch = c.Fetch
		var wait sync.WaitGroup
		wait.Go(func() {
			for range 3 {
				sameAnswers(t, full, compact)
			}
		})
		require.False(t, full.Config().Compact)
		require.NoError(t, full.Compact())
		wait.Wait()
		require.True(t, full.Config().Compact)
		require.Equal(t, compact.Bytes(), full.Bytes())
		fresh, _, err := full.Rebuild(t.Context(), 700)
		require.NoError(t, err)
		require.True(t, fresh.Config().Compact)

		broken := fmt.Errorf("no row")
		compact.(*slotIndex).config.Fetch = func(string, uint64, []float32) error { return broken }
		before := []Hit{{Slot: 3}}
		hits, _, err := compact.Search(before, data[0], SearchOptions{K: 1, At: 700})
		require.ErrorIs(t, err, broken)
		require.Equal(t, before, hits)
	}
}

// A search allocates nothing, whatever the strategy.
func TestSearchAllocates(t *testing.T) {
	data := randomData(6, 2000, 16)
	ix := linkedIndex(t, Config{Dim: 16, Metric: Cosine, Kind: KindGraph, FlatRows: 1,
		EfConstruction: 40}, data)
	dst := make([]Hit, 0, 10)
	set := FullBitmap(1500)
	most := 3.0
	if invariants.Race {
		most = 30
	}
	for _, strategy := range []Strategy{Auto, Scan, Walk, TwoHop} {
		o := SearchOptions{K: 10, At: 2000, Ef: 20, Strategy: strategy, Allowed: set}
		allocs := testing.AllocsPerRun(50, func() {
			hits, _, err := ix.Search(dst[:0], data[7], o)
			if err != nil || hits[0].Slot != 7 {
				t.Fatal(hits, err)
			}
		})
		// The pool of scratch may be emptied in between; under -race it forgets at random.
		require.Less(t, allocs, most, strategy)
	}
}

func TestFindAndIDs(t *testing.T) {
	ix, err := New(Config{Dim: 1, Metric: Dot})
	require.NoError(t, err)
	_, found := ix.Find("nobody")
	require.False(t, found)
	long := string(make([]byte, maxID))
	for i := range 5000 {
		id := fmt.Sprint("id ", i%3000)
		if i%1000 == 999 {
			id = long
		}
		if i%1000 == 0 {
			id = ""
		}
		if old, ok := ix.Find(id); ok {
			require.NoError(t, ix.Kill(old, uint64(i)))
		}
		slot, err := ix.Add(id, []float32{1}, uint64(i))
		require.NoError(t, err)
		require.Equal(t, id, ix.ID(slot))
		now, ok := ix.Find(id)
		require.True(t, ok)
		require.Equal(t, slot, now)
	}
	born, died := ix.Life(0)
	require.Equal(t, []uint64{0, 1000}, []uint64{born, died})
	_, err = ix.Add(long+"x", []float32{1}, 1)
	require.ErrorIs(t, err, codec.ErrTooLarge)
	require.Equal(t, 5000, ix.Slots())
}

// What bound promises, on rows of all magnitudes.
func TestBoundHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, metric := range []Metric{Cosine, Dot, L2} {
		for range 3000 {
			dim := 1 + r.IntN(70)
			a, b := randomVector(r, dim), randomVector(r, dim)
			for i := range a {
				a[i] *= float32(math.Pow(10, float64(r.IntN(6)-3)))
				b[i] = a[i]*float32(r.IntN(2)) + b[i]*float32(math.Pow(10, float64(r.IntN(6)-3)))
			}
			var q query
			q.set(metric, a)
			row := slices.Clone(b)
			held(metric, row)
			code := make([]int8, dim)
			m := quantise(code, row)
			exact := score(metric, q.row, row)
			estimate := q.estimate(DotInt8(q.code, code), &m)
			require.LessOrEqual(t, math.Abs(float64(exact)-float64(estimate)),
				float64(q.bound(estimate, &m)), metric)
			require.LessOrEqual(t, q.least(exact, &m), estimate)
		}
	}
}

func TestBitmap(t *testing.T) {
	a, b := NewBitmap(10), FullBitmap(70)
	for _, s := range []Slot{0, 63, 64, 69, 70, 1000} {
		a.Add(s)
	}
	require.Equal(t, 6, a.Count())
	require.Equal(t, 70, b.Count())
	both := a.Clone()
	both.And(b)
	require.Equal(t, []Slot{0, 63, 64, 69}, slices.Collect(both.All()))
	either := b.Clone()
	either.Or(a)
	require.Equal(t, 72, either.Count())
	either.AndNot(b)
	require.Equal(t, []Slot{70, 1000}, slices.Collect(either.All()))
	a.Remove(63)
	a.Remove(5000)
	require.False(t, a.Contains(63))
	require.False(t, a.Contains(5000))
	a.Reset()
	a.Add(1000)
	require.Equal(t, 1, a.Count())
	require.Positive(t, a.Bytes())
}
