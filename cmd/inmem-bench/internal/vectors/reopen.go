package vectors

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// reopen closes the database, opens it, and searches once.
func (s *stored) reopen() measure.Workload {
	w := s.on("vector/reopen/"+s.src.name, "close and open the database, and search once",
		func(context.Context) (*measure.Trial, error) {
			e := s.exam(nil, 0)
			return &measure.Trial{Op: func(ctx context.Context, _, i int) error {
				return s.again(ctx, e, i%len(s.set.queries))
			}}, nil
		})
	w.Once = true
	return w
}

// back opens the database that was closed.
func (s *stored) back(ctx context.Context) error {
	db, err := s.open(s.dir)
	if err != nil {
		return err
	}
	s.db = db
	s.run, err = db.Run(ctx, s.run.ID())
	return err
}

func (s *stored) again(ctx context.Context, e *exam, query int) error {
	if err := s.db.Close(); err != nil {
		return err
	}
	if err := s.back(ctx); err != nil {
		return err
	}
	return s.once(ctx, e, query)
}

// once searches for one query.
func (s *stored) once(ctx context.Context, e *exam, query int) error {
	o := inmem.SearchOptions{K: depth, Vector: s.set.queries[query]}
	r, err := s.run.Vectors(name).Search(ctx, o)
	if err != nil {
		return err
	}
	hits := make([]hit, 0, depth)
	for i := range r.Hits {
		hits = append(hits, hit{r.Hits[i].ID, r.Hits[i].Score})
	}
	return e.check(query, hits)
}

// filesOf is where in the directory of a database indexes leave their files.
const filesOf = "derived"

// rebuilt reopens the database without the file of the index, and searches once: the answer comes
// from a scan of the rows, and has to be exact. The file is put back in the end, so that nobody who
// comes after waits for the graph.
func (s *stored) rebuilt() measure.Workload {
	w := s.on("vector/reopen_without_file/"+s.src.name,
		"open the database without the index's file, and search once",
		func(ctx context.Context) (*measure.Trial, error) {
			home, aside := filepath.Join(s.dir, filesOf), s.dir+"-aside"
			if err := s.db.Close(); err != nil {
				return nil, err
			}
			moved, err := move(home, aside)
			if err != nil {
				return nil, err
			}
			e := s.exam(nil, 0)
			return &measure.Trial{
				Op: func(ctx context.Context, _, i int) error {
					if i > 0 {
						return measure.ErrExhausted
					}
					if err := s.back(ctx); err != nil {
						return err
					}
					return s.once(ctx, e, 0)
				},
				Check: func(context.Context, []int) error {
					if e.recall() < 1 {
						return measure.Wrongf("recall@%d is %.3f of rows that were all read",
							depth, e.recall())
					}
					return nil
				},
				Metrics: func() []measure.Metric {
					return []measure.Metric{e.metric(),
						{Name: "files set aside", Value: float64(moved)}}
				},
				Close: func() error {
					closed := s.db.Close()
					_, err := move(aside, home)
					return errors.Join(closed, err, s.back(context.WithoutCancel(ctx)))
				},
			}, nil
		})
	w.Once = true
	return w
}

// move moves the files of indexes from one directory to another, and returns how many.
func move(from, to string) (int, error) {
	found, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return 0, err
	}
	for i, path := range found {
		if err := os.Rename(path, filepath.Join(to, filepath.Base(path))); err != nil {
			return i, err
		}
	}
	return len(found), nil
}
