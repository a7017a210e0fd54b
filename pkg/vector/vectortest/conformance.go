package vectortest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/vector"
)

// Make returns an empty index.
type Make func(vector.Config) (vector.Index, error)

// Run checks the indexes of a maker: every kind, every metric. With -short it takes smaller sets.
func Run(t *testing.T, make Make) {
	t.Run("histories", func(t *testing.T) { histories(t, make) })
	t.Run("edges", func(t *testing.T) { edges(t, make) })
	t.Run("determinism", func(t *testing.T) { determinism(t, make) })
	t.Run("concurrency", func(t *testing.T) { concurrency(t, make) })
	t.Run("rebuild", func(t *testing.T) { rebuild(t, make) })
	t.Run("recall", func(t *testing.T) { recall(t, make) })
	t.Run("views", func(t *testing.T) { views(t, make) })
	t.Run("updates", func(t *testing.T) { updates(t, make) })
	t.Run("duplicates", func(t *testing.T) { duplicates(t, make) })
}

// pair is an index and its twin under one random history.
type pair struct {
	index   vector.Index
	twin    *Twin
	version uint64
	living  []vector.Slot
	ids     int
}

// histories: add, update, kill, link and search in any order, at any version, with and without a
// filter. What is exact agrees to the bit; anything else has no wrong member and never too few.
func histories(t *testing.T, make Make) {
	rapid.Check(t, func(t *rapid.T) {
		c := vector.Config{
			Dim:            rapid.SampledFrom([]int{1, 2, 3, 7, 16, 33}).Draw(t, "dim"),
			Metric:         rapid.SampledFrom(metrics).Draw(t, "metric"),
			Kind:           rapid.SampledFrom(kinds).Draw(t, "kind"),
			M:              rapid.IntRange(2, 8).Draw(t, "m"),
			EfConstruction: 8, Seed: rapid.Uint64().Draw(t, "seed"),
			FlatRows: rapid.SampledFrom([]int{1, 10, 100, 0}).Draw(t, "flat rows"),
		}
		index, err := make(c)
		require.NoError(t, err)
		p := &pair{index: index, twin: NewTwin(c.Metric)}
		t.Repeat(map[string]func(*rapid.T){
			"add":    p.add,
			"update": p.update,
			"kill":   p.kill,
			"link":   p.link,
			"search": p.search,
		})
	})
}

var (
	metrics = []vector.Metric{vector.Cosine, vector.Dot, vector.L2}
	kinds   = []vector.Kind{vector.KindAuto, vector.KindFlat, vector.KindGraph}
)

// drawVector is one of few, so that ties, duplicates and zero vectors are frequent, or any.
func (p *pair) drawVector(t *rapid.T) []float32 {
	dim := p.index.Config().Dim
	if rapid.Bool().Draw(t, "any") {
		return rapid.SliceOfN(rapid.Float32Range(-1000, 1000), dim, dim).Draw(t, "vector")
	}
	return rapid.SliceOfN(rapid.Map(rapid.IntRange(-1, 1),
		func(i int) float32 { return float32(i) }), dim, dim).Draw(t, "small vector")
}

func (p *pair) put(t *rapid.T, id string) {
	vec := p.drawVector(t)
	slot, err := p.index.Add(id, vec, p.version)
	require.NoError(t, err)
	require.Equal(t, p.twin.Add(id, vec, p.version), slot)
	require.Equal(t, id, p.index.ID(slot))
	p.living = append(p.living, slot)
}

func (p *pair) add(t *rapid.T) {
	p.version++
	for range rapid.IntRange(1, 40).Draw(t, "rows") {
		p.ids++
		p.put(t, fmt.Sprintf("id-%d", mixed(p.ids)))
	}
}

// mixed makes the order of ids another than that of slots.
func mixed(i int) int { return i * 7919 % 100_003 }

func (p *pair) drop(t *rapid.T) (id string) {
	if len(p.living) == 0 {
		t.Skip("nothing lives")
	}
	at := rapid.IntRange(0, len(p.living)-1).Draw(t, "which")
	slot := p.living[at]
	p.living = append(p.living[:at], p.living[at+1:]...)
	p.version++
	require.NoError(t, p.index.Kill(slot, p.version))
	p.twin.Kill(slot, p.version)
	return p.index.ID(slot)
}

func (p *pair) kill(t *rapid.T) {
	id := p.drop(t)
	_, found := p.index.Find(id)
	require.False(t, found)
}

func (p *pair) update(t *rapid.T) {
	id := p.drop(t)
	p.put(t, id)
	slot, found := p.index.Find(id)
	require.True(t, found)
	require.Equal(t, p.living[len(p.living)-1], slot)
}

func (p *pair) link(t *rapid.T) {
	tail := p.index.Tail()
	linked, err := p.index.Link(context.Background(), rapid.IntRange(1, 60).Draw(t, "slots"))
	require.NoError(t, err)
	require.Equal(t, tail-linked, p.index.Tail())
}

func (p *pair) search(t *rapid.T) {
	o := vector.SearchOptions{
		K:        rapid.IntRange(1, 30).Draw(t, "k"),
		At:       rapid.Uint64Range(0, p.version+1).Draw(t, "at"),
		Ef:       rapid.IntRange(0, 20).Draw(t, "ef"),
		Strategy: rapid.SampledFrom(strategies).Draw(t, "strategy"),
	}
	if rapid.Bool().Draw(t, "filtered") {
		o.Allowed = vector.NewBitmap(0)
		for _, s := range rapid.SliceOfN(rapid.IntRange(0, len(p.twin.rows)), 0, 60).
			Draw(t, "allowed") {
			o.Allowed.Add(vector.Slot(s))
		}
	}
	p.check(t, p.drawVector(t), o)
	require.Equal(t, len(p.living), p.index.Live())
	require.Equal(t, len(p.twin.rows), p.index.Slots())
}

var strategies = []vector.Strategy{vector.Auto, vector.Scan, vector.Walk, vector.TwoHop}

// check compares one answer with the twin's.
func (p *pair) check(t require.TestingT, q []float32, o vector.SearchOptions) {
	want := p.twin.Search(q, o)
	got, info, err := p.index.Search([]vector.Hit{}, q, o)
	require.NoError(t, err)
	if info.Exact {
		require.Equal(t, want, got, info)
		return
	}
	require.NotEqual(t, vector.KindFlat, p.index.Config().Kind, info)
	p.members(t, q, o, want, got)
}

// members: no hit that may not be seen, none twice, never too few, each with its true score, in
// order.
func (p *pair) members(t require.TestingT, q []float32, o vector.SearchOptions,
	want, got []vector.Hit,
) {
	require.Len(t, got, len(want))
	scorer, err := vector.NewScorer(p.index.Config().Metric, q)
	require.NoError(t, err)
	for i, h := range got {
		require.True(t, p.twin.Seen(h.Slot, o))
		require.Equal(t, scorer.Score(p.twin.rows[h.Slot].vec), h.Score)
		if i > 0 {
			require.Negative(t, p.twin.compare(got[i-1], h))
		}
	}
}

// edges: the empty index, huge k, zero vectors, versions at the ends.
func edges(t *testing.T, make Make) {
	for _, metric := range metrics {
		for _, kind := range kinds {
			index, err := make(vector.Config{Dim: 3, Metric: metric, Kind: kind})
			require.NoError(t, err)
			p := &pair{index: index, twin: NewTwin(metric)}
			huge := vector.SearchOptions{K: math.MaxInt, At: math.MaxUint64 - 1}
			p.check(t, []float32{1, 2, 3}, huge)
			for i, vec := range [][]float32{
				{0, 0, 0}, {1, 0, 0}, {-1, 0, 0}, {0, 0, 0}, {1e-30, 0, 0}, {5e17, -5e17, 5e17},
				{1e-45, 0, 0}, {-5e17, 5e17, 5e17}, {1, 0, 0},
			} {
				id := fmt.Sprint(9 - i)
				_, err := index.Add(id, vec, uint64(i))
				require.NoError(t, err)
				p.twin.Add(id, vec, uint64(i))
			}
			require.NoError(t, index.Kill(8, math.MaxUint64-1))
			p.twin.Kill(8, math.MaxUint64-1)
			_, err = index.Link(context.Background(), 5)
			require.NoError(t, err)
			for _, row := range p.twin.rows {
				for _, k := range []int{1, 4, math.MaxInt} {
					for _, at := range []uint64{0, 4, 8, math.MaxUint64 - 2, math.MaxUint64 - 1} {
						o := vector.SearchOptions{K: k, At: at, Strategy: vector.Scan}
						p.check(t, row.vec, o)
						o.Strategy = vector.Auto
						p.check(t, row.vec, o)
						o.Allowed = vector.NewBitmap(1)
						p.check(t, row.vec, o)
					}
				}
			}
			require.Error(t, index.Kill(9, 1))
			require.Empty(t, index.ID(9))
		}
	}
}
