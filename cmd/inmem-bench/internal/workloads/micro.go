package workloads

import (
	"bytes"
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// comprehensive are the workloads of the original's comprehensive benchmarks, which come when their
// groups are named. Much of them is the same as in the other groups, under other names.
func (m *maker) comprehensive() []measure.Workload {
	var all []measure.Workload
	for _, group := range [][]measure.Workload{
		m.kvMicro(), m.concurrency(), m.moreRecoveries(), m.moreDurability(), m.memory(),
		m.latencies(),
	} {
		all = append(all, group...)
	}
	for i := range all {
		all[i].Extra = true
	}
	return all
}

// tenThousand are the keys that the comprehensive benchmarks read from.
var tenThousand = load{"key", 10_000}

func (m *maker) kvMicro() []measure.Workload {
	const group = "kv_microbenchmarks/"
	hot := read{n: tenThousand.n}
	all := []measure.Workload{
		m.readsOnly(measure.Workload{
			Name: group + "get_existing_key", About: "get the middle one of 10,000 keys",
			Setup: m.open(m.cfg.Mode, tenThousand, m.getTrial(hot)),
		}),
		m.readsOnly(measure.Workload{
			Name: group + "get_nonexistent_key", About: "get an absent key, 10,000 others loaded",
			Setup: m.open(m.cfg.Mode, tenThousand, m.getTrial(read{n: hot.n, miss: true})),
		}),
		m.writes(measure.Workload{
			Name: group + "put_unique_keys", About: "put a new key",
			Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, 1, putDirect)),
		}, 1),
		m.writes(measure.Workload{
			Name: group + "put_overwrite_same_key", About: "put the only key there is",
			Setup: m.open(m.cfg.Mode, load{"key", 1}, m.overwriteTrial),
		}, 1),
		m.writes(measure.Workload{
			Name: group + "cas_success", About: "read value and version, compare-and-set; 1 key",
			Setup: m.open(m.cfg.Mode, load{}, casTrial(casOnce)),
		}, 1),
		m.writes(measure.Workload{
			Name: group + "delete", About: "delete a key that exists",
			Setup: m.open(m.cfg.Mode, load{"key", deleted}, deleteTrial),
		}, 1),
	}
	for _, size := range []int{64, 256, 1024, 4096} {
		sized := newMaker(m.cfg)
		sized.values = values{size, []inmem.Value{inmem.Bytes(bytes.Repeat([]byte{0}, size))}}
		all = append(all, sized.writes(measure.Workload{
			Name:  fmt.Sprintf("%sput_value_size_bytes/%d", group, size),
			About: fmt.Sprintf("put a new key with %d bytes", size),
			Setup: sized.open(m.cfg.Mode, load{}, sized.insertTrial(1, 1, putDirect)),
		}, 1))
	}
	return all
}

// latencies are ordinary operations; every workload has its distribution.
func (m *maker) latencies() []measure.Workload {
	const group = "latency_distribution/"
	return []measure.Workload{
		m.writes(measure.Workload{
			Name: group + "put_latency", About: "put a new key",
			Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, 1, putDirect)),
		}, 1),
		m.readsOnly(measure.Workload{
			Name: group + "get_latency", About: "get one of 10,000 keys after the other",
			Setup: m.open(m.cfg.Mode, tenThousand, inTurnTrial),
		}),
		m.writes(measure.Workload{
			Name: group + "transaction_latency", About: "transaction that puts a new key",
			Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, 1, putTogether)),
		}, 1),
	}
}

func inTurnTrial(_ context.Context, s *store) (*measure.Trial, error) {
	n := s.data.keys.Len()
	return &measure.Trial{Op: func(ctx context.Context, _, i int) error {
		return s.expectAt(ctx, s.data.keys.At(i%n), s.data.values.at(i%n))
	}}, nil
}

// memory looks how begin and scans depend on the number of keys.
func (m *maker) memory() []measure.Workload {
	var all []measure.Workload
	for _, n := range []int{1000, 10_000, 100_000} {
		all = append(all, m.readsOnly(measure.Workload{
			Name:  fmt.Sprintf("memory/snapshot_creation/%d", n),
			About: fmt.Sprintf("begin a transaction and roll it back, %d keys loaded", n),
			Setup: m.open(m.cfg.Mode, load{"key", n}, beginTrial),
		}))
	}
	for _, n := range []int{100, 1000, 10_000} {
		all = append(all, m.readsOnly(measure.Workload{
			Name:  fmt.Sprintf("memory/prefix_scan/%d", n),
			About: fmt.Sprintf("scan %d keys by their prefix, beside 1,000 others", n),
			Setup: m.open(m.cfg.Mode, load{"prefix_scan", n}, scanTrial),
		}))
	}
	return all
}

func beginTrial(_ context.Context, s *store) (*measure.Trial, error) {
	newest := s.db.Version()
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		tx, err := s.run.Begin(ctx, inmem.TxOptions{})
		if err != nil {
			return err
		}
		if tx.Snapshot() != newest {
			return measure.Wrongf("a transaction began at version %d, expected %d", tx.Snapshot(), newest)
		}
		return tx.Rollback()
	}}, nil
}

// scanTrial scans what was loaded; keys of another prefix stand before it.
func scanTrial(ctx context.Context, s *store) (*measure.Trial, error) {
	other := measure.MakeKeys("other", 1000)
	for i := range other.Len() {
		if _, err := s.kv.Put(ctx, other.At(i), inmem.Int(int64(i))); err != nil {
			return nil, err
		}
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		return s.scanAll(ctx, "prefix_scan_")
	}}, nil
}

// scanAll scans the loaded keys and checks each.
func (s *store) scanAll(ctx context.Context, prefix string) error {
	n := 0
	for pair, err := range s.kv.Scan(ctx, inmem.ScanOptions{Prefix: prefix}) {
		if err != nil {
			return err
		}
		if n >= s.data.keys.Len() || pair.Key != s.data.keys.At(n) || pair.Value != s.data.values.at(n) {
			return measure.Wrongf("place %d of a scan is %q with %s", n, pair.Key, short(pair.Value))
		}
		n++
	}
	if n != s.data.keys.Len() {
		return measure.Wrongf("a scan found %d keys, expected %d", n, s.data.keys.Len())
	}
	return nil
}
