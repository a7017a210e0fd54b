package vectors

import (
	"context"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Peer is another index of vectors in memory. It has no transactions, so it stands beside our own
// index without a database.
type Peer struct {
	// Name, Version and About are as in measure.System.
	Name, Version, About string
	// Widths are the widths of a search that it can be asked for; none if it has no such thing.
	Widths []int
	// New makes an empty index of vectors that are compared by cosine.
	New func(dim int) (PeerIndex, error)
}

// PeerIndex is one index of a peer. Calls come from one goroutine.
type PeerIndex interface {
	// Add adds a row under its number.
	Add(ctx context.Context, row int, v []float32) error
	// Search appends the numbers of the k nearest rows to dst, in any order; width is 0 for the
	// default. There may be fewer: what is missing counts as not found.
	Search(ctx context.Context, dst []int, q []float32, k, width int) ([]int, error)
}

// System makes a rival of a peer: in the workloads of our bare index on the sets that are compared
// by cosine.
func (p Peer) System() measure.System {
	return measure.System{
		Name: p.Name, Peer: true, Version: p.Version, About: p.About,
		Workloads: func(cfg measure.Config) []measure.Workload {
			var all []measure.Workload
			for _, src := range sources(cfg) {
				if src.filed || src.metric != vector.Cosine {
					continue
				}
				f := p.fixture(cfg, src)
				for _, ef := range append([]int{0}, p.Widths...) {
					w := f.search(ef)
					w.Extra, w.Long = true, src.length == long
					all = append(all, w)
				}
			}
			return all
		},
	}
}

// peerFixture is an index of a peer with a set in it.
type peerFixture struct {
	measure.Fixture
	set   *set
	index PeerIndex
	truth [][]neighbour
	src   source
}

func (p Peer) fixture(cfg measure.Config, src source) *peerFixture {
	f := &peerFixture{src: src}
	f.Fixture = measure.Fixture{
		Name: "vector/bare/" + src.name,
		Setup: func(ctx context.Context, _ string) (err error) {
			if f.set, err = src.load(cfg.Seed); err != nil {
				return err
			}
			if f.index, err = p.New(f.set.dim); err != nil {
				return err
			}
			for i := range f.set.len() {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				if err := f.index.Add(ctx, i, f.set.row(i)); err != nil {
					return err
				}
			}
			f.truth = f.set.truth(nil)
			return nil
		},
		Close: func() error {
			f.set, f.index, f.truth = nil, nil, nil
			return nil
		},
	}
	return f
}

// search counts what a peer finds; only what cannot be an answer at all is wrong.
func (f *peerFixture) search(ef int) measure.Workload {
	return measure.Workload{
		Name: "vector/bare/" + f.src.name + "/" + width(ef), Fixture: &f.Fixture,
		About: "find the 10 nearest rows in an index without a database",
		Setup: func(context.Context, string) (*measure.Trial, error) {
			e := &exam{set: f.set, truth: f.truth}
			var found []int
			return &measure.Trial{
				Op: func(ctx context.Context, _, i int) (err error) {
					query := i % len(f.set.queries)
					found, err = f.index.Search(ctx, found[:0], f.set.queries[query], depth, ef)
					if err != nil {
						return err
					}
					return e.count(query, found)
				},
				Metrics: func() []measure.Metric { return []measure.Metric{e.metric()} },
			}, nil
		},
	}
}

// count is check for who need not be right: rows, in any order.
func (e *exam) count(query int, rows []int) error {
	truth := e.truth[query]
	seen := make(map[int]bool, len(rows))
	for _, row := range rows {
		if row < 0 || row >= e.set.len() || seen[row] {
			return measure.Wrongf("query %d: row %d is there twice, or not a row", query, row)
		}
		seen[row] = true
		score, last := e.set.score(e.set.queries[query], row), truth[len(truth)-1].score
		if score >= last || near(score, last) {
			e.found++
		}
	}
	e.expected += len(truth)
	return nil
}
