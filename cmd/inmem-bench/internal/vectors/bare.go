package vectors

import (
	"context"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/pkg/vector"
)

// bare is a fixture: the index of package vector by itself, without rows, transactions, ids of the
// database or a disk: what the database cannot be faster than, and what other indexes are.
type bare struct {
	measure.Fixture
	cfg    measure.Config
	src    source
	set    *set
	index  vector.Index
	truths truths
	built  measure.Metric
}

const (
	aboutBare       = "find the 10 nearest rows in an index without a database"
	aboutBareFilter = "find in an index alone the 10 nearest of "
)

// built is how fast an index was made, in processor time.
func built(rows int, begun time.Duration) measure.Metric {
	used := measure.ProcessorTime() - begun
	return measure.Metric{Name: "built rows/CPU s", Value: float64(rows) / max(used.Seconds(), 1e-9)}
}

// kept is the share of rows that wait to be linked when the fixture is ready: how quickly that goes
// depends on how many there are already.
const kept = 20

func newBare(cfg measure.Config, src source) *bare {
	b := &bare{cfg: cfg, src: src}
	b.Fixture = measure.Fixture{
		Name:  "vector/bare/" + src.name,
		Setup: b.setup,
		Close: func() error {
			b.set, b.index, b.truths = nil, nil, nil
			return nil
		},
	}
	return b
}

func (b *bare) setup(ctx context.Context, _ string) (err error) {
	if b.set, err = b.src.load(b.cfg.Seed); err != nil {
		return err
	}
	b.index, err = vector.New(vector.Config{
		Dim: b.set.dim, Metric: b.set.metric, Kind: vector.KindGraph,
	})
	if err != nil {
		return err
	}
	b.truths = truths{}
	begun := measure.ProcessorTime()
	for i := range b.set.len() {
		if _, err := b.index.Add(id(i), b.set.row(i), 1); err != nil {
			return err
		}
	}
	if err := b.linkTo(ctx, 0); err != nil {
		return err
	}
	b.built = built(b.set.len(), begun)
	return nil
}

// linkTo links until no more than so many rows wait.
func (b *bare) linkTo(ctx context.Context, waiting int) error {
	for b.index.Tail() > waiting {
		n, err := b.index.Link(ctx, min(1000, b.index.Tail()-waiting))
		if err != nil {
			return err
		}
		if n == 0 {
			return measure.Wrongf("nothing was linked, and %d rows wait", b.index.Tail())
		}
	}
	return nil
}

func (b *bare) search(ef int) measure.Workload {
	return measure.Workload{
		Name: "vector/bare/" + b.src.name + "/" + width(ef), Fixture: &b.Fixture,
		About: aboutBare,
		Setup: func(context.Context, string) (*measure.Trial, error) {
			e := &exam{set: b.set, truth: b.truths.of(b.set, nil)}
			if ef == 0 {
				e.least = leastRecall
			}
			return b.trial(e, vector.SearchOptions{K: depth, At: 1, Ef: ef}), nil
		},
	}
}

// filtered is a search with a filter: of one width, or as the planner has it.
func (b *bare) filtered(by filter, ef int) measure.Workload {
	return measure.Workload{
		Name:    "vector/bare_filter/" + b.src.name + "/" + by.name + "/" + width(ef),
		Fixture: &b.Fixture, About: aboutBareFilter + by.about,
		Setup: func(context.Context, string) (*measure.Trial, error) {
			e, pass := &exam{set: b.set, truth: b.truths.of(b.set, &by)}, by.allowed(b.set)
			if ef == 0 {
				e.least = leastRecall
			}
			allowed := vector.NewBitmap(b.set.len())
			for row := range b.set.len() {
				if pass(row) {
					allowed.Add(vector.Slot(row))
				}
			}
			return b.trial(e, vector.SearchOptions{K: depth, At: 1, Ef: ef, Allowed: allowed}), nil
		},
	}
}

// trial asks one query after the other.
func (b *bare) trial(e *exam, o vector.SearchOptions) *measure.Trial {
	var found []vector.Hit
	hits := make([]hit, 0, depth)
	return &measure.Trial{
		Op: func(_ context.Context, _, i int) (err error) {
			query := i % len(b.set.queries)
			found, _, err = b.index.Search(found[:0], b.set.queries[query], o)
			if err != nil {
				return err
			}
			hits = hits[:0]
			for _, f := range found {
				hits = append(hits, hit{b.index.ID(f.Slot), f.Score})
			}
			return e.check(query, hits)
		},
		Check: func(context.Context, []int) error { return e.verdict() },
		Metrics: func() []measure.Metric {
			return []measure.Metric{e.metric(), b.built, {
				Name: "bytes/row", Unit: "bytes",
				Value: float64(b.index.Bytes()) / float64(b.index.Slots()),
			}}
		},
	}
}

// link adds rows of the set once more, as other rows, and links them. The index grows a little by
// each trial, the searches that follow in the next repeat would find the twins: they are dead.
func (b *bare) link() measure.Workload {
	const unit = 50
	return measure.Workload{
		Name:  "vector/link/" + b.src.name,
		About: "link 50 rows into the graph of an index without a database",
		Units: unit, Unit: "rows", Fixture: &b.Fixture,
		Setup: func(ctx context.Context, _ string) (*measure.Trial, error) {
			twins := b.set.len() / kept
			for i := range twins {
				slot, err := b.index.Add(id(i), b.set.row(i), 2)
				if err != nil {
					return nil, err
				}
				if err := b.index.Kill(slot, 3); err != nil {
					return nil, err
				}
			}
			return &measure.Trial{
				Op: func(ctx context.Context, _, _ int) error {
					n, err := b.index.Link(ctx, unit)
					if err == nil && n < unit {
						return measure.ErrExhausted
					}
					return err
				},
				Close: func() error { return b.linkTo(ctx, 0) },
			}, nil
		},
	}
}
