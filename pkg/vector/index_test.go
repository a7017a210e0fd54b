package vector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

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
	for _, vec := range [][]float32{nil, {1}, {1, 2, 3}, {1, nan}, {inf, 0}, {-inf, 0}, {1e19, 0}} {
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
