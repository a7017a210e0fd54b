package vectors

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/inmem-db/inmem/pkg/vector"
)

// depth is how many hits every search asks for: recall is recall@10.
const depth = 10

// set is a data set in memory: rows to store, and queries that are not among them.
type set struct {
	name    string // with its size, as in "384/20k"
	dim     int
	metric  vector.Metric
	flat    []float32 // the rows, one after the other
	queries [][]float32
	norms   []float32 // of the rows
	classes []uint8   // per row a number from 0 to 99, by chance: what filters ask for
	areas   []uint8   // per row a number from 0 to 9 that its neighbours mostly share
}

func (s *set) len() int            { return len(s.norms) }
func (s *set) row(i int) []float32 { return s.flat[i*s.dim : (i+1)*s.dim : (i+1)*s.dim] }

// id is the id under which a row is stored.
func id(i int) string { return strconv.Itoa(i) }

// finish computes what follows from the rows.
func (s *set) finish(seed uint64) *set {
	n := len(s.flat) / s.dim
	s.norms, s.classes = make([]float32, n), make([]uint8, n)
	rng := rand.New(rand.NewPCG(seed, 100))
	for i := range n {
		s.norms[i] = float32(math.Sqrt(float64(vector.DotProduct(s.row(i), s.row(i)))))
		s.classes[i] = uint8(rng.IntN(100))
	}
	return s
}

// The shape of a clustered set. Rows lie near a space of few dimensions, as embeddings do, in
// clusters that lie in groups and overlap: the neighbours of a query are spread over several, and
// many others are almost as near. Independent clusters would make recall trivial.
const (
	latent        = 32  // dimensions that clusters differ in
	groups        = 20  // of clusters, multiple of ten
	perCluster    = 200 // rows of a cluster
	clusterSpread = 0.7 // of clusters in a group, the groups' own being 1
	rowSpread     = 0.3 // of rows in a cluster, in the latent space
	noise         = 1.0 // in all dimensions: many rows of a cluster are almost equally near
)

// clustered makes a set of n rows. The same arguments give the same set.
func clustered(name string, n, queries, dim int, metric vector.Metric, seed uint64) *set {
	rng := rand.New(rand.NewPCG(seed, uint64(dim)))
	normal := func(n int, scale float64, around []float32) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(scale * rng.NormFloat64())
			if around != nil {
				x[i] += around[i]
			}
		}
		return x
	}
	spread := make([][]float32, dim) // from the latent space to all dimensions
	for i := range spread {
		spread[i] = normal(latent, 1/math.Sqrt(latent), nil)
	}
	heads := make([][]float32, groups)
	for i := range heads {
		heads[i] = normal(latent, 1, nil)
	}
	clusters := make([][]float32, max(n/perCluster, 2*groups))
	for i := range clusters {
		clusters[i] = normal(latent, clusterSpread, heads[i%groups])
	}
	s := &set{name: name, dim: dim, metric: metric, flat: make([]float32, 0, n*dim)}
	draw := func() ([]float32, int) {
		c := rng.IntN(len(clusters))
		z := normal(latent, rowSpread, clusters[c])
		x := normal(dim, noise, nil)
		for i := range x {
			x[i] += vector.DotProduct(spread[i], z)
		}
		return x, c % groups * 10 / groups
	}
	for range n {
		x, area := draw()
		s.flat, s.areas = append(s.flat, x...), append(s.areas, uint8(area))
	}
	for range queries {
		x, _ := draw()
		s.queries = append(s.queries, x)
	}
	return s.finish(seed)
}

// score is what a row is worth for a query, as the database counts: higher is better.
func (s *set) score(q []float32, i int) float32 {
	switch s.metric {
	case vector.L2:
		return -vector.SquaredL2(q, s.row(i))
	case vector.Cosine:
		norm := math.Sqrt(float64(vector.DotProduct(q, q))) * float64(s.norms[i])
		if norm == 0 {
			return 0
		}
		return float32(float64(vector.DotProduct(q, s.row(i))) / norm)
	}
	return vector.DotProduct(q, s.row(i))
}

// neighbour is a row with its score.
type neighbour struct {
	row   int
	score float32
}

// truth is the exact answer to every query among the rows that are allowed, best first. All
// processors work on it.
func (s *set) truth(allowed func(row int) bool) [][]neighbour {
	answers := make([][]neighbour, len(s.queries))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(answers); i += workers {
				answers[i] = s.exact(s.queries[i], allowed)
			}
		})
	}
	wg.Wait()
	return answers
}

// exact goes over all rows.
func (s *set) exact(q []float32, allowed func(row int) bool) []neighbour {
	best := make([]neighbour, 0, depth+1)
	for i := range s.len() {
		if allowed != nil && !allowed(i) {
			continue
		}
		n := neighbour{i, s.score(q, i)}
		if len(best) == depth && n.score <= best[depth-1].score {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, n, func(a, b neighbour) int {
			return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row))
		})
		best = slices.Insert(best, at, n)
		best = best[:min(len(best), depth)]
	}
	return best
}
