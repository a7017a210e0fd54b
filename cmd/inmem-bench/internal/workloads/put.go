package workloads

import (
	"bytes"
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func (m *maker) puts() []measure.Workload {
	return []measure.Workload{
		m.writes(measure.Workload{
			Name: "engine_put/insert", About: "put a new key",
			Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, 1, putDirect)),
		}, 1),
		m.writes(measure.Workload{
			Name: "engine_put/overwrite_hot", About: "put the only key there is",
			Setup: m.open(m.cfg.Mode, load{"key", 1}, m.overwriteTrial),
		}, 1),
		m.writes(measure.Workload{
			Name: "engine_put/overwrite_uniform", About: "put a random one of 1,000 keys",
			Setup: m.open(m.cfg.Mode, load{"key", 1000}, m.overwriteTrial),
		}, 1),
	}
}

// put writes the keys with the numbers from first up to, not including, end.
type put func(ctx context.Context, s *store, keys measure.Keys, first, end int) (uint64, error)

// putDirect commits each key by itself.
func putDirect(ctx context.Context, s *store, keys measure.Keys, first, end int) (
	version uint64, err error) {
	for i := first; i < end; i++ {
		if version, err = s.kv.Put(ctx, keys.At(i), s.data.values.at(i)); err != nil {
			return 0, err
		}
	}
	return version, nil
}

// insertTrial writes new keys, so many by each operation; the workers take turns in numbering.
func (m *maker) insertTrial(workers, perOp int, write put) prepare {
	return func(_ context.Context, s *store) (*measure.Trial, error) {
		keys, most := m.freshKeys()
		lanes := make([]lane, workers)
		first := func(worker, i int) int { return (i*workers + worker) * perOp }
		return &measure.Trial{
			Op: func(ctx context.Context, worker, i int) error {
				from := first(worker, i)
				if from+perOp > most {
					return measure.ErrExhausted
				}
				version, err := write(ctx, s, keys, from, from+perOp)
				if err != nil {
					return err
				}
				return expectNewer(version, &lanes[worker].last)
			},
			Check: func(ctx context.Context, done []int) error {
				for worker, n := range done {
					for i := 0; i < n; i += n/1000 + 1 {
						at := first(worker, i)
						if err := s.expectAt(ctx, keys.At(at), s.data.values.at(at)); err != nil {
							return err
						}
					}
				}
				return s.expectCount(ctx, sum(done)*perOp)
			},
		}, nil
	}
}

// overwriteTrial writes random keys of those loaded.
func (m *maker) overwriteTrial(_ context.Context, s *store) (*measure.Trial, error) {
	g := measure.NewLCG(m.cfg.Seed, 0)
	n := s.data.keys.Len()
	newest := make([]int, n)
	for i := range newest {
		newest[i] = i
	}
	last := uint64(0)
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			at := 0
			if n > 1 {
				at = g.Below(n)
			}
			version, err := s.kv.Put(ctx, s.data.keys.At(at), s.data.values.at(i))
			if err != nil {
				return err
			}
			newest[at] = i
			return expectNewer(version, &last)
		},
		Check: func(ctx context.Context, _ []int) error {
			for at, i := range newest {
				if err := s.expectAt(ctx, s.data.keys.At(at), s.data.values.at(i)); err != nil {
					return err
				}
			}
			return s.expectCount(ctx, n)
		},
	}, nil
}

// sizes puts new keys with bytes of one size, whatever the configuration says of values.
func (m *maker) sizes() []measure.Workload {
	var all []measure.Workload
	for _, size := range []struct {
		n    int
		name string
	}{{64, "64"}, {256, "256"}, {1 << 10, "1k"}, {4 << 10, "4k"}, {64 << 10, "64k"}} {
		sized := newMaker(m.cfg)
		b := bytes.Repeat([]byte{0xAB}, size.n)
		sized.values = values{size.n, []inmem.Value{inmem.Bytes(b)}}
		all = append(all, sized.writes(measure.Workload{
			Name:  "engine_value_size/" + size.name,
			About: fmt.Sprintf("put a new key with %d bytes", size.n),
			Setup: sized.open(m.cfg.Mode, load{}, sized.insertTrial(1, 1, putDirect)),
		}, 1))
	}
	return all
}

// deleted is how many keys are loaded to be deleted.
const deleted = 50_000

func (m *maker) deletes() []measure.Workload {
	return []measure.Workload{
		m.writes(measure.Workload{
			Name: "engine_delete/existing", About: "delete a key that exists",
			Setup: m.open(m.cfg.Mode, load{"key", deleted}, deleteTrial),
		}, 1),
		m.readsOnly(measure.Workload{
			Name: "engine_delete/nonexistent", About: "delete an absent key of an empty run",
			Setup: m.open(m.cfg.Mode, load{}, deleteAbsentTrial),
		}),
	}
}

func deleteTrial(_ context.Context, s *store) (*measure.Trial, error) {
	n := s.data.keys.Len()
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			if i >= n {
				return measure.ErrExhausted
			}
			existed, err := s.kv.Delete(ctx, s.data.keys.At(i))
			if err == nil && !existed {
				return measure.Wrongf("deleting key %q found none", s.data.keys.At(i))
			}
			return err
		},
		Check: func(ctx context.Context, done []int) error {
			return s.expectCount(ctx, n-sum(done))
		},
	}, nil
}

func deleteAbsentTrial(_ context.Context, s *store) (*measure.Trial, error) {
	return &measure.Trial{
		Op: func(ctx context.Context, _, _ int) error {
			existed, err := s.kv.Delete(ctx, absent)
			return expectAbsent(existed, err)
		},
		Check: func(ctx context.Context, _ []int) error { return s.expectCount(ctx, 0) },
	}, nil
}
