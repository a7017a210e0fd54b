package workloads

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// history is what a database was used for before it is opened again.
type history struct {
	name, about string
	ops         int // what is replayed, for the rate
	write       func(ctx context.Context, s *store) (left int, err error)
}

// recoveries opens databases whose log holds everything: the files are copied while the database is
// open, after a flush, which is what a killed process leaves.
func (m *maker) recoveries() []measure.Workload {
	var all []history
	for _, n := range []int{1000, 10_000, 50_000} {
		all = append(all, history{
			fmt.Sprintf("wal_recovery/insert_only/%dk", n/1000),
			fmt.Sprintf("open after %d puts of new keys, then a kill; and close", n), n, inserts(n),
		})
	}
	all = append(all,
		history{"wal_recovery/overwrite_heavy", "open after 100 puts to each of 100 keys, and close",
			10_000, overwrites},
		history{"wal_recovery/delete_heavy", "open after 10,000 puts and 8,000 deletes, and close",
			18_000, deletesOfMost})
	return m.reopened(all)
}

// moreRecoveries are those of the comprehensive benchmarks.
func (m *maker) moreRecoveries() []measure.Workload {
	var all []history
	for _, n := range []int{1000, 10_000, 100_000} {
		all = append(all, history{
			fmt.Sprintf("recovery/wal_replay/%d", n),
			fmt.Sprintf("open after %d puts of new keys, then a kill; and close", n), n, inserts(n),
		})
	}
	for _, n := range []int{100, 1000, 5000} {
		all = append(all, history{
			fmt.Sprintf("recovery/mixed_workload_recovery/%d", n),
			fmt.Sprintf("open after %d transactions of 5 puts, some deletes; and close", n), n,
			mixed(n),
		})
	}
	return m.reopened(all)
}

func (m *maker) reopened(list []history) []measure.Workload {
	var all []measure.Workload
	for _, h := range list {
		all = append(all, m.writes(measure.Workload{
			Name: h.name, About: h.about, Mode: m.cfg.Mode, Once: true, Units: h.ops,
			Unit: "operations of the log", Setup: m.openTwice(h),
		}, 0))
	}
	return all
}

// openTwice writes, takes the image, and leaves its opening to be measured.
func (m *maker) openTwice(h history) func(context.Context, string) (*measure.Trial, error) {
	return func(ctx context.Context, dir string) (_ *measure.Trial, err error) {
		first, image := filepath.Join(dir, "first"), filepath.Join(dir, "image")
		if err := errors.Join(os.Mkdir(first, 0o700), os.Mkdir(image, 0o700)); err != nil {
			return nil, err
		}
		s, err := m.store(ctx, first, m.cfg.Mode, inmem.Options{})
		if err != nil {
			return nil, err
		}
		left, err := h.write(ctx, s)
		if err == nil {
			err = s.db.Flush(ctx)
		}
		if err == nil && m.cfg.Mode != modeNone {
			err = measure.CopyTree(image, first)
		}
		if err = errors.Join(err, s.db.Close()); err != nil {
			return nil, err
		}
		durability, err := durabilityOf(m.cfg.Mode)
		if err != nil {
			return nil, err
		}
		o := &inmem.Options{Durability: durability, MemoryBudget: m.cfg.Memory}
		open := func() (*inmem.DB, error) { return inmem.Open(image, o) }
		return &measure.Trial{
			Op: func(context.Context, int, int) error {
				db, err := open()
				if err != nil {
					return err
				}
				return db.Close()
			},
			Check: func(ctx context.Context, _ []int) error {
				if m.cfg.Mode == modeNone {
					return nil // nothing outlives a database in memory
				}
				return expectRun(ctx, open, s.run.ID(), left)
			},
		}, nil
	}
}

// expectRun checks how many keys a run holds when the database is opened once more.
func expectRun(ctx context.Context, open func() (*inmem.DB, error), id string, want int) (
	err error) {
	db, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	run, err := db.Run(ctx, id)
	if err != nil {
		return err
	}
	return (&store{kv: run.KV()}).expectCount(ctx, want)
}

func inserts(n int) func(context.Context, *store) (int, error) {
	return func(ctx context.Context, s *store) (int, error) {
		for i := range n {
			if _, err := s.kv.Put(ctx, fresh().At(i), inmem.Int(int64(i))); err != nil {
				return 0, err
			}
		}
		return n, nil
	}
}

func overwrites(ctx context.Context, s *store) (int, error) {
	const keys, rounds = 100, 100
	for i := range keys * rounds {
		if _, err := s.kv.Put(ctx, fresh().At(i%keys), inmem.Int(int64(i))); err != nil {
			return 0, err
		}
	}
	return keys, nil
}

func deletesOfMost(ctx context.Context, s *store) (int, error) {
	const puts, deletes = 10_000, 8000
	if _, err := inserts(puts)(ctx, s); err != nil {
		return 0, err
	}
	for i := range deletes {
		if _, err := s.kv.Delete(ctx, fresh().At(i)); err != nil {
			return 0, err
		}
	}
	return puts - deletes, nil
}

func mixed(txns int) func(context.Context, *store) (int, error) {
	const each = 5
	return func(ctx context.Context, s *store) (left int, err error) {
		for i := range txns {
			_, err := s.run.Update(ctx, func(tx *inmem.Tx) error {
				for j := i * each; j < (i+1)*each; j++ {
					if _, err := tx.KV().Put(ctx, fresh().At(j), inmem.Int(int64(j))); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return 0, err
			}
			left += each
			if i%10 != 0 || i == 0 {
				continue
			}
			existed, err := s.kv.Delete(ctx, fresh().At((i-each)*each))
			if err != nil {
				return 0, err
			}
			if existed {
				left--
			}
		}
		return left, nil
	}
}
