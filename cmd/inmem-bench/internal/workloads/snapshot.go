package workloads

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// snapshots reads in views, which is how this API reads a snapshot. read_only_10 reads in a
// read-write transaction that turns out to write nothing.
func (m *maker) snapshots() []measure.Workload {
	thousand := load{"key", 1000}
	all := []measure.Workload{
		m.readsOnly(measure.Workload{
			Name: "snapshot/single_read", About: "view of 1 get among 1,000 keys",
			Setup: m.open(m.cfg.Mode, thousand, m.viewTrial(1)),
		}),
		m.readsOnly(measure.Workload{
			Name: "snapshot/multi_read_10", About: "view of 10 gets among 1,000 keys",
			Setup: m.open(m.cfg.Mode, thousand, m.viewTrial(10)),
		}),
	}
	for _, n := range []int{10, 100, 1000} {
		all = append(all, m.readsOnly(measure.Workload{
			Name:  fmt.Sprintf("snapshot/after_versions/%d", n),
			About: fmt.Sprintf("view of 1 get of the only key, which has %d older versions", n),
			Setup: m.open(m.cfg.Mode, load{"key", 1}, m.afterVersions(n)),
		}))
	}
	return append(all,
		m.writes(measure.Workload{
			Name: "snapshot/read_your_writes", About: "transaction that puts a new key and reads it",
			Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, 1, putAndRead)),
		}, 1),
		m.readsOnly(measure.Workload{
			Name: "snapshot/read_only_10", About: "transaction of 10 gets among -keys keys, no write",
			Setup: m.open(m.cfg.Mode, m.loaded(), m.readOnlyTrial),
		}))
}

// readSome gets n random keys of those loaded.
func readSome(ctx context.Context, k inmem.KV, d data, g *measure.LCG, n int) error {
	for range n {
		i := g.Below(d.keys.Len())
		v, found, err := k.Get(ctx, d.keys.At(i))
		if err := expect(d.keys.At(i), d.values.at(i), v, found, err); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) viewTrial(gets int) prepare {
	return func(_ context.Context, s *store) (*measure.Trial, error) {
		g := measure.NewLCG(m.cfg.Seed, 0)
		return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
			return s.run.View(ctx, func(v *inmem.View) error {
				return readSome(ctx, v.KV(), s.data, &g, gets)
			})
		}}, nil
	}
}

// afterVersions overwrites the one key untimed, the last time with the value that was loaded.
func (m *maker) afterVersions(n int) prepare {
	return func(ctx context.Context, s *store) (*measure.Trial, error) {
		for i := range n {
			_, err := s.kv.Put(ctx, s.data.keys.At(0), s.data.values.at(n-1-i))
			if err != nil {
				return nil, err
			}
		}
		return m.viewTrial(1)(ctx, s)
	}
}

func putAndRead(ctx context.Context, s *store, keys measure.Keys, first, end int) (uint64, error) {
	return s.run.Update(ctx, func(tx *inmem.Tx) error {
		k := tx.KV()
		for i := first; i < end; i++ {
			key, want := keys.At(i), s.data.values.at(i)
			if _, err := k.Put(ctx, key, want); err != nil {
				return err
			}
			v, found, err := k.Get(ctx, key)
			if err := expect(key, want, v, found, err); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *maker) readOnlyTrial(_ context.Context, s *store) (*measure.Trial, error) {
	g := measure.NewLCG(m.cfg.Seed, 0)
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		version, err := s.run.Update(ctx, func(tx *inmem.Tx) error {
			return readSome(ctx, tx.KV(), s.data, &g, 10)
		})
		if err == nil && version != 0 {
			return measure.Wrongf("a transaction that wrote nothing committed version %d", version)
		}
		return err
	}}, nil
}
