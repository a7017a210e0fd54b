package vectortest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/inmem-db/inmem/pkg/vector"
)

// Twin is an index that compares every row with every query. Its slots are those that an index
// gives for the same calls. Not safe for concurrent use.
type Twin struct {
	metric vector.Metric
	rows   []row
}

type row struct {
	id         string
	vec        []float32
	born, died uint64
}

// NewTwin returns an empty twin.
func NewTwin(m vector.Metric) *Twin { return &Twin{metric: m} }

// Add is Index.Add for arguments that it would accept. It keeps vec.
func (t *Twin) Add(id string, vec []float32, born uint64) vector.Slot {
	t.rows = append(t.rows, row{id, vec, born, math.MaxUint64})
	return vector.Slot(len(t.rows) - 1)
}

// Kill is Index.Kill.
func (t *Twin) Kill(slot vector.Slot, died uint64) { t.rows[slot].died = died }

// Seen tells whether a search with these options may return a slot.
func (t *Twin) Seen(slot vector.Slot, o vector.SearchOptions) bool {
	r := t.rows[slot]
	return r.born <= o.At && o.At < r.died && (o.Allowed == nil || o.Allowed.Contains(slot))
}

// Search returns the true hits, nil for a query that is none.
func (t *Twin) Search(q []float32, o vector.SearchOptions) []vector.Hit {
	scorer, err := vector.NewScorer(t.metric, q)
	if err != nil {
		return nil
	}
	hits := []vector.Hit{}
	for s, r := range t.rows {
		if slot := vector.Slot(s); t.Seen(slot, o) {
			hits = append(hits, vector.Hit{Slot: slot, Score: scorer.Score(r.vec)})
		}
	}
	slices.SortFunc(hits, t.compare)
	return hits[:min(o.K, len(hits))]
}

func (t *Twin) compare(a, b vector.Hit) int {
	return cmp.Or(-cmp.Compare(a.Score, b.Score),
		cmp.Compare(t.rows[a.Slot].id, t.rows[b.Slot].id), cmp.Compare(a.Slot, b.Slot))
}

// Recall is the share of the true hits that was found; a hit that is as good as the last true one
// counts, whichever of several equals it is. It is 1 when there are none.
func Recall(got, want []vector.Hit) float64 {
	if len(want) == 0 {
		return 1
	}
	found := 0
	for _, h := range got {
		if h.Score >= want[len(want)-1].Score {
			found++
		}
	}
	return float64(min(found, len(want))) / float64(len(want))
}

// Clustered returns n vectors that lie like those of texts and pictures do: in clusters of very
// different sizes, near a space of far fewer dimensions. Same seed, same vectors.
func Clustered(seed uint64, n, dim int) [][]float32 {
	const clusters, latent = 60, 24
	r := rand.New(rand.NewPCG(seed, 1))
	basis, centers := Random(r, latent, dim), Random(r, clusters, latent)
	out := make([][]float32, n)
	for i := range out {
		u := r.Float64()
		center := centers[int(u*u*clusters)]
		out[i] = make([]float32, dim)
		for j, direction := range basis {
			at := (center[j] + 0.7*float32(r.NormFloat64())) / float32(math.Sqrt(float64(1+j)))
			for d := range direction {
				out[i][d] += at * direction[d]
			}
		}
		for d := range dim {
			out[i][d] += 0.2 * float32(r.NormFloat64())
		}
	}
	return out
}

// Random returns n vectors of normally distributed numbers, without any structure.
func Random(r *rand.Rand, n, dim int) [][]float32 {
	out := make([][]float32, n)
	for i := range out {
		out[i] = make([]float32, dim)
		for d := range dim {
			out[i][d] = float32(r.NormFloat64())
		}
	}
	return out
}
