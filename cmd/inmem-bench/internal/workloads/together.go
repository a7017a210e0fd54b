package workloads

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// concurrency is the group of that name of the comprehensive benchmarks.
func (m *maker) concurrency() []measure.Workload {
	var all []measure.Workload
	for _, n := range []int{2, 4, 8, 16} {
		all = append(all, m.writes(measure.Workload{
			Name:    fmt.Sprintf("concurrency/txn_no_contention_threads/%d", n),
			About:   fmt.Sprintf("%d goroutines, each in transactions that put a new key", n),
			Workers: n,
			Setup:   m.open(m.cfg.Mode, load{}, m.insertTrial(n, 1, putTogether)),
		}, 1))
	}
	for _, n := range []int{2, 4, 8} {
		all = append(all, m.writes(measure.Workload{
			Name:    fmt.Sprintf("concurrency/txn_high_contention_threads/%d", n),
			About:   fmt.Sprintf("%d goroutines add one to the same key until it commits", n),
			Workers: n,
			Setup:   m.open(m.cfg.Mode, load{}, sameKeyTrial(n)),
		}, 1))
	}
	return append(all,
		m.writes(measure.Workload{
			Name:    "concurrency/conflict_rate_measurement",
			About:   "4 goroutines add one to the same key and think for 1 µs; conflicts pass",
			Workers: racers,
			Setup:   m.open(m.cfg.Mode, load{}, conflictRateTrial),
		}, 1),
		m.writes(measure.Workload{
			Name:  "concurrency/cas_contention_one_winner",
			About: "4 goroutines start, try to create the same new key, and end: one wins",
			Setup: m.open(m.cfg.Mode, load{}, m.oneWinnerTrial),
		}, 1))
}

// tally counts what the workers tried and what committed, each for itself.
type tally []lane

func (t tally) metrics() []measure.Metric {
	attempts, commits := 0, 0
	for i := range t {
		attempts += t[i].attempts
		commits += t[i].commits
	}
	share := 100 * float64(commits) / float64(max(attempts, 1))
	return []measure.Metric{{Name: "committed", Unit: "% of attempts", Value: share}}
}

func (t tally) commits() int64 {
	n := 0
	for i := range t {
		n += t[i].commits
	}
	return int64(n)
}

// tryOnce counts one attempt of a transaction; a conflict is no failure.
func (t tally) tryOnce(ctx context.Context, s *store, worker int,
	fn func(*inmem.Tx) error) error {
	mine := &t[worker]
	mine.attempts++
	_, err := s.run.UpdateWith(ctx, inmem.TxOptions{Retry: &inmem.Retry{Max: 0}}, fn)
	if errors.Is(err, inmem.ErrConflict) {
		return nil
	}
	if err == nil {
		mine.commits++
	}
	return err
}

// conflictRateTrial has transactions that take a microsecond longer between read and write.
func conflictRateTrial(ctx context.Context, s *store) (*measure.Trial, error) {
	if _, err := s.kv.Put(ctx, counter, inmem.Int(0)); err != nil {
		return nil, err
	}
	counted := make(tally, racers)
	return &measure.Trial{
		Op: func(ctx context.Context, worker, _ int) error {
			return counted.tryOnce(ctx, s, worker, func(tx *inmem.Tx) error {
				time.Sleep(time.Microsecond)
				_, err := increment(ctx, tx.KV())
				return err
			})
		},
		Check: func(ctx context.Context, _ []int) error {
			return s.expectAt(ctx, counter, inmem.Int(counted.commits()))
		},
		Metrics: counted.metrics,
	}, nil
}

// moreDurability is the group durability of the comprehensive benchmarks: each mode with its own
// intervals, and transactions of 3 keys in each.
func (m *maker) moreDurability() []measure.Workload {
	mode := func(name, about, mode string, keys int, o inmem.Options, p put) measure.Workload {
		return m.writes(measure.Workload{
			Name: "durability/" + name, About: about, Mode: mode,
			Setup: m.openWith(mode, o, load{}, m.insertTrial(1, keys, p)),
		}, keys)
	}
	const async, batched = "async", "batched"
	all := []measure.Workload{
		mode("strict_mode_put", "put a new key, every commit synced", modeStrict, 1,
			inmem.Options{}, putDirect),
	}
	for _, n := range []int{100, 500, 1000} {
		all = append(all, mode(fmt.Sprintf("batched_mode_put/%d", n),
			fmt.Sprintf("put a new key, synced after 100 ms or %d commits", n), batched, 1,
			inmem.Options{SyncInterval: 100 * time.Millisecond, SyncCommits: n}, putDirect))
	}
	slow := inmem.Options{SyncInterval: 50 * time.Millisecond}
	return append(all,
		mode("async_mode_put", "put a new key, synced every 50 ms", async, 1, slow, putDirect),
		mode("transaction_durability/strict", "transaction of 3 new keys, every commit synced",
			modeStrict, 3, inmem.Options{}, putTogether),
		mode("transaction_durability/batched", "transaction of 3 new keys, 100 ms or 500 commits",
			batched, 3, inmem.Options{SyncCommits: 500}, putTogether),
		mode("transaction_durability/async", "transaction of 3 new keys, synced every 50 ms",
			async, 3, slow, putTogether))
}
