package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHistogramAgreesWithSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(rng.Uint64N(1 << rng.UintN(34)))
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, .01, .25, .5, .9, .99, .999} {
		want := all[int(q*float64(len(all)))]
		require.InDelta(t, float64(want), float64(h.Quantile(q)), float64(want)*.016+1, "q %v", q)
	}
	require.Equal(t, all[len(all)-1], h.Quantile(1))
	require.Equal(t, all[len(all)-1], h.Max())
	require.EqualValues(t, len(all), h.Count())
}

func TestHistogramEdges(t *testing.T) {
	var h, other Histogram
	require.Zero(t, h.Quantile(.5))
	h.Add(-5) // a clock correction can take away more than there was
	other.Add(1 << 62)
	h.Merge(&other)
	require.Zero(t, h.Quantile(0))
	require.Equal(t, time.Duration(1<<62), h.Max())
	last := -1
	for d := time.Duration(0); d < 1<<20; d += d/97 + 1 {
		b := bucketOf(d)
		require.GreaterOrEqual(t, b, last, "at %d", d)
		require.InDelta(t, float64(d), float64(middleOf(b)), float64(d)/64+1)
		last = b
	}
}

func TestKeysAndLCGAreDeterministic(t *testing.T) {
	keys := MakeKeys("key", 12_345)
	require.Equal(t, 12_345, keys.Len())
	for _, i := range []int{0, 9, 10, 999, 12_344} {
		require.Equal(t, fmt.Sprintf("key_%06d", i), keys.At(i))
	}
	require.Equal(t, "key_00999999", MakeKeys("key", MaxKeys+1).At(MaxKeys-1))
	// Golden: a change here makes all figures incomparable.
	g := NewLCG(DefaultSeed, 0)
	var got []int
	for range 6 {
		got = append(got, g.Below(10_000))
	}
	require.Equal(t, []int{5272, 2140, 4153, 4876, 5480, 5478}, got)
	hits := make([]int, 10)
	for range 10_000 {
		hits[g.Below(10)]++
	}
	for i, n := range hits {
		require.InDelta(t, 1000, n, 200, "number %d", i)
	}
}

// A point of a curve is chosen by its place, too.
func TestCurvesHaveNames(t *testing.T) {
	w := Workload{Name: "rows/get_uniform/1k", Curve: &Curve{"keys", "get", 1000}}
	require.Equal(t, []string{"rows/get_uniform/1k", "curves/keys/get/1k"}, w.Names())
	w.Name = "curves/keys/get/1k"
	require.Equal(t, []string{"curves/keys/get/1k"}, w.Names())
	w.Curve = nil
	require.Len(t, w.Names(), 1)
	require.Equal(t, []string{"0", "11", "1k", "10k", "1m"},
		[]string{Count(0), Count(11), Count(1000), Count(10_000), Count(1_000_000)})
}

func TestStat(t *testing.T) {
	require.Equal(t, Stat{}, StatOf(nil))
	require.Equal(t, Stat{3, 1, 9}, StatOf([]float64{9, 1, 3}))
	require.Equal(t, Stat{2.5, 1, 4}, StatOf([]float64{4, 1, 3, 2}))
	require.InDelta(t, .6, StatOf([]float64{4, 1, 3, 2}).Spread(), 1e-9)
}

// A ratio is the median of the repeats' quotients, not the quotient of the medians: the machine may
// be slow for both in one repeat.
func TestRatioPairsRepeats(t *testing.T) {
	at := func(rates ...int) []*Sample {
		var list []*Sample
		for _, n := range rates {
			list = append(list, &Sample{Ops: n, Elapsed: time.Second})
		}
		return list
	}
	limit := System{Name: "limit", Limit: true}
	mine := Result{Case{System{Name: "mine"}, Workload{Name: "g/a"}}, at(50, 10, 100)}
	all := []Result{mine, {Case{limit, Workload{Name: "g/a"}}, at(100, 20, 1000)}}
	ratio, name, ok := mine.Ratio(all)
	require.True(t, ok)
	require.Equal(t, "limit", name)
	require.InDelta(t, .5, ratio.Median, 1e-9)
	_, _, ok = all[1].Ratio(all)
	require.False(t, ok, "a limit has no limit")
	_, _, ok = mine.Ratio(all[:1])
	require.False(t, ok)
}

func TestSettleWaitsForQuiet(t *testing.T) {
	looks := 0
	used := time.Duration(0)
	settle(t.Context(), func() (time.Duration, bool) {
		if looks++; looks < 5 {
			used += time.Second // busy four times
		}
		return used, true
	}, settleMost)
	require.Equal(t, 6, looks, "then quiet twice")

	looks = 0
	settle(t.Context(), func() (time.Duration, bool) { looks++; return 0, false }, settleMost)
	require.Equal(t, 1, looks, "where it cannot be known, nothing waits")

	_, _ = processorTime() // exists on every system
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	settle(ctx, func() (time.Duration, bool) { used += time.Hour; return used, true }, settleMost)
	require.Less(t, time.Since(start), settleMost)
}
