package vectors

import (
	"context"
	"errors"
	"slices"

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
	// Metrics are those that it compares by; nil is cosine alone.
	Metrics []vector.Metric
	// Filters says that its indexes are PeerFilter, too.
	Filters bool
	// New makes an empty index for so many rows.
	New func(dim, rows int, m vector.Metric) (PeerIndex, error)
}

// PeerIndex is one index of a peer. Calls come from one goroutine.
type PeerIndex interface {
	// Add adds a row under its number.
	Add(ctx context.Context, row int, v []float32) error
	// Search appends the numbers of the k nearest rows to dst, in any order; width is 0 for the
	// default. There may be fewer: what is missing counts as not found.
	Search(ctx context.Context, dst []int, q []float32, k, width int) ([]int, error)
}

// PeerFilter is an index that can be asked for rows that are allowed: allowed has a byte per row,
// not 0 where it may be found.
type PeerFilter interface {
	// SearchAllowed is Search among the rows that are allowed.
	SearchAllowed(ctx context.Context, dst []int, q []float32, k, width int, allowed []uint8) (
		[]int, error)
}

// System makes a rival of a peer: in the workloads of our bare index on the sets whose metric it
// has.
func (p Peer) System() measure.System {
	return measure.System{
		Name: p.Name, Peer: true, Version: p.Version, About: p.About,
		Workloads: func(cfg measure.Config) []measure.Workload {
			var all []measure.Workload
			for _, src := range sources(cfg) {
				if !p.compares(src.metric) {
					continue
				}
				for _, w := range p.of(cfg, src) {
					w.Extra, w.Long = true, src.length == long
					all = append(all, w)
				}
			}
			return all
		},
	}
}

func (p Peer) compares(m vector.Metric) bool {
	if p.Metrics == nil {
		return m == vector.Cosine
	}
	return slices.Contains(p.Metrics, m)
}

// of are the workloads of one set.
func (p Peer) of(cfg measure.Config, src source) []measure.Workload {
	f := p.fixture(cfg, src)
	all := []measure.Workload{f.search(0)}
	for _, ef := range p.Widths {
		all = append(all, f.search(ef))
	}
	if !p.Filters {
		return all
	}
	for _, by := range filtersOf(src) {
		for _, ef := range p.Widths {
			all = append(all, f.filtered(by, ef))
		}
	}
	return all
}

// peerFixture is an index of a peer with a set in it.
type peerFixture struct {
	measure.Fixture
	set    *set
	index  PeerIndex
	truths truths
	src    source
	built  measure.Metric
}

func (p Peer) fixture(cfg measure.Config, src source) *peerFixture {
	f := &peerFixture{src: src}
	f.Fixture = measure.Fixture{
		Name: "vector/bare/" + src.name,
		Setup: func(ctx context.Context, _ string) (err error) {
			if f.set, err = src.load(cfg.Seed); err != nil {
				return err
			}
			if f.index, err = p.New(f.set.dim, f.set.len(), f.set.metric); err != nil {
				return err
			}
			f.truths = truths{}
			begun := measure.ProcessorTime()
			for i := range f.set.len() {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				if err := f.index.Add(ctx, i, f.set.row(i)); err != nil {
					return err
				}
			}
			f.built = built(f.set.len(), begun)
			return nil
		},
		Close: func() error {
			f.set, f.index, f.truths = nil, nil, nil
			return nil
		},
	}
	return f
}

// search counts what a peer finds; only what cannot be an answer at all is wrong.
func (f *peerFixture) search(ef int) measure.Workload {
	return measure.Workload{
		Name: "vector/bare/" + f.src.name + "/" + width(ef), Fixture: &f.Fixture,
		About: aboutBare,
		Setup: func(context.Context, string) (*measure.Trial, error) {
			e := &exam{set: f.set, truth: f.truths.of(f.set, nil)}
			return f.trial(e, func(ctx context.Context, dst []int, q []float32) ([]int, error) {
				return f.index.Search(ctx, dst, q, depth, ef)
			}), nil
		},
	}
}

// filtered is a search of one width with a filter.
func (f *peerFixture) filtered(by filter, ef int) measure.Workload {
	return measure.Workload{
		Name:    "vector/bare_filter/" + f.src.name + "/" + by.name + "/" + width(ef),
		Fixture: &f.Fixture, About: aboutBareFilter + by.about,
		Setup: func(context.Context, string) (*measure.Trial, error) {
			index, ok := f.index.(PeerFilter)
			if !ok {
				return nil, errors.New("the peer has no filters")
			}
			e, pass := &exam{set: f.set, truth: f.truths.of(f.set, &by)}, by.allowed(f.set)
			allowed := make([]uint8, f.set.len())
			for row := range allowed {
				if pass(row) {
					allowed[row] = 1
				}
			}
			return f.trial(e, func(ctx context.Context, dst []int, q []float32) ([]int, error) {
				return index.SearchAllowed(ctx, dst, q, depth, ef, allowed)
			}), nil
		},
	}
}

// trial asks one query after the other.
func (f *peerFixture) trial(
	e *exam, search func(ctx context.Context, dst []int, q []float32) ([]int, error),
) *measure.Trial {
	var found []int
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) (err error) {
			query := i % len(f.set.queries)
			if found, err = search(ctx, found[:0], f.set.queries[query]); err != nil {
				return err
			}
			return e.count(query, found)
		},
		Metrics: func() []measure.Metric { return []measure.Metric{e.metric(), f.built} },
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
