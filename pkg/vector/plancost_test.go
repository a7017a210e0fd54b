package vector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// planned is a searcher that can plan and nothing else: no row was killed, and At is the newest
// version. The first c of n rows are allowed.
func planned(n, dim, c int, o SearchOptions) *searcher {
	ix := &slotIndex{config: Config{Dim: dim, FlatRows: FlatBytes / dim}}
	ix.live.Store(int64(n))
	if o.K == 0 {
		o.K = 10
	}
	if c < n {
		o.Allowed = FullBitmap(c)
	}
	return &searcher{ix: ix, n: uint32(n), linked: uint32(n), o: o, k: o.K}
}

// What a scan and a walk cost, at the sizes that docs/vectors.md names.
func TestPlanFollowsTheCosts(t *testing.T) {
	// A walk compares a row of 384 components in about 145 ns, a scan in 30 to 40.
	for dim, ratio := range map[int]float64{128: 6.2, 384: 4.3, 768: 3.4} {
		require.InDelta(t, ratio, planned(1, dim, 1, SearchOptions{}).stepCost(), 0.1)
	}
	few, costs := "few rows are visible and allowed", "the walk would be as wide as a scan"
	rare := "rows around the query are allowed less often than elsewhere"
	most := "most rows are visible and allowed"
	for name, c := range map[string]struct {
		n, c int
		o    SearchOptions
		want plan
	}{
		"up to about 6,700 rows of 100,000 are scanned": {100_000, 6_700, SearchOptions{},
			plan{strategy: Scan, why: few}},
		"more are walked over, judged by those around the query": {100_000, 6_900,
			SearchOptions{}, plan{strategy: Walk, why: rare, width: 18, count: 6_900,
				limit: 1617, share: 0.069, quick: true}},
		"one that a scan is still quick of": {100_000, 10_922, SearchOptions{},
			plan{strategy: Walk, why: rare, width: 23, count: 10_922, limit: 2560,
				share: 0.10922, quick: true}},
		"one more": {100_000, 10_923, SearchOptions{},
			plan{strategy: Walk, why: rare, width: 23, count: 10_923, limit: 2560,
				share: 0.10923}},
		"below two fifths": {100_000, 39_999, SearchOptions{},
			plan{strategy: Walk, why: rare, width: 61, count: 39_999, limit: 9376,
				share: 0.39999}},
		"two fifths": {100_000, 40_000, SearchOptions{},
			plan{strategy: Walk, why: most, width: 61, count: 40_000, limit: 9376}},
		"all": {100_000, 100_000, SearchOptions{},
			plan{strategy: Walk, why: most, width: 128, count: 100_000, limit: 23441}},
		"nothing": {100_000, 0, SearchOptions{}, plan{strategy: Scan, why: few}},
		"so few rows in all that scans are quick": {10_922, 10_922, SearchOptions{},
			plan{strategy: Scan, why: few}},
		"one row more": {10_923, 10_923, SearchOptions{},
			plan{strategy: Walk, why: most, width: 128, count: 10_923, limit: 2560}},
		"a width that costs more": {100_000, 100_000, SearchOptions{Ef: 4_000},
			plan{strategy: Scan, why: costs}},
		"hits that cost more": {100_000, 100_000, SearchOptions{K: 4_000},
			plan{strategy: Scan, why: costs}},
		"a walk of a width": {100_000, 50, SearchOptions{Strategy: Walk, Ef: 40},
			plan{strategy: Walk, why: whyAsked, width: 40}},
		"a walk less wide than its hits": {100_000, 50, SearchOptions{Strategy: TwoHop, Ef: 4},
			plan{strategy: TwoHop, why: whyAsked, width: 10}},
		"a walk of no width": {100_000, 50_000, SearchOptions{Strategy: Walk},
			plan{strategy: Walk, why: whyAsked, width: 74}},
	} {
		p := planned(c.n, 384, c.c, c.o).choose()
		require.InDelta(t, c.want.share, p.share, 1e-9, name)
		p.share = c.want.share
		require.Equal(t, c.want, p, name)
	}
	// The share is that of all rows, of which some are not linked yet.
	s := planned(100_000, 384, 35_000, SearchOptions{})
	s.linked = 80_000
	require.InDelta(t, 0.35, s.choose().share, 1e-9)
}

// The width is the one that was gauged, and never below k.
func TestWidthFollowsTheGauge(t *testing.T) {
	s := planned(100_000, 384, 100_000, SearchOptions{})
	s.ix.graph.width.Store(300)
	require.Equal(t, 300, s.width(1))
	require.Equal(t, 160, s.width(0.5))
	s.ix.graph.width.Store(5)
	require.Equal(t, 128, s.width(1))
	s.k = 1000
	require.Equal(t, 1000, s.width(1))
	s.o.Ef = 2000
	require.Equal(t, 2000, s.width(0.5))
}

// A walk that left its answer open is repeated once, four times as wide, where that costs less than
// a scan; then all is scanned.
func TestOpenAnswersAreWalkedForOnceMore(t *testing.T) {
	open := plan{strategy: Scan, why: "the codes do not tell the nearest rows apart"}
	for _, c := range []struct{ n, c, width int }{{100_000, 100_000, 128}, {1_000_000, 100_000, 22}} {
		s := planned(c.n, 384, c.c, SearchOptions{})
		p := s.choose()
		require.Equal(t, c.width, p.width)
		again := s.wider(p)
		require.Equal(t, 4*c.width, again.width)
		again.width = p.width
		require.Equal(t, p, again)
		again.width *= 4
		require.Equal(t, open, s.wider(again))
	}
	s := planned(100_000, 384, 10_000, SearchOptions{})
	require.Equal(t, open, s.wider(s.choose()), "4 * 22 of 10,000 cost as much as the scan")
}

// What the rows around the query say decides between scan, two-hop and walk.
func TestJudgement(t *testing.T) {
	const n = 2000
	ix, data := hopIndex(t, n)
	half := NewBitmap(n)
	for i := range n / 2 {
		half.Add(Slot(2 * i))
	}
	o := SearchOptions{K: 10, At: n, Allowed: half}
	near := shareAround(ix, data[1], o)
	s := ix.pool.Get().(*searcher)
	defer s.end()
	s.begin(ix, data[1], &o)
	for _, c := range []struct {
		share float64
		quick bool
		want  Strategy
	}{
		{0, true, Walk},
		{near, true, TwoHop},
		{1.99 * near, true, TwoHop},
		{2.01 * near, true, Walk},
		{7.99 * near, true, Walk},
		{8.01 * near, true, Scan},
		{8.01 * near, false, Walk},
	} {
		s.ready().descend(s.top, 0)
		got := s.judge(&plan{strategy: Walk, share: c.share, quick: c.quick})
		require.Equal(t, c.want, got, "%+v", c)
	}
	// What a search leaves in its scratch does not bind the next one.
	s.beam.limit, s.beam.twoHop, s.beam.spares, s.beam.compared = 1, true, 7, 9
	b := s.ready()
	require.Equal(t, []any{0, false, 0, 0}, []any{b.limit, b.twoHop, b.spares, b.compared})
}

// addOnes adds rows i, born at i+1.
func addOnes(t *testing.T, ix Index, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		_, err := ix.Add(fmt.Sprint(i), []float32{float32(i)}, uint64(i+1))
		require.NoError(t, err)
	}
}

// counted is how many rows the planner counts.
func counted(ix Index, at uint64, allowed *Bitmap) int {
	s := new(searcher)
	s.begin(ix.(*slotIndex), []float32{0}, &SearchOptions{K: 1, At: at, Allowed: allowed})
	return s.count()
}

// How many rows are visible is counted where nothing is older, and estimated from rows all over the
// index otherwise, whatever pattern they follow.
func TestCountOfVisibleRows(t *testing.T) {
	const n = 1500
	ix, err := New(Config{Dim: 1, Metric: L2, FlatRows: 10})
	require.NoError(t, err)
	addOnes(t, ix, 0, n)
	for i := range 400 {
		require.NoError(t, ix.Kill(Slot(3*i), 2000))
	}
	all := FullBitmap(n)
	require.Equal(t, n-400, counted(ix, 2000, nil), "exact at the newest version")
	require.Equal(t, n-400, counted(ix, math.MaxUint64-1, nil))
	require.InDelta(t, n, counted(ix, 1999, nil), 0, "none was dead then")
	require.InDelta(t, 700, counted(ix, 700, nil), 100)
	require.InDelta(t, n-400, counted(ix, 2000, all), 100)
	require.InDelta(t, 700, counted(ix, 700, all), 100)
	one := NewBitmap(n)
	one.Add(n - 1)
	require.Equal(t, 1, counted(ix, 2000, one), "in a word that is not full")
	require.Equal(t, 0, counted(ix, 2000, NewBitmap(n)))
	beyond := FullBitmap(2 * n)
	require.InDelta(t, n-400, counted(ix, 2000, beyond), 100, "slots that are not there")

	for to := n; to < 5200; to++ { // the sample ends where the slots do
		addOnes(t, ix, to, to+1)
		counted(ix, 1000, nil)
	}

	few, err := New(Config{Dim: 1, Metric: L2, FlatRows: 10})
	require.NoError(t, err)
	addOnes(t, few, 0, 20)
	require.NoError(t, few.Kill(3, 30))
	require.Equal(t, 60, counted(few, 30, FullBitmap(64)), "of 64, as 19 of 20 are visible")

}

// Estimates do not follow a pattern that what is dead follows.
func TestCountOfPatterns(t *testing.T) {
	// Dead is every other word of slots, which is where a sample of every other one would look.
	big, err := New(Config{Dim: 1, Metric: L2, FlatRows: 10})
	require.NoError(t, err)
	const words = 2 * sampled
	addOnes(t, big, 0, 64*words)
	for i := range 32 * words {
		require.NoError(t, big.Kill(Slot(i>>6<<7|i&63), 1<<20))
	}
	require.InDelta(t, 32*words, counted(big, 1<<20, FullBitmap(64*words)), 4*words)
	low := NewBitmap(64 * words) // the first few of each word
	for i := range 4 * words {
		low.Add(Slot(i>>2<<6 | i&3))
	}
	require.InDelta(t, 2*words, counted(big, 1<<20, low), words/4)
	for w := range 8 { // of which the sample sees some
		one := NewBitmap(64 * words)
		for i := range 64 {
			one.Add(Slot(64*w + i))
		}
		require.Contains(t, []int{0, 64}, counted(big, 1<<20, one))
	}
	for i := range words {
		require.NoError(t, big.Kill(Slot(64*i), 1<<20)) // where a sample of every 128th would
	}
	alive := big.Live()
	require.InDelta(t, alive, counted(big, 1<<20+1, nil), 0)
	_, err = big.Add("later", []float32{0}, 1<<21)
	require.NoError(t, err)
	require.InDelta(t, alive, counted(big, 1<<20, nil), 4*words)
}

// isolate takes all links to some rows out of the lowest level.
func isolate(ix *slotIndex, gone func(node uint32) bool) {
	nodes := ix.graph.nodes.Load()
	for node := range ix.graph.linked.Load() {
		list := nodes.links(node, 0)
		var kept []uint32
		for _, to := range list[:countLinks(list)] {
			if gone(to) == gone(node) && !gone(to) {
				kept = append(kept, to)
			}
		}
		setLinks(list, kept)
	}
}

// A graph that lost its links costs time and never hits: whatever it was that was not reached, as
// many rows are found as there are, and the planner says what it did.
func TestRowsWithoutLinksAreFound(t *testing.T) {
	const n = 2000
	ix, data := hopIndex(t, n)
	ids := map[uint32]bool{}
	for node := range ix.graph.uppers.Load() {
		ids[uint32(ix.graph.nodes.Load().slot(node, 1))] = true
	}
	lost := uint32(0)
	for ids[lost] {
		lost++
	}
	allowed := NewBitmap(n)
	allowed.Add(Slot(lost))
	for i := 100; allowed.Count() < 12; i += 150 {
		allowed.Add(Slot(i))
	}
	ask := func(k int) ([]Hit, SearchInfo) {
		hits, info, err := ix.Search(nil, data[3], SearchOptions{K: k, At: n, Ef: 50,
			Strategy: Walk, Allowed: allowed})
		require.NoError(t, err)
		return hits, info
	}
	hits, info := ask(12)
	require.Len(t, hits, 12)
	require.Equal(t, Walk, info.Strategy)
	isolate(ix, func(node uint32) bool { return node == lost })
	hits, info = ask(12)
	require.Len(t, hits, 12)
	require.Equal(t, []any{Scan, whyAgain, true}, []any{info.Strategy, info.Why, info.Exact})
	require.Greater(t, info.Rows, 12, "those of the walk are counted, too")
	hits, info = ask(11)
	require.Len(t, hits, 11)
	require.Equal(t, Walk, info.Strategy)

	// Of an index that fell to pieces a walk sees one.
	nodes := ix.graph.nodes.Load()
	for node := range uint32(60) {
		setLinks(nodes.links(node, 0), []uint32{(node + 1) % 60})
	}
	s := ix.pool.Get().(*searcher)
	defer s.end()
	walk := func(width, count int) string {
		s.begin(ix, data[3], &SearchOptions{K: 10, At: n})
		s.top = 0 // from the first row
		return s.walk(plan{strategy: Walk, why: whyAsked, width: width, count: count})
	}
	require.Empty(t, walk(128, 60))
	reached := len(s.beam.best)
	require.Equal(t, 60, reached)
	require.Empty(t, walk(128, 2*reached), "half of what there is, about, is all")
	require.Equal(t, "the walk reached a part of the graph only", walk(128, 2*reached+1))
	require.Empty(t, walk(reached, n), "as many as it was to find")
}

// hopSmall has 90 rows, of which 40 are linked.
func hopSmall(t *testing.T) Index {
	ix, err := New(Config{Dim: 8, Metric: L2, Kind: KindGraph})
	require.NoError(t, err)
	for i, vec := range randomData(6, 90, 8) {
		_, err := ix.Add(fmt.Sprint(i), vec, 1)
		require.NoError(t, err)
	}
	linked, err := ix.Link(context.Background(), 40)
	require.NoError(t, err)
	require.Equal(t, 40, linked)
	return ix
}

// A search with rows that are not linked yet: they are scanned beside a walk, once, and what they
// bring does not make up for rows that the walk did not find.
func TestTailIsPartOfEveryAnswer(t *testing.T) {
	const n, tail = 1000, 50
	ix, data := hopIndex(t, n)
	ask := func(o SearchOptions) ([]Hit, SearchInfo) {
		o.At, o.Strategy = n, Walk
		hits, info, err := ix.Search(nil, data[5], o)
		require.NoError(t, err)
		seen := map[Slot]bool{}
		for _, h := range hits {
			require.False(t, seen[h.Slot], "twice")
			seen[h.Slot] = true
		}
		return hits, info
	}
	_, before := ask(SearchOptions{K: 10, Ef: 20})
	require.Zero(t, before.Tail)
	for i := range tail {
		_, err := ix.Add(fmt.Sprint("late-", i), data[i], n)
		require.NoError(t, err)
	}
	hits, info := ask(SearchOptions{K: 10, Ef: 20})
	require.Equal(t, before.Rows+tail, info.Rows)
	require.Equal(t, tail, info.Tail)
	require.Contains(t, []Slot{5, n + 5}, hits[0].Slot)
	require.Contains(t, []Slot{5, n + 5}, hits[1].Slot)

	every, small := FullBitmap(n+tail), hopSmall(t)
	hits, info, err := small.Search(nil, data[5], SearchOptions{K: 90, At: n, Strategy: Walk,
		Allowed: every})
	require.NoError(t, err)
	require.Len(t, hits, 90)
	require.Equal(t, Walk, info.Strategy, "the walk and the scan found all that there is")

	// Rows without links, and enough others in the tail to fill the answer.
	some := NewBitmap(n + tail)
	for i := range tail {
		some.Add(Slot(n + i))
	}
	for _, lost := range []Slot{400, 500, 600} {
		some.Add(lost)
	}
	isolate(ix, func(node uint32) bool { return some.Contains(Slot(node)) })
	hits, info = ask(SearchOptions{K: 40, Ef: 50, Allowed: some})
	require.Len(t, hits, 40)
	require.Equal(t, []any{Scan, whyAgain, true}, []any{info.Strategy, info.Why, info.Exact})
}

// A second walk begins anew: no hit comes twice, and it says why it was made.
func TestSecondWalkBeginsAnew(t *testing.T) {
	const n = 1000
	ix, data := hopIndex(t, n)
	s := ix.pool.Get().(*searcher)
	defer s.end()
	s.begin(ix, data[5], &SearchOptions{K: 20, At: n})
	for _, width := range []int{30, 120} {
		_, failed, err := s.attempt(plan{strategy: Walk, why: "of old", width: width})
		require.NoError(t, err)
		require.Empty(t, failed)
		require.Equal(t, "of old", s.info.Why)
	}
	seen := map[Slot]bool{}
	for _, h := range s.sorted(nil) {
		require.False(t, seen[h.Slot])
		seen[h.Slot] = true
	}
	require.Len(t, seen, 20)
}

// The first error of Fetch ends a search.
func TestFetchErrorEndsTheSearch(t *testing.T) {
	const n, dim = 4400, 256
	gone, calls := errors.New("gone"), 0
	data := randomData(7, n, dim)
	ix := linkedIndex(t, Config{Dim: dim, Metric: L2, Kind: KindGraph, FlatRows: 1, M: 2,
		EfConstruction: 2, Compact: true, Fetch: func(string, uint64, []float32) error {
			calls++
			return gone
		}}, data)
	ix.(*slotIndex).graph.width.Store(defaultEf) // whatever was gauged
	for _, s := range []Strategy{Auto, Walk, Scan} {
		calls = 0
		_, _, err := ix.Search(nil, data[0], SearchOptions{K: 1, At: n, Strategy: s})
		require.ErrorIs(t, err, gone)
		require.Equal(t, 1, calls, s)
	}
}
