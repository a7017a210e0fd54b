package bars

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/curves"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/footprint"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/rows"
)

// Every line of the table has its workload; a bar is never easier than the step before it.
func TestTableNamesWorkloads(t *testing.T) {
	var names []string
	cfg := measure.Config{Mode: "batched"}
	for _, w := range slices.Concat(rows.Workloads(engine.InMem(), cfg), curves.Workloads(cfg),
		footprint.Workloads(cfg)) {
		names = append(names, w.Name)
	}
	seen := map[string]bool{}
	for _, row := range slices.Concat(Table, Footprint) {
		if !slices.Contains(elsewhere, row.Name) {
			require.Contains(t, names, row.Name)
		}
		require.False(t, seen[row.Name], row.Name)
		seen[row.Name] = true
		require.NotEmpty(t, row.Goals, row.Name)
		require.LessOrEqual(t, len(row.Case), 31, row.Case)
		for _, g := range row.Goals {
			require.True(t, g.Bar >= 0 || g.Step >= 0, row.Name)
			if g.Bar >= 0 && g.Step >= 0 && g.Kind.AtLeast() {
				require.GreaterOrEqual(t, g.Bar, g.Step, row.Name)
			} else if g.Bar >= 0 && g.Step >= 0 {
				require.LessOrEqual(t, g.Bar, g.Step, row.Name)
			}
		}
	}
}

// elsewhere are the workloads of the table that another package makes.
var elsewhere = []string{
	"primitives/event_append", "primitives/cell_cas", "primitives/trace_minimal", "history/fork/1k",
}

var (
	ours   = measure.System{Name: "inmem"}
	pebblE = measure.System{Name: "pebble", Peer: true}
	bolt   = measure.System{Name: "bbolt", Peer: true}
	gomap  = measure.System{Name: "go-map", Limit: true}
	raw    = measure.System{Name: "raw-sync", Limit: true}
)

// result has repeats with so many operations in a second each.
func result(s measure.System, name string, rates ...int) measure.Result {
	r := measure.Result{Case: measure.Case{System: s, Workload: measure.Workload{Name: name}}}
	for _, n := range rates {
		sample := &measure.Sample{Ops: n, Elapsed: time.Second, CPU: time.Second}
		sample.Latency.Add(time.Second / time.Duration(n))
		r.Samples = append(r.Samples, sample)
	}
	return r
}

func verdicts(t *testing.T, name string, all ...measure.Result) (texts []string, list []Verdict) {
	for _, v := range Judge(Table, all) {
		require.Equal(t, name, v.Row.Name)
		texts = append(texts, v.Text+" | "+v.Goal.Limit(v.Goal.Step)+" "+v.Step().String()+" | "+
			v.Goal.Limit(v.Goal.Bar)+" "+v.Bar().String())
		list = append(list, v)
	}
	return texts, list
}

func TestRatiosAreToTheBestPeer(t *testing.T) {
	const name = "rows/get_hot"
	texts, list := verdicts(t, name, result(pebblE, name, 100, 100, 100),
		result(bolt, name, 10, 1000, 1000), result(ours, name, 20, 1400, 1300),
		result(gomap, name, 100, 1000, 9999), result(ours, "rows/unknown", 1))
	require.Equal(t, []string{
		"1.40 of bbolt | ≥ 1.2 met | ≥ 2.4 missed",
		"0.20 of go-map |   | ≥ 0.45 missed",
		"0.00 allocations |   | ≤ 0 met",
	}, texts)
	require.InDelta(t, 1.4, list[0].Value, 1e-9, "the median of 2, 1.4 and 1.3")
	require.InDelta(t, 1.4, list[0].CPU, 1e-9)
	require.InDelta(t, .25, list[0].Spread, 1e-9)
}

// Without a peer there is nothing to say about peers, but about the rest.
func TestGoalsWithoutFiguresAreLeftOut(t *testing.T) {
	one := result(ours, "rows/get_hot", 7)
	one.Samples[0].Mallocs = 7
	texts, _ := verdicts(t, "rows/get_hot", one)
	require.Equal(t, []string{"1.00 allocations |   | ≤ 0 missed"}, texts)
	texts, _ = verdicts(t, "", result(pebblE, "rows/get_hot", 1))
	require.Empty(t, texts, "ours was not measured")
	texts, _ = verdicts(t, "", result(ours, "rows/get_uniform/1m", 1, 2),
		result(pebblE, "rows/get_uniform/1m", 1))
	require.Empty(t, texts, "repeats that do not match")
}

func TestStrictIsJudgedBySyncs(t *testing.T) {
	const name = "rows/strict/64"
	texts, _ := verdicts(t, name, result(ours, name, 80), result(pebblE, name, 100),
		result(raw, name, 1000))
	require.Equal(t, []string{
		"0.80 of pebble |   | ≥ 1.2 missed",
		"0.80 of pebble | ≥ 0.75 met |  ",
		"p99 is 12.5 syncs |   | ≤ 10 missed",
	}, texts)
	texts, _ = verdicts(t, "rows/strict/1", result(ours, "rows/strict/1", 95),
		result(raw, "rows/strict/1", 100))
	require.Equal(t, []string{"0.95 of raw-sync | ≥ 0.45 met | ≥ 0.9 met"}, texts)
}

func TestFiguresAndTimes(t *testing.T) {
	texts, _ := verdicts(t, "rows/open_closed/1m", result(ours, "rows/open_closed/1m", 20))
	require.Equal(t, []string{"50.0 ms | ≤ 100 met | ≤ 30 missed"}, texts)

	with := func(r measure.Result, m ...measure.Metric) measure.Result {
		r.Samples[0].Metrics = m
		return r
	}
	texts, _ = verdicts(t, "rows/memory/1m", with(result(ours, "rows/memory/1m", 1),
		measure.Metric{Name: rows.BytesPerKey, Value: 120},
		measure.Metric{Name: rows.GetDuringGC, Value: 1.2}))
	require.Equal(t, []string{
		"120 bytes/key overhead | ≤ 150 met | ≤ 100 missed",
		"1.20 x quiet p99.9 in GC |   | ≤ 1.5 met",
	}, texts)

	written := func(s measure.System, bytes float64) measure.Result {
		return with(result(s, "rows/written/10", 1),
			measure.Metric{Name: rows.WrittenBytes, Value: bytes})
	}
	texts, _ = verdicts(t, "rows/written/10", written(ours, 260), written(pebblE, 200))
	require.Equal(t, []string{"1.30 of pebble's bytes | ≤ 2 met | ≤ 1.25 missed"}, texts)
	texts, _ = verdicts(t, "", written(ours, 260), written(pebblE, 0))
	require.Empty(t, texts, "where nothing could be counted")

	var costs []string
	for _, v := range Judge(Table, []measure.Result{
		result(ours, "primitives/event_append", 100), result(ours, "primitives/kv_put", 250),
	}) {
		costs = append(costs, v.Text+" "+v.Bar().String()+" "+v.Step().String())
	}
	require.Equal(t, []string{"2.50 times the cost of kv_put missed met"}, costs)

	texts, _ = verdicts(t, "rows/same_key/4", with(result(ours, "rows/same_key/4", 10),
		measure.Metric{Name: "committed", Value: 94.96}))
	require.Equal(t, []string{"94.9 % of attempts commit |   | ≥ 95 missed"}, texts)
}

// A begin costs what a view takes over a get of the same database.
func TestGrowthOfBegin(t *testing.T) {
	all := []measure.Result{
		result(ours, "rows/begin_read/1m", 1_000_000), result(ours, "rows/get_uniform/1m", 2_000_000),
		result(ours, "rows/begin_read/1k", 2_500_000), result(ours, "rows/get_uniform/1k", 5_000_000),
	}
	var texts []string
	for _, v := range Judge(Table, all) {
		texts = append(texts, v.Text)
	}
	require.Equal(t, []string{"a begin costs 2.50 of that at 1k"}, texts)
}

// A selection of what the table needs has every line of it, and nobody who is not compared.
func TestNeeds(t *testing.T) {
	needs := func(name string, s measure.System) bool {
		return Needs(&measure.Case{System: s, Workload: measure.Workload{Name: name}})
	}
	for _, row := range Table {
		require.True(t, needs(row.Name, ours), row.Name)
	}
	for _, c := range []struct {
		name    string
		system  measure.System
		planned bool
	}{
		{"rows/get_hot", bolt, true}, {"rows/get_hot", gomap, true}, {"rows/get_hot", ours, true},
		{"rows/put_insert", gomap, false}, {"rows/strict/1", raw, true},
		{"rows/strict/1", bolt, false}, {"rows/strict/8", raw, true},
		{"rows/written/1", pebblE, true}, {"rows/written/1", bolt, false},
		{"rows/get_uniform/1k", ours, true}, {"rows/get_uniform/1k", bolt, false},
		{"rows/get_uniform/10m", ours, true}, {"primitives/kv_put", ours, true},
		{"curves/keys/fork/10", ours, true}, {"curves/keys/replay_1k/10", ours, true},
		{"rows/open_closed/1m", bolt, false}, {"rows/strict/16", ours, false},
		{"history/fork/100k", ours, false},
	} {
		require.Equal(t, c.planned, needs(c.name, c.system), "%s of %s", c.name, c.system.Name)
	}
}

func TestMissingNamesWhatHasNoVerdict(t *testing.T) {
	judged := map[string]int{}
	require.Len(t, Missing(Table, judged), len(Table))
	for _, row := range Table {
		judged[row.Name] = len(row.Goals)
	}
	require.Empty(t, Missing(Table, judged))
	judged["rows/get_hot"]--
	require.Equal(t, []string{"get hot in a live run"}, Missing(Table, judged))
}
