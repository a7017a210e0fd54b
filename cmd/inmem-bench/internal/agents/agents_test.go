package agents

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

const names = `
event_microbenchmarks/event_append event_microbenchmarks/event_scan/100
event_microbenchmarks/event_scan/1000 event_microbenchmarks/event_scan/10000
scenario/agent_run_simulation scenario/multi_agent_coordination/2
scenario/multi_agent_coordination/4 scenario/multi_agent_coordination/8
scenario/replay_simulation/100 scenario/replay_simulation/1000 scenario/replay_simulation/5000
primitives/kv_get primitives/kv_put primitives/kv_delete
primitives/event_append primitives/event_read primitives/event_range/100
primitives/event_verify/1000
primitives/cell_init primitives/cell_cas primitives/cell_read primitives/cell_transition
primitives/txn_kv_event primitives/txn_kv_event_state primitives/txn_four_primitives
primitives/snapshot_read
primitives/trace_minimal primitives/trace_tags/3 primitives/trace_by_type primitives/trace_tree/13
primitives/run_transition primitives/run_lifecycle primitives/run_create/tags_0
primitives/run_create/tags_1 primitives/run_create/tags_3 primitives/run_create/tags_5
history/view_open/1k history/get_as_of/1k history/key_history/1k history/fork/1k
history/fork_get/1k history/fork_scan_100/1k history/replay/1k history/diff/1k
history/state_hash/1k history/watch_catch_up/1k history/export/1k history/checkpoint/1k
history/retention/1k history/watch_told`

// quick leaves out what takes long to set up: the same workloads on more keys.
func quick(all []measure.Workload) []measure.Workload {
	return slices.DeleteFunc(all, func(w measure.Workload) bool {
		return w.Long || strings.HasSuffix(w.Name, "/100k")
	})
}

func config(mode string) measure.Config {
	return measure.Config{Seed: measure.DefaultSeed, Mode: mode, Memory: 64 << 20}
}

func run(t *testing.T, w ...measure.Workload) ([]measure.Result, error) {
	var plan []measure.Case
	for _, w := range w {
		plan = append(plan, measure.Case{Workload: w})
	}
	r := measure.Runner{Repeats: 1, Length: 3 * time.Millisecond, Dir: t.TempDir()}
	return r.Run(context.Background(), plan)
}

func TestEveryWorkloadRuns(t *testing.T) {
	for _, mode := range []string{"none", "batched"} {
		results, err := run(t, quick(Workloads(config(mode)))...)
		require.NoError(t, err)
		want := strings.Fields(names)
		if mode == "none" { // there is nothing on disk to copy
			want = slices.DeleteFunc(want, func(name string) bool {
				return name == "history/checkpoint/1k"
			})
		}
		var got []string
		for i := range results {
			r := &results[i]
			got = append(got, r.Name)
			require.Positive(t, r.Rate().Median, r.Name)
			require.LessOrEqual(t, len(r.About), 80, r.Name)
			require.Equal(t, mode, r.Mode)
			require.True(t, r.Extra)
		}
		require.Equal(t, want, got)
	}
	_, err := run(t, Workloads(config("lazy"))[0])
	require.ErrorContains(t, err, "no durability mode is called lazy")
}

// Answers that cannot be right end the run: something else was done to the run than what the
// workload knows of.
func TestWrongAnswersAreFound(t *testing.T) {
	event := func(ctx context.Context, w *world) error {
		_, err := w.run.Events().Append(ctx, "other", inmem.Int(1))
		return err
	}
	spanToo := func(ctx context.Context, w *world) error {
		_, err := w.run.Traces().Record(ctx, span())
		return err
	}
	cell := func(name string) func(context.Context, *world) error {
		return func(ctx context.Context, w *world) error {
			_, err := w.run.Cell(name).Store(ctx, inmem.Int(99))
			return err
		}
	}
	runToo := func(ctx context.Context, w *world) error {
		_, err := w.db.BeginRun(ctx, namespace)
		return err
	}
	keyToo := func(ctx context.Context, w *world) error {
		_, err := w.run.KV().Put(ctx, "another", inmem.Int(1))
		return err
	}
	m := &maker{config("none")}
	type prepare = func(context.Context, *world) (*measure.Trial, error)
	for name, c := range map[string]struct {
		p     prepare
		spoil func(context.Context, *world) error
	}{
		"append":     {appendTrial, event},
		"verify":     {verifyTrial, event},
		"put":        {putTrial, keyToo},
		"init":       {initTrial, cell("another")},
		"load":       {loadTrial, cell("counter")},
		"record":     {recordTrial(0), spanToo},
		"create":     {createTrial(0), runToo},
		"four":       {transactionTrial(3), spanToo},
		"two":        {transactionTrial(1), event},
		"view":       {viewTrial, cell("state")},
		"replay":     {replayTrial(10), keyToo},
		"simulation": {stepTrial, event},
	} {
		w := m.workload("g/"+name, "", func(ctx context.Context, w *world) (*measure.Trial, error) {
			t, err := c.p(ctx, w)
			if err != nil {
				return nil, err
			}
			return t, c.spoil(ctx, w)
		})
		_, err := run(t, w)
		var wrong *measure.WrongAnswer
		require.ErrorAs(t, err, &wrong, name)
	}
}
