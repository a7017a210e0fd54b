package footprint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// databases are what a database takes by being open, and its open and close.
func (m *maker) databases() []measure.Workload {
	var all []measure.Workload
	for _, n := range []int{0, 10_000} {
		name, about := "database/new", "an open database that is new"
		if n > 0 {
			name = "database/" + measure.Count(n)
			about = fmt.Sprintf("an open database with %d keys in its files", n)
		}
		w := measure.Workload{Name: name, About: "goroutines, descriptors, memory of " + about,
			Once: true}
		w.Setup = m.databaseTrial(n)
		all = append(all, w)
	}
	return all
}

// databaseTrial opens and closes; what is asked for is looked at between the two.
func (m *maker) databaseTrial(n int) func(context.Context, string) (*measure.Trial, error) {
	return func(ctx context.Context, dir string) (*measure.Trial, error) {
		if n > 0 {
			if err := m.filled(ctx, dir, n); err != nil {
				return nil, err
			}
		}
		var figures []measure.Metric
		return &measure.Trial{
			Op: func(ctx context.Context, _, _ int) (err error) {
				before := now(ctx)
				start := time.Now()
				db, err := m.open(dir)
				opened := time.Since(start)
				if err != nil {
					return err
				}
				if err := expectKeys(ctx, db, n); err != nil {
					return errors.Join(err, db.Close())
				}
				took := now(ctx).minus(before)
				start = time.Now()
				if err := db.Close(); err != nil {
					return err
				}
				closed := time.Since(start)
				figures = []measure.Metric{
					{Name: Goroutines, Value: float64(took.goroutines)},
					{Name: Descriptors, Value: float64(took.descriptors)},
					{Name: HeapKB, Value: float64(took.bytes) / 1000},
					{Name: OpenMillis, Value: opened.Seconds() * 1000},
					{Name: CloseMillis, Value: closed.Seconds() * 1000},
				}
				if left := now(ctx).minus(before); left.goroutines > 0 || left.descriptors > 0 {
					return measure.Wrongf("after a close %d goroutines and %d descriptors are left",
						left.goroutines, left.descriptors)
				}
				return nil
			},
			Metrics: func() []measure.Metric { return figures },
		}, nil
	}
}

// filled makes a database with so many keys in one run, and closes it.
func (m *maker) filled(ctx context.Context, dir string, n int) (err error) {
	db, err := m.open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	o := namespace
	o.ID = runID(0)
	run, err := db.BeginRun(ctx, o)
	if err != nil {
		return err
	}
	_, err = run.Update(ctx, func(tx *inmem.Tx) error {
		for i := range n {
			if _, err := tx.KV().Put(ctx, keyOf(i), valueOf(i)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// expectKeys looks for the last key of a database that was filled; a new one has no run.
func expectKeys(ctx context.Context, db *inmem.DB, n int) error {
	if n == 0 {
		if v := db.Version(); v != 0 {
			return measure.Wrongf("a new database is at version %d", v)
		}
		return nil
	}
	run, err := db.Run(ctx, runID(0))
	if err != nil {
		return err
	}
	return lastKey(ctx, &world{db, run}, n)
}
