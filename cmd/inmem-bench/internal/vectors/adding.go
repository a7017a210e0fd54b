package vectors

import (
	"context"
	"errors"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

const (
	// addBatch is how many rows a commit adds while others search, and addEvery the time from one
	// such commit to the next: 1,000 rows a second, which one core links in about half of its time.
	addBatch = 10
	addEvery = 10 * time.Millisecond
)

// adding searches a database of its own, with half of the set in it, while the rest is added; and
// tells by how much that lengthens the slow searches.
func (s *stored) adding() measure.Workload {
	return measure.Workload{
		Name:  "vector/search_adding/" + s.src.name,
		About: "find the 10 nearest rows, while 1,000 rows a second are added",
		Mode:  s.cfg.Mode, Fixture: &s.Fixture, Repeats: 1, Least: leastAdding,
		Setup: func(ctx context.Context, dir string) (*measure.Trial, error) {
			a := &added{src: s, half: s.set.len() / 2}
			if err := a.begin(ctx, dir); err != nil {
				return nil, errors.Join(err, a.close())
			}
			return a.trial(), nil
		},
	}
}

// leastAdding is how long it takes at least until a thousand rows came.
const leastAdding = time.Second

// added is one such database.
type added struct {
	src  *stored // whose set it is
	own  stored  // with the half of the set that is there when it begins
	half int
	exam *exam

	idle, busy measure.Histogram
	stop       context.CancelFunc
	done       chan error // what the writer ended with
	rows       int        // added; of the writer until done
}

// begin fills the first half, waits until it is linked, and measures without a writer.
func (a *added) begin(ctx context.Context, dir string) (err error) {
	first := *a.src.set
	first.flat, first.norms = first.flat[:a.half*first.dim], first.norms[:a.half]
	a.own = stored{cfg: a.src.cfg, set: a.src.set, dir: dir}
	if a.own.db, err = a.own.open(dir); err != nil {
		return err
	}
	if a.own.run, err = a.own.collection(ctx, a.own.db); err != nil {
		return err
	}
	a.own.set = &first
	if err := a.own.fill(ctx); err != nil {
		return err
	}
	a.own.set = a.src.set
	// A hit counts if it is as near as the last true one of the first half: more may have come.
	a.exam = &exam{set: a.src.set, least: leastRecall, truth: first.truth(nil)}
	for i := range 2 * len(a.src.set.queries) {
		if err := a.search(ctx, i, &a.idle); err != nil {
			return err
		}
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop, a.done = stop, make(chan error, 1)
	go func() { a.done <- a.write(writing) }()
	return nil
}

// search asks one query, and counts how long it took without the check.
func (a *added) search(ctx context.Context, i int, took *measure.Histogram) error {
	query := i % len(a.src.set.queries)
	begun := time.Now()
	r, err := a.own.run.Vectors(name).Search(ctx, inmem.SearchOptions{
		K: depth, Vector: a.src.set.queries[query],
	})
	took.Add(time.Since(begun))
	if err != nil {
		return err
	}
	hits := make([]hit, 0, depth)
	for i := range r.Hits {
		hits = append(hits, hit{r.Hits[i].ID, r.Hits[i].Score})
	}
	return a.exam.check(query, hits)
}

// write adds the rest of the rows at a steady rate, until it is stopped. A commit that comes late
// is not made up for.
func (a *added) write(ctx context.Context) error {
	tick := time.NewTicker(addEvery)
	defer tick.Stop()
	for from := a.half; from < a.src.set.len(); from += addBatch {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		to := min(from+addBatch, a.src.set.len())
		if _, err := a.own.putRows(context.WithoutCancel(ctx), a.own.run, from, to); err != nil {
			return err
		}
		a.rows += to - from
	}
	return nil
}

func (a *added) trial() *measure.Trial {
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			select {
			case err := <-a.done:
				a.done <- err
				return errors.Join(err, measure.ErrExhausted)
			default:
				return a.search(ctx, i, &a.busy)
			}
		},
		Check: func(ctx context.Context, _ []int) error {
			a.stop()
			err := <-a.done
			a.done <- err
			if err != nil {
				return err
			}
			n, err := a.own.run.Vectors(name).Count(ctx, inmem.ScrollOptions{})
			if err == nil && n != a.half+a.rows {
				err = measure.Wrongf("%d rows, %d and %d were stored", n, a.half, a.rows)
			}
			return errors.Join(err, a.exam.verdict())
		},
		Metrics: func() []measure.Metric {
			idle, busy := a.idle.Quantile(0.99), a.busy.Quantile(0.99)
			return []measure.Metric{a.exam.metric(),
				{Name: "p99 idle", Unit: "us", Value: float64(idle.Nanoseconds()) / 1e3},
				{Name: "p99 to idle", Unit: "x", Value: float64(busy) / float64(max(idle, 1))},
				{Name: "rows added", Unit: "rows", Value: float64(a.rows)}}
		},
		Close: a.close,
	}
}

// close stops the writer, if there is one, and closes what was opened.
func (a *added) close() error {
	if a.stop != nil {
		a.stop()
		<-a.done
	}
	if a.own.db == nil {
		return nil
	}
	return a.own.db.Close()
}
