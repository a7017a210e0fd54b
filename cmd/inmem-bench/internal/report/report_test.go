package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/machine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/workloads"
)

// sample is a repeat of n operations with one latency.
func sample(n int, each time.Duration) *measure.Sample {
	s := &measure.Sample{Ops: n, Elapsed: time.Second, Mallocs: uint64(n) * 123, Bytes: uint64(n) * 9}
	s.Latency.Add(each)
	return s
}

// full is a report on every workload there is, with one kind of figure.
func full(n int, each time.Duration) *Report {
	r := &Report{
		Machine: machine.Machine{CPU: "A processor with a long name @ 2.60GHz", Cores: 128, MaxProcs: 128,
			OS: "linux", Arch: "amd64", Kernel: "6.18.44-with-a-long-name", Go: "go1.26.8",
			Filesystem: "tmpfs", InMemory: true, Load: "12.34", Busy: true},
		Config: measure.Config{Keys: 1_000_000, ValueSize: 1 << 20, Mode: "strict",
			Seed: measure.DefaultSeed, Memory: 1 << 40},
		Command: []string{"inmem-bench", "-mode", "strict"}, Started: time.Unix(1, 0),
		Elapsed: 80 * time.Second, Repeats: 2, Length: 200 * time.Millisecond,
	}
	for _, c := range measure.Plan(workloads.Systems(), r.Config) {
		if c.Extra {
			continue
		}
		a, b := sample(n, each), sample(n/3+1, each*7)
		b.Exhausted = true
		if strings.HasPrefix(c.Name, "conflict/same_key") {
			a.Metrics = []measure.Metric{{Name: "committed", Unit: "% of attempts", Value: 100}}
			b.Metrics = a.Metrics
		}
		r.Results = append(r.Results, measure.Result{Case: c, Samples: []*measure.Sample{a, b}})
	}
	return r
}

// The extremes of what can come out.
func extremes() []*Report {
	return []*Report{
		full(1, 25*time.Minute), full(999_499_999, time.Nanosecond),
		full(99_949, 999_499*time.Nanosecond),
	}
}

func requireWidth(t *testing.T, text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		require.LessOrEqual(t, utf8.RuneCountInString(line), Width, "%q", line)
		require.Equal(t, strings.TrimRight(line, " "), line)
	}
}

func TestTableAndSummaryFitTheWidth(t *testing.T) {
	for _, r := range extremes() {
		var b bytes.Buffer
		require.NoError(t, r.Table(&b, Style{}))
		requireWidth(t, b.String())
		require.NotContains(t, b.String(), "…", "nothing is cut")
		for _, res := range r.Results {
			require.Contains(t, b.String(), res.Name)
		}
		b.Reset()
		require.NoError(t, r.Summary(&b, Style{}))
		requireWidth(t, b.String())
		require.NotContains(t, b.String(), "…", "nothing is cut")
		for _, h := range headlines {
			require.NotNil(t, r.find(h.name, false), "no workload is called %s", h.name)
			require.Contains(t, b.String(), "  "+h.says+"  ")
		}
		for _, word := range []string{
			"strict: every commit is on disk", "0xdeadbeefcafebabe", "2 repeats of 200ms", "128 cores",
			"go1.26.8", "values of 1,048,576 bytes", "1,000,000", "load at the start 12.34",
			"other processes", "system in memory", "100% committed",
		} {
			require.Contains(t, strings.Join(strings.Fields(b.String()), " "), word)
		}
	}
}

// Names too long for their column lose their beginning.
func TestLongNamesFit(t *testing.T) {
	r := &Report{Repeats: 1}
	for _, c := range measure.Plan(workloads.Systems(), measure.Config{Keys: 10, Mode: "batched"}) {
		r.Results = append(r.Results, measure.Result{Case: c,
			Samples: []*measure.Sample{sample(1, time.Minute)}})
	}
	var b bytes.Buffer
	require.NoError(t, r.Table(&b, Style{}))
	requireWidth(t, b.String())
	require.Contains(t, b.String(), "…benchmarks/put_value_size_bytes/4096")
}

func TestModesAreLabelledAsTheyAre(t *testing.T) {
	for mode, says := range map[string]string{
		"batched": "before it is on disk",
		"async":   "before it is on disk",
		"none":    "nothing is ever written",
		"strict":  "on disk before it returns",
	} {
		require.Contains(t, durability(mode, false), mode+": ")
		require.Contains(t, durability(mode, false), says)
	}
	r := full(10, time.Second)
	require.False(t, r.anyOther())
	r.Config.Mode = "batched"
	require.True(t, r.anyOther())
	require.Contains(t, durability("batched", true), "where a workload's name says another mode")
}

func TestRivalsHaveTheirOwnRows(t *testing.T) {
	r := full(10, time.Second)
	peer := r.Results[0]
	peer.System = measure.System{Name: "peer"}
	r.Results = append(r.Results, peer)
	var b bytes.Buffer
	require.NoError(t, r.Table(&b, Style{}))
	require.Contains(t, b.String(), "engine_get/hot_key inmem")
	require.Contains(t, b.String(), "engine_get/hot_key peer")
	requireWidth(t, b.String())
}

func TestJSONIsCompleteAndParses(t *testing.T) {
	r := full(1000, time.Microsecond)
	var b bytes.Buffer
	require.NoError(t, r.JSON(&b))
	var doc map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &doc))
	require.EqualValues(t, Schema, doc["schema"])
	require.Equal(t, "strict", doc["mode"])
	require.Equal(t, r.Machine.CPU, doc["machine"].(map[string]any)["cpu"])
	results := doc["results"].([]any)
	require.Len(t, results, len(r.Results))
	first := results[0].(map[string]any)
	require.Equal(t, "engine_get/hot_key", first["workload"])
	require.Equal(t, "inmem", first["system"])
	require.InDelta(t, 667, first["ops_per_sec"].(map[string]any)["median"], 1)
	require.EqualValues(t, 7000, first["latency_ns"].(map[string]any)["max"])
	require.Len(t, first["samples"], 2)
	require.Equal(t, "go-map", first["ratio"].(map[string]any)["to"])
	require.InDelta(t, 1, first["ratio"].(map[string]any)["median"], 1e-9)

	var typed document // the seed does not fit into the numbers of JavaScript
	require.NoError(t, json.Unmarshal(b.Bytes(), &typed))
	require.EqualValues(t, uint64(measure.DefaultSeed), typed.Seed)
}

func TestGoBenchLines(t *testing.T) {
	r := full(1000, time.Microsecond)
	var b bytes.Buffer
	require.NoError(t, r.GoBench(&b))
	setting := regexp.MustCompile(`^[a-z][a-z-]*: \S.*$`)
	line := regexp.MustCompile(`^Benchmark[A-Z][\w/-]*-128\t\d+(\t[\d.]+ [\w/%-]+)+$`)
	n := 0
	for l := range strings.Lines(b.String()) {
		l = strings.TrimSuffix(l, "\n")
		if line.MatchString(l) {
			n++
			continue
		}
		require.Regexp(t, setting, l)
	}
	require.Equal(t, 2*len(r.Results), n, "one line per repeat")
	require.Contains(t, b.String(), "durability: strict\n")
	require.Contains(t, b.String(),
		"BenchmarkInmem/txn_commit/multi_put/10-128\t1000\t1000000.00 ns/op")
	require.Contains(t, b.String(), "committed-%")
}

func TestNumbersForPeople(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100", 9994: "9994",
		9996: "10.0K", 617_000: "617K", 999_499: "999K", 999_501: "1.00M", 2.5e9: "2.50G",
	} {
		require.Equal(t, want, Rate(v), "%v", v)
	}
	for d, want := range map[time.Duration]string{
		0: "0ns", 999: "999ns", 1234: "1.23µs", 12_345: "12.3µs", 999_501: "1.00ms",
		time.Minute: "60.0s",
	} {
		require.Equal(t, want, Duration(d))
	}
	one := &measure.Result{Samples: []*measure.Sample{{Ops: 1, Mallocs: 2_214_260}}}
	require.Equal(t, "2.21M", allocs(one), "of one operation that is a million")
	for v, want := range map[float64]string{100: "100%", 99.97: "99.9%", 97.34: "97.3%", 3: "3%"} {
		require.Equal(t, want, percent(v))
	}
	require.Equal(t, "1,234,567", Grouped(1_234_567))
	require.Equal(t, "-123", Grouped(-123))
	require.Equal(t, "256 MiB", Size(256<<20))
	require.Equal(t, "1500 bytes", Size(1500))
	require.Equal(t, "a bc\n  de", wrap("a bc de", 6, 2))
}

func TestProgress(t *testing.T) {
	step := measure.Step{Number: 4, Of: 8, Repeat: 1, Repeats: 2, Cases: 4, System: "x", Name: "g/a"}
	var b bytes.Buffer
	p := NewProgress(&b)
	for step.Number = range 8 {
		step.Repeat = step.Number / 4
		p.Step(step)
	}
	p.Done()
	require.Equal(t, "repeat 1 of 2, 4 workloads\nrepeat 2 of 2, 4 workloads\n", b.String())

	for color, want := range map[bool]string{
		false: "\r\x1b[K████████████░░░░░░░░░░░░  50% g/a\r\x1b[K",
		true:  "\r\x1b[K\x1b[32m████████████\x1b[0m░░░░░░░░░░░░  50% g/a\r\x1b[K",
	} {
		b.Reset()
		p = &Progress{w: &b, terminal: true, style: Style{Color: color}, start: time.Now()}
		p.Step(measure.Step{Number: 2, Of: 4, Repeats: 2, Name: "g/a"})
		p.Done()
		p.Done()
		require.Equal(t, want, b.String())
	}
	require.Contains(t, left(10*time.Second, measure.Step{Number: 10, Of: 30}), "about 20 s left")
}

func TestColorOnlyOnTerminals(t *testing.T) {
	require.Equal(t, Style{}, StyleOf(&bytes.Buffer{}))
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	defer f.Close()
	require.False(t, StyleOf(f).Color)
	require.Equal(t, "x", Style{}.Bold("x"))
	require.NotEqual(t, "x", Style{Color: true}.Bold("x"))
	t.Setenv("NO_COLOR", "1")
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a device, as a terminal is
	require.NoError(t, err)
	defer device.Close()
	require.Equal(t, Style{}, StyleOf(device))
}
