package workloads

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func config(mode string) measure.Config {
	return measure.Config{Keys: 200, Seed: measure.DefaultSeed, Mode: mode, Memory: 64 << 20}
}

// canonical are the names that the original gave, and those that stand beside them here.
const canonical = `
engine_get/hot_key engine_get/miss engine_get/uniform engine_get/working_set_100
engine_put/insert engine_put/overwrite_hot engine_put/overwrite_uniform
engine_delete/existing engine_delete/nonexistent
engine_value_size/64 engine_value_size/256 engine_value_size/1k engine_value_size/4k
engine_value_size/64k
engine_key_scaling/get_rotating/10k engine_key_scaling/get_rotating/100k
engine_key_scaling/get_rotating/1m
wal_recovery/insert_only/1k wal_recovery/insert_only/10k wal_recovery/insert_only/50k
wal_recovery/overwrite_heavy wal_recovery/delete_heavy
txn_commit/single_put txn_commit/multi_put/3 txn_commit/multi_put/5 txn_commit/multi_put/10
txn_commit/read_modify_write
txn_commit/readN_write1/1 txn_commit/readN_write1/10 txn_commit/readN_write1/100
txn_cas/success_sequential txn_cas/failure_version_mismatch txn_cas/create_new_key
txn_cas/retry_until_success
snapshot/single_read snapshot/multi_read_10
snapshot/after_versions/10 snapshot/after_versions/100 snapshot/after_versions/1000
snapshot/read_your_writes snapshot/read_only_10
conflict/disjoint_keys/2 conflict/disjoint_keys/4 conflict/disjoint_keys/8
conflict/same_key/2 conflict/same_key/4 conflict/cas_one_winner
durability/strict_put/1 durability/strict_put/8 durability/strict_put/64`

// comprehensive are the names of the original's comprehensive benchmarks, those of agents apart.
const comprehensive = `
kv_microbenchmarks/get_existing_key kv_microbenchmarks/get_nonexistent_key
kv_microbenchmarks/put_unique_keys kv_microbenchmarks/put_overwrite_same_key
kv_microbenchmarks/cas_success kv_microbenchmarks/delete
kv_microbenchmarks/put_value_size_bytes/64 kv_microbenchmarks/put_value_size_bytes/256
kv_microbenchmarks/put_value_size_bytes/1024 kv_microbenchmarks/put_value_size_bytes/4096
concurrency/txn_no_contention_threads/2 concurrency/txn_no_contention_threads/4
concurrency/txn_no_contention_threads/8 concurrency/txn_no_contention_threads/16
concurrency/txn_high_contention_threads/2 concurrency/txn_high_contention_threads/4
concurrency/txn_high_contention_threads/8
concurrency/conflict_rate_measurement concurrency/cas_contention_one_winner
recovery/wal_replay/1000 recovery/wal_replay/10000 recovery/wal_replay/100000
recovery/mixed_workload_recovery/100 recovery/mixed_workload_recovery/1000
recovery/mixed_workload_recovery/5000
durability/strict_mode_put durability/batched_mode_put/100 durability/batched_mode_put/500
durability/batched_mode_put/1000 durability/async_mode_put
durability/transaction_durability/strict durability/transaction_durability/batched
durability/transaction_durability/async
memory/snapshot_creation/1000 memory/snapshot_creation/10000 memory/snapshot_creation/100000
memory/prefix_scan/100 memory/prefix_scan/1000 memory/prefix_scan/10000
latency_distribution/put_latency latency_distribution/get_latency
latency_distribution/transaction_latency`

func TestNamesOfTheComprehensiveBenchmarks(t *testing.T) {
	var names []string
	for _, w := range newMaker(config("batched")).comprehensive() {
		names = append(names, w.Name)
		require.True(t, w.Extra)
		require.LessOrEqual(t, len(w.About), 80, w.Name)
		if _, mode, found := strings.Cut(w.Name, "transaction_durability/"); found {
			require.Equal(t, mode, w.Mode)
		}
	}
	require.Equal(t, strings.Fields(comprehensive), names)
	runAll(t, config("none"), func(c measure.Case) bool {
		return slices.Contains(names, c.Name) && !strings.HasSuffix(c.Name, "/100000")
	})
}

// What is written before a kill is there when it is opened again; what was not, is told.
func TestRecoveriesOnDisk(t *testing.T) {
	m := newMaker(config("batched"))
	runAll(t, config("batched"), func(c measure.Case) bool {
		return strings.HasPrefix(c.Name, "wal_recovery/delete") ||
			c.Name == "recovery/mixed_workload_recovery/100"
	})
	forgetful := history{"g/forgets", "", 10, func(ctx context.Context, s *store) (int, error) {
		left, err := inserts(10)(ctx, s)
		return left + 1, err
	}}
	r := measure.Runner{Repeats: 1, Length: time.Millisecond, Dir: t.TempDir()}
	_, err := r.Run(context.Background(),
		[]measure.Case{{Workload: m.reopened([]history{forgetful})[0]}})
	require.ErrorContains(t, err, "wrong answer: there are 10 keys, expected 11")
}

func TestNamesAreTheCanonicalOnes(t *testing.T) {
	var names []string
	for _, w := range original(config("batched")) {
		names = append(names, w.Name)
		require.NotEmpty(t, w.About)
		require.LessOrEqual(t, len(w.About), 80, w.Name)
		require.Equal(t, w.Name == "engine_key_scaling/get_rotating/1m", w.Heavy, w.Name)
		want := "batched"
		if strings.HasPrefix(w.Name, "durability/") {
			want = "strict"
		}
		require.Equal(t, want, w.Mode, w.Name)
	}
	require.Equal(t, strings.Fields(canonical), names)
}

// runAll measures the cases that are kept, and fails on any error or wrong answer.
func runAll(t *testing.T, cfg measure.Config, keep func(measure.Case) bool) {
	var plan []measure.Case
	for _, c := range measure.Plan(Systems(), cfg) {
		if keep(c) {
			plan = append(plan, c)
		}
	}
	r := measure.Runner{Repeats: 1, Length: 3 * time.Millisecond, Dir: t.TempDir()}
	results, err := r.Run(context.Background(), plan)
	require.NoError(t, err)
	require.Len(t, results, len(plan))
	for i := range results {
		require.Positive(t, results[i].Rate().Median, results[i].Name)
	}
}

func TestEveryWorkloadRuns(t *testing.T) {
	runAll(t, config("none"), func(c measure.Case) bool { return !c.Heavy && !c.Extra })
}

func TestBytesAsValuesOnDisk(t *testing.T) {
	cfg := config("batched")
	for _, cfg.ValueSize = range []int{1, 100} {
		runAll(t, cfg, func(c measure.Case) bool {
			return strings.HasPrefix(c.Name, "engine_put/") || c.Name == "engine_get/uniform" ||
				c.Name == "txn_commit/readN_write1/10" || c.Name == "snapshot/after_versions/10"
		})
	}
}

// Everything that commits alone has a raw log beside it in mode strict; what only reads has none.
func TestRawLogStandsBesideStrictCommits(t *testing.T) {
	count := func(mode string) map[string]int {
		beside := map[string]int{}
		for _, w := range rawSync(config(mode)) {
			if !w.Extra {
				beside[w.Name] = w.Synced
			}
		}
		return beside
	}
	require.Equal(t, map[string]int{
		"durability/strict_put/1": 18, "durability/strict_put/8": 18, "durability/strict_put/64": 18,
	}, count("batched"))
	strict := count("strict")
	require.Equal(t, 180, strict["txn_commit/multi_put/10"])
	require.Equal(t, 74, strict["engine_value_size/64"])
	for _, none := range []string{
		"engine_get/uniform", "engine_delete/nonexistent", "snapshot/read_only_10",
		"txn_cas/failure_version_mismatch",
	} {
		require.NotContains(t, strict, none)
	}
}

// spoil makes a database answer wrongly: the data differ from what the workload believes.
func spoil(how func(ctx context.Context, s *store) error, p prepare) prepare {
	return func(ctx context.Context, s *store) (*measure.Trial, error) {
		t, err := p(ctx, s)
		if err != nil {
			return nil, err
		}
		return t, how(ctx, s)
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	m := newMaker(config("none"))
	lose := func(ctx context.Context, s *store) error {
		_, err := s.kv.Delete(ctx, s.data.keys.At(s.data.keys.Len()/2))
		return err
	}
	change := func(ctx context.Context, s *store) error {
		_, err := s.kv.Put(ctx, s.data.keys.At(0), inmem.String(strings.Repeat("other", 20)))
		return err
	}
	appear := func(ctx context.Context, s *store) error {
		_, err := s.kv.Put(ctx, absent, inmem.Int(1))
		return err
	}
	count := func(ctx context.Context, s *store) error {
		_, err := s.kv.Put(ctx, counter, inmem.Int(7))
		return err
	}
	hot := read{n: 3}
	for name, c := range map[string]struct {
		load load
		how  func(context.Context, *store) error
		p    prepare
		says string
	}{
		"get lost":     {load{"key", 3}, lose, m.getTrial(hot), `key "key_000001" is absent`},
		"get changed":  {load{"key", 1}, change, m.getTrial(read{n: 1}), "characters), expected 0"},
		"get appears":  {load{"key", 3}, appear, m.getTrial(read{n: 3, miss: true}), "expected none"},
		"insert":       {load{}, appear, m.insertTrial(1, 1, putDirect), "keys, expected"},
		"delete":       {load{"key", 1}, lose, deleteTrial, "found none"},
		"delete none":  {load{}, appear, deleteAbsentTrial, "expected none"},
		"increment":    {load{}, count, incrementTrial, "the counter was 7 before increment 1"},
		"cas":          {load{}, count, casTrial(casOnce), "the counter was 7 before increment 1"},
		"cas failure":  {load{"key", 1}, change, casFailureTrial, "left version"},
		"view":         {load{"key", 1}, change, m.viewTrial(1), "expected 0"},
		"read only":    {load{"key", 1}, lose, m.readOnlyTrial, "is absent"},
		"read write":   {load{"key", 1}, change, readWriteTrial, "expected 0"},
		"disjoint":     {load{}, appear, disjointTrial(1), "keys, expected"},
		"same key":     {load{}, count, sameKeyTrial(1), `key "counter_00" holds`},
		"one winner":   {load{}, appear, m.oneWinnerTrial, "keys, expected"},
		"overwritten":  {load{"key", 2}, appear, m.overwriteTrial, "3 keys, expected 2"},
		"strict, lost": {load{"key", 1}, lose, m.afterVersions(1), "is absent"},
	} {
		t.Run(name, func(t *testing.T) {
			w := measure.Workload{Name: "g/spoilt",
				Setup: m.open("none", c.load, spoil(c.how, c.p))}
			r := measure.Runner{Repeats: 1, Length: time.Millisecond, Dir: t.TempDir()}
			_, err := r.Run(context.Background(), []measure.Case{{Workload: w}})
			var wrong *measure.WrongAnswer
			require.ErrorAs(t, err, &wrong)
			require.ErrorContains(t, err, "g/spoilt")
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestARaceHasOneWinner(t *testing.T) {
	require.NoError(t, expectLost(errors.Join(inmem.ErrConflict, inmem.ErrVersionMismatch)))
	require.ErrorContains(t, expectLost(nil), "succeeded")
	require.ErrorContains(t, expectLost(inmem.ErrConflict), "expected a version mismatch")

	m := newMaker(config("none"))
	trial, err := m.open("none", load{}, func(ctx context.Context, s *store) (*measure.Trial, error) {
		_, err := race(ctx, s.kv, "k")
		require.NoError(t, err)
		_, err = race(ctx, s.kv, "k") // taken: all lose
		require.ErrorContains(t, err, "none of 4 racers")
		return &measure.Trial{}, nil
	})(context.Background(), t.TempDir())
	require.NoError(t, err)
	require.NoError(t, trial.Close())
}

func TestSetupClosesWhatItOpened(t *testing.T) {
	m := newMaker(config("batched"))
	dir := t.TempDir()
	broken := errors.New("broken")
	_, err := m.open("batched", load{"key", 1}, func(context.Context, *store) (*measure.Trial, error) {
		return nil, broken
	})(context.Background(), dir)
	require.ErrorIs(t, err, broken)
	db, err := inmem.Open(dir, nil) // would be locked
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = m.open("lazy", load{}, nil)(context.Background(), dir)
	require.ErrorContains(t, err, `"lazy"`)
}
