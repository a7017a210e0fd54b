package vectors

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// batch is how many rows a commit writes.
const batch = 1000

// stored is a fixture: a database with a set in a collection, all of it in the index.
type stored struct {
	measure.Fixture
	cfg  measure.Config
	src  source
	set  *set
	dir  string
	db   *inmem.DB
	run  *inmem.Run
	full uint64 // version of the last row

	truths truths
}

func newStored(cfg measure.Config, src source) *stored {
	s := &stored{cfg: cfg, src: src}
	s.Fixture = measure.Fixture{
		Name:  "vector/" + src.name,
		Setup: s.setup,
		Close: func() error {
			s.set, s.truths = nil, nil
			return s.db.Close()
		},
	}
	return s
}

func (s *stored) open(dir string) (*inmem.DB, error) {
	mode, err := durability(s.cfg.Mode)
	if err != nil {
		return nil, err
	}
	return inmem.Open(dir, &inmem.Options{
		MemoryBudget: s.cfg.Memory, Durability: mode,
		VectorMemory: max(1<<30, int64(s.set.len()*(s.set.dim*5+500))), // the set fits
	})
}

func (s *stored) setup(ctx context.Context, dir string) (err error) {
	s.dir, s.truths = filepath.Join(dir, "db"), truths{}
	if s.set, err = s.src.load(s.cfg.Seed); err != nil {
		return err
	}
	if s.db, err = s.open(s.dir); err != nil {
		return err
	}
	if s.run, err = s.collection(ctx, s.db); err == nil {
		err = s.fill(ctx)
	}
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// collection makes an empty one.
func (s *stored) collection(ctx context.Context, db *inmem.DB) (*inmem.Run, error) {
	run, err := db.BeginRun(ctx, inmem.RunOptions{Tenant: "tenant", App: "app", Agent: "agent"})
	if err != nil {
		return nil, err
	}
	_, err = run.Vectors(name).Create(ctx,
		inmem.CollectionOptions{Dim: s.set.dim, Metric: s.set.metric})
	return run, err
}

// name is that of the collection.
const name = "set"

func (s *stored) fill(ctx context.Context) (err error) {
	for from := 0; from < s.set.len(); from += batch {
		if s.full, err = s.put(ctx, s.run, from); err != nil {
			return err
		}
	}
	return s.linked(ctx)
}

// put stores the rows of one batch.
func (s *stored) put(ctx context.Context, run *inmem.Run, from int) (uint64, error) {
	return s.putRows(ctx, run, from, min(from+batch, s.set.len()))
}

// putRows stores some rows of the set in one commit.
func (s *stored) putRows(ctx context.Context, run *inmem.Run, from, to int) (uint64, error) {
	rows := make([]inmem.VectorRow, 0, to-from)
	for i := from; i < to; i++ {
		entries := map[string]any{"class": s.set.classes[i]}
		if s.set.areas != nil {
			entries["area"] = s.set.areas[i]
		}
		metadata, err := inmem.ValueOf(entries)
		if err != nil {
			return 0, err
		}
		rows = append(rows, inmem.VectorRow{
			ID: id(i), Vector: s.set.row(i), Metadata: metadata,
		})
	}
	return run.Vectors(name).UpsertMany(ctx, rows)
}

// patience is how long an index may take to appear, not to be complete.
const patience = time.Minute

// linked waits until every row is in memory and has its place in the graph, if there is one: rows
// are given theirs in the background.
func (s *stored) linked(ctx context.Context) error {
	c, begun := s.run.Vectors(name), time.Now()
	for {
		_, err := c.Search(ctx, inmem.SearchOptions{Vector: s.set.queries[0], K: depth})
		if err != nil {
			return err
		}
		is, err := c.Stats(ctx)
		if err != nil || is.Live == s.set.len() && is.Tail == 0 {
			return err
		}
		if is.Rows == 0 && time.Since(begun) > patience {
			return errors.New("no index is kept of the set")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// exam is a new one for a filter; nil for none.
func (s *stored) exam(f *filter, least float64) *exam {
	e := &exam{set: s.set, least: least, truth: s.truths.of(s.set, f)}
	if f != nil {
		e.allowed = f.allowed(s.set)
	}
	return e
}

// on is a workload on the fixture.
func (s *stored) on(name, about string,
	prepare func(context.Context) (*measure.Trial, error)) measure.Workload {
	return measure.Workload{
		Name: name, About: about, Fixture: &s.Fixture,
		Setup: func(ctx context.Context, _ string) (*measure.Trial, error) {
			if err := s.linked(ctx); err != nil {
				return nil, err
			}
			return prepare(ctx)
		},
	}
}

// search is the workload of one width; 0 is the default.
func (s *stored) search(ef int) measure.Workload {
	return s.on("vector/search/"+s.src.name+"/"+width(ef), "find the 10 nearest rows",
		func(context.Context) (*measure.Trial, error) {
			o, least := inmem.SearchOptions{K: depth, Ef: ef}, 0.0
			if ef == 0 {
				least = leastRecall
			}
			return s.trial(s.run.Vectors(name), o, s.exam(nil, least)), nil
		})
}

func (s *stored) filtered(f filter) measure.Workload {
	return s.on("vector/filter/"+s.src.name+"/"+f.name, "find the 10 nearest among "+f.about,
		func(context.Context) (*measure.Trial, error) {
			o := inmem.SearchOptions{K: depth, Filter: f.filter}
			return s.trial(s.run.Vectors(name), o, s.exam(&f, leastRecall)), nil
		})
}

// viewed searches a view of the version at which the set was complete.
func (s *stored) viewed() measure.Workload {
	return s.on("vector/search_view/"+s.src.name, "find the 10 nearest rows, in a view",
		func(ctx context.Context) (*measure.Trial, error) {
			view, err := s.run.At(ctx, s.full)
			if err != nil {
				return nil, err
			}
			t := s.trial(view.Vectors(name), inmem.SearchOptions{K: depth}, s.exam(nil, leastRecall))
			t.Close = view.Close
			return t, nil
		})
}

// trial searches for one query after the other.
func (s *stored) trial(c inmem.Vectors, o inmem.SearchOptions, e *exam) *measure.Trial {
	hits, bytes := make([]hit, 0, depth), 0.0
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			query := i % len(s.set.queries)
			o.Vector = s.set.queries[query]
			r, err := c.Search(ctx, o)
			if err != nil {
				return err
			}
			hits = hits[:0]
			for i := range r.Hits {
				hits = append(hits, hit{r.Hits[i].ID, r.Hits[i].Score})
			}
			return e.check(query, hits)
		},
		Check: func(ctx context.Context, _ []int) error {
			is, err := s.run.Vectors(name).Stats(ctx)
			if is.Live > 0 {
				bytes = float64(is.Bytes) / float64(is.Live)
			}
			return errors.Join(err, e.verdict())
		},
		Metrics: func() []measure.Metric {
			return []measure.Metric{e.metric(), {Name: "bytes/row", Unit: "bytes", Value: bytes}}
		},
	}
}

// upsert stores the set in a database of its own, as far as the time goes.
func (s *stored) upsert() measure.Workload {
	return measure.Workload{
		Name:  "vector/upsert/" + s.src.name,
		About: "upsert 1,000 rows in one commit; they are linked in the background",
		Mode:  s.cfg.Mode, Units: batch, Unit: "rows", Fixture: &s.Fixture,
		Setup: func(ctx context.Context, dir string) (*measure.Trial, error) {
			db, err := s.open(dir)
			if err != nil {
				return nil, err
			}
			run, err := s.collection(ctx, db)
			if err != nil {
				return nil, errors.Join(err, db.Close())
			}
			return &measure.Trial{
				Op: func(ctx context.Context, _, i int) error {
					if (i+1)*batch > s.set.len() {
						return measure.ErrExhausted
					}
					_, err := s.put(ctx, run, i*batch)
					return err
				},
				Check: func(ctx context.Context, done []int) error {
					n, err := run.Vectors(name).Count(ctx, inmem.ScrollOptions{})
					if err == nil && n != done[0]*batch {
						err = measure.Wrongf("%d rows after %d commits of %d", n, done[0], batch)
					}
					return err
				},
				Close: db.Close,
			}, nil
		},
	}
}
