package workloads

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// commits writes in transactions of Run.Update.
func (m *maker) commits() []measure.Workload {
	all := []measure.Workload{m.writes(measure.Workload{
		Name: "txn_commit/single_put", About: "transaction that puts a new key",
		Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, 1, putTogether)),
	}, 1)}
	for _, n := range []int{3, 5, 10} {
		all = append(all, m.writes(measure.Workload{
			Name:  fmt.Sprintf("txn_commit/multi_put/%d", n),
			About: fmt.Sprintf("transaction that puts %d new keys", n),
			Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, n, putTogether)),
		}, n))
	}
	return append(all, m.writes(measure.Workload{
		Name:  "txn_commit/read_modify_write",
		About: "transaction that adds one to the only key there is",
		Setup: m.open(m.cfg.Mode, load{}, incrementTrial),
	}, 1))
}

// putTogether commits all keys in one transaction.
func putTogether(ctx context.Context, s *store, keys measure.Keys, first, end int) (uint64, error) {
	return s.run.Update(ctx, func(tx *inmem.Tx) error {
		k := tx.KV()
		for i := first; i < end; i++ {
			if _, err := k.Put(ctx, keys.At(i), s.data.values.at(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// counter is the key of the workloads that count.
const counter = "counter_00"

// increment adds one to the counter and returns what it was.
func increment(ctx context.Context, k inmem.KV) (int64, error) {
	v, found, err := k.Get(ctx, counter)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, measure.Wrongf("key %q is absent", counter)
	}
	n, err := v.AsInt()
	if err != nil {
		return 0, measure.Wrongf("key %q: %v", counter, err)
	}
	_, err = k.Put(ctx, counter, inmem.Int(n+1))
	return n, err
}

func incrementTrial(ctx context.Context, s *store) (*measure.Trial, error) {
	last, err := s.kv.Put(ctx, counter, inmem.Int(0))
	if err != nil {
		return nil, err
	}
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			var was int64
			version, err := s.run.Update(ctx, func(tx *inmem.Tx) (err error) {
				was, err = increment(ctx, tx.KV())
				return err
			})
			if err != nil {
				return err
			}
			if was != int64(i) {
				return measure.Wrongf("the counter was %d before increment %d", was, i+1)
			}
			return expectNewer(version, &last)
		},
		Check: func(ctx context.Context, done []int) error {
			return s.expectAt(ctx, counter, inmem.Int(int64(sum(done))))
		},
	}, nil
}

// reads validates what it read: N fixed keys, then one write.
func (m *maker) reads() []measure.Workload {
	var all []measure.Workload
	for _, n := range []int{1, 10, 100} {
		all = append(all, m.writes(measure.Workload{
			Name:  fmt.Sprintf("txn_commit/readN_write1/%d", n),
			About: fmt.Sprintf("transaction that reads %d keys and writes another; no more exist", n),
			Setup: m.open(m.cfg.Mode, load{"key", n}, readWriteTrial),
		}, 1))
	}
	return all
}

func readWriteTrial(_ context.Context, s *store) (*measure.Trial, error) {
	const target = "target_000"
	d, last := s.data, uint64(0)
	n := d.keys.Len()
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			version, err := s.run.Update(ctx, func(tx *inmem.Tx) error {
				k := tx.KV()
				for at := range n {
					v, found, err := k.Get(ctx, d.keys.At(at))
					if err := expect(d.keys.At(at), d.values.at(at), v, found, err); err != nil {
						return err
					}
				}
				_, err := k.Put(ctx, target, d.values.at(i))
				return err
			})
			if err != nil {
				return err
			}
			return expectNewer(version, &last)
		},
		Check: func(ctx context.Context, done []int) error {
			if err := s.expectAt(ctx, target, d.values.at(sum(done)-1)); err != nil {
				return err
			}
			return s.expectCount(ctx, n+1)
		},
	}, nil
}
