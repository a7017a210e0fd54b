// Package rows holds the cases of the table of bars: each of them once, done through the small
// interface of package engine, so that in-mem and every peer do the same work with the same checks.
// Keys have 40 bytes and values 100, whatever the flags say of the other workloads.
package rows

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// Group is what the names of all rows begin with.
const Group = "rows"

// LeastMemory is what a database of the rows may take in all, caches and buffers together, unless
// the configuration says more: a million keys of the table fit into it.
const LeastMemory = 1 << 30

// System makes a system of an engine, with the rows as its workloads.
func System(e engine.Engine) measure.System {
	return measure.System{
		Name: e.Name, Limit: e.Limit, Peer: !e.Limit, Version: e.Version, About: e.About,
		Durability: e.Durability,
		Workloads:  func(cfg measure.Config) []measure.Workload { return Workloads(e, cfg) },
	}
}

// Workloads lists the rows that the engine can do: first those with databases of their own, then by
// the fixture that they share.
func Workloads(e engine.Engine, cfg measure.Config) []measure.Workload {
	m := &maker{e: e, cfg: cfg}
	var all []measure.Workload
	for _, group := range [][]measure.Workload{
		m.puts(), m.contention(), m.strict(), m.loads(), m.costs(), m.sustained(), m.beyond(),
		m.eleven(), m.hundred(), m.thousand(), m.tenThousand(), m.hundredThousand(), m.million(),
		m.tenMillion(), m.ycsb(),
	} {
		for _, w := range group {
			w.Extra = true
			all = append(all, w)
		}
	}
	if e.Ours {
		all = append(all, m.replays((*past).open, (*past).replay)...)
	}
	return all
}

// maker makes the rows of one engine.
type maker struct {
	e   engine.Engine
	cfg measure.Config
}

// options are how the engine is opened for n keys of the usual size.
func (m *maker) options(mode string, n, workers int) engine.Options {
	// Four times what the keys and values are leaves every engine room for all of them.
	memory := max(m.cfg.Memory, LeastMemory, int64(n)*4*(keySize+valueSize))
	return engine.Options{Mode: mode, Memory: memory, Workers: workers}
}

// mode is the engine's mode for the configured one: rows are batched unless strict is asked for.
func (m *maker) mode() string {
	if m.cfg.Mode == engine.Strict {
		return engine.Strict
	}
	return engine.Batched
}

// row completes a workload. Limits keep nothing: they have no mode.
func (m *maker) row(name, about string, w measure.Workload) measure.Workload {
	w.Name, w.About = Group+"/"+name, about
	if w.Mode == "" {
		w.Mode = m.mode()
	}
	if m.e.Limit {
		w.Mode = ""
	}
	return w
}

// writing is a row whose operations commit so many keys each.
func (m *maker) writing(name, about string, keys int, w measure.Workload) measure.Workload {
	w = m.row(name, about, w)
	if w.Mode == engine.Strict {
		w.Synced = keys * (keySize + valueSize)
	}
	return w
}

// fresh makes the Setup of a row that has a database of its own, with n keys loaded.
func (m *maker) fresh(n, workers int, mode string,
	prepare func(s engine.Store) *measure.Trial) func(context.Context, string) (
	*measure.Trial, error) {
	return func(ctx context.Context, dir string) (*measure.Trial, error) {
		s, err := m.e.Open(ctx, dir, m.options(mode, n, workers))
		if err != nil {
			return nil, err
		}
		if err := load(ctx, s, keysOf(n)); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		t := prepare(s)
		t.Close = s.Close
		return t, nil
	}
}

// load puts all keys, in an order that looks random.
func load(ctx context.Context, s engine.Store, k keys) error {
	return s.Load(ctx, k.n, func(i int) (string, string) {
		i = shuffled(i, k.n)
		return k.at(i), value(i)
	})
}

// shared is a fixture with its store.
type shared struct {
	measure.Fixture
	store engine.Store
	dir   string
	keys  keys
}

// fixture is a database with n keys.
func (m *maker) fixture(name string, n int) *shared {
	f := &shared{}
	f.Fixture = measure.Fixture{
		Name: name,
		Setup: func(ctx context.Context, dir string) (err error) {
			f.dir, f.keys = dir, keysOf(n)
			// One row has two goroutines, which only read: that needs no lock on the map.
			if f.store, err = m.e.Open(ctx, dir, m.options(m.mode(), n, 1)); err != nil {
				return err
			}
			if err := load(ctx, f.store, f.keys); err != nil {
				return errors.Join(err, f.store.Close())
			}
			return nil
		},
		Close: func() error { return f.store.Close() },
	}
	return f
}

// on is a row that uses a fixture.
func (m *maker) on(f *shared, name, about string, w measure.Workload,
	prepare func(f *shared) *measure.Trial) measure.Workload {
	w.Fixture = &f.Fixture
	w.Setup = func(context.Context, string) (*measure.Trial, error) { return prepare(f), nil }
	return m.row(name, about, w)
}
