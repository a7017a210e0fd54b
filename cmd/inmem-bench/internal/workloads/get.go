package workloads

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/rows"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// read is one pattern of gets; in-mem and the map do the same.
type read struct {
	name, about string
	n           int // keys loaded
	among       int // keys chosen from at random; 0 is always the middle one
	miss        bool
	heavy       bool
}

const absent = "key_absent"

func reads(cfg measure.Config) []read {
	n := cfg.Keys
	return []read{
		{name: "engine_get/hot_key", about: "get the middle key of -keys", n: n},
		{name: "engine_get/miss", about: "get an absent key, -keys others loaded", n: n, miss: true},
		{name: "engine_get/uniform", about: "get a random one of -keys keys", n: n, among: n},
		{name: "engine_get/working_set_100", about: "get a random one of the first 100 of -keys keys",
			n: n, among: min(100, n)},
	}
}

func scalingReads() []read {
	var list []read
	for _, size := range []struct {
		n    int
		name string
	}{{10_000, "10k"}, {100_000, "100k"}, {1_000_000, "1m"}} {
		list = append(list, read{
			name:  "engine_key_scaling/get_rotating/" + size.name,
			about: fmt.Sprintf("get a random one of %d keys", size.n),
			n:     size.n, among: size.n, heavy: size.n > 100_000,
		})
	}
	return list
}

// choose returns the number of the next key to get.
func (r read) choose(g *measure.LCG) int {
	if r.among == 0 {
		return r.n / 2
	}
	return g.Below(r.among)
}

func (m *maker) gets() []measure.Workload       { return m.readWorkloads(reads(m.cfg)) }
func (m *maker) keyScaling() []measure.Workload { return m.readWorkloads(scalingReads()) }

func (m *maker) readWorkloads(list []read) []measure.Workload {
	var all []measure.Workload
	for _, r := range list {
		all = append(all, m.readsOnly(measure.Workload{
			Name: r.name, About: r.about, Heavy: r.heavy,
			Setup: m.open(m.cfg.Mode, load{"key", r.n}, m.getTrial(r)),
		}))
	}
	return all
}

func (m *maker) getTrial(r read) prepare {
	return func(_ context.Context, s *store) (*measure.Trial, error) {
		g := measure.NewLCG(m.cfg.Seed, 0)
		return &measure.Trial{
			Op: func(ctx context.Context, _, _ int) error {
				if r.miss {
					_, found, err := s.kv.Get(ctx, absent)
					return expectAbsent(found, err)
				}
				i := r.choose(&g)
				v, found, err := s.kv.Get(ctx, s.data.keys.At(i))
				return expect(s.data.keys.At(i), s.data.values.at(i), v, found, err)
			},
			Check: func(ctx context.Context, _ []int) error { return s.expectCount(ctx, r.n) },
		}, nil
	}
}

func expectAbsent(found bool, err error) error {
	if err == nil && found {
		return measure.Wrongf("key %q is there, expected none", absent)
	}
	return err
}

// goMap does the gets on a map without any lock: the least that a lookup by string can cost.
func goMap(cfg measure.Config) []measure.Workload {
	m := newMaker(cfg)
	var all []measure.Workload
	for _, r := range append(reads(cfg), scalingReads()...) {
		all = append(all, measure.Workload{
			Name: r.name, About: r.about + ", from an unlocked Go map", Heavy: r.heavy,
			Setup: func(context.Context, string) (*measure.Trial, error) { return m.mapTrial(r), nil },
		})
	}
	return append(all, rows.Workloads(engine.GoMap(), cfg)...)
}

func (m *maker) mapTrial(r read) *measure.Trial {
	d := m.data(load{"key", r.n})
	table := make(map[string]inmem.Value, r.n)
	for i := range r.n {
		table[d.keys.At(i)] = d.values.at(i)
	}
	g := measure.NewLCG(m.cfg.Seed, 0)
	return &measure.Trial{Op: func(_ context.Context, _, _ int) error {
		if r.miss {
			_, found := table[absent]
			return expectAbsent(found, nil)
		}
		i := r.choose(&g)
		v, found := table[d.keys.At(i)]
		return expect(d.keys.At(i), d.values.at(i), v, found, nil)
	}}
}
