package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/machine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file.
func golden(t *testing.T, name, got string) {
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test -update writes it anew")
}

// rivals is a report on some workloads that peers and limits did too.
func rivals() *Report {
	r := &Report{
		Machine: machine.Machine{CPU: "A processor", Cores: 2, MaxProcs: 2, OS: "linux", Arch: "amd64",
			Kernel: "6.1", Go: "go1.26", Filesystem: "ext4"},
		Config: measure.Config{Keys: 10_000, Mode: "batched", Seed: measure.DefaultSeed,
			Memory: 256 << 20},
		Command: []string{"peers", "-html", "a<b>&c.html"}, Started: time.Unix(1, 0),
		Elapsed: 80 * time.Second, Repeats: 3, Length: 200 * time.Millisecond,
	}
	ours := measure.System{Name: "inmem", Version: "this source", About: "in-mem",
		Durability: map[string]string{"batched": "after 100 ms", "strict": "shared syncs"}}
	pebble := measure.System{Name: "pebble", Peer: true, Version: "v2.1.7", About: "an LSM <tree>",
		Durability: map[string]string{"batched": "a timer", "strict": "Sync"}}
	bolt := measure.System{Name: "bbolt", Peer: true, Version: "v1.5.0"}
	gomap := measure.System{Name: "go-map", Limit: true}
	raw := measure.System{Name: "raw-sync", Limit: true}
	add := func(s measure.System, name, mode string, rates ...int) {
		c := measure.Case{System: s, Workload: measure.Workload{Name: name, Mode: mode,
			About: "what " + name + " does"}}
		res := measure.Result{Case: c}
		for i, rate := range rates {
			sample := &measure.Sample{Ops: rate, Elapsed: time.Second, CPU: time.Second / 2}
			for n := range 400 {
				sample.Latency.Add(time.Second/time.Duration(rate) + time.Duration(n*n*(i+1)))
			}
			res.Samples = append(res.Samples, sample)
		}
		r.Results = append(r.Results, res)
	}
	add(ours, "rows/get_hot", "batched", 3_000_000, 2_900_000, 3_100_000)
	add(pebble, "rows/get_hot", "batched", 700_000, 710_000, 720_000)
	add(bolt, "rows/get_hot", "batched", 1_000_000, 1_100_000, 1_000_000)
	add(gomap, "rows/get_hot", "", 17_000_000, 16_000_000, 18_000_000)
	add(ours, "rows/strict/8", "strict", 20_000, 21_000, 19_000)
	add(pebble, "rows/strict/8", "strict", 22_000, 22_000, 22_000)
	add(raw, "rows/strict/8", "strict", 8000, 8100, 7900)
	add(ours, "txn_commit/single_put", "batched", 300_000, 310_000, 290_000)
	return r
}

func TestComparisonIsGolden(t *testing.T) {
	r := rivals()
	require.True(t, r.HasPeers())
	var b bytes.Buffer
	require.NoError(t, r.Comparison(&b, Style{}))
	for line := range strings.Lines(b.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), Width+1, "%q", line)
	}
	require.NoError(t, r.Summary(&b, Style{}))
	golden(t, "comparison.txt", b.String())

	b.Reset()
	require.NoError(t, r.Comparison(&b, Style{Color: true}))
	require.Contains(t, b.String(), "\x1b[1m    3.00M\x1b[0m", "the best is bold")
	require.Contains(t, b.String(), "\x1b[32mmet")
	require.Contains(t, b.String(), "\x1b[31mmissed")
	require.False(t, full(10, time.Second).HasPeers())
}

func TestJSONHoldsTheBars(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, rivals().JSON(&b))
	b2 := *bytes.NewBuffer(bytes.Clone(b.Bytes()))
	var doc document
	require.NoError(t, json.Unmarshal(b.Bytes(), &doc))
	require.Len(t, doc.Bars, 6)
	hot := doc.Bars[0]
	require.Equal(t, "3.00 of bbolt", hot.Measured)
	require.InDelta(t, 1.2, *hot.Step, 1e-9)
	require.True(t, hot.StepMet && hot.BarMet && hot.AtLeast)
	require.Nil(t, doc.Bars[3].Step, "a bar without a first step")
	require.False(t, doc.Bars[3].BarMet)

	var again, now bytes.Buffer
	require.NoError(t, Bars(&again, []io.Reader{&b2}, Style{}))
	require.NoError(t, rivals().Comparison(&now, Style{}))
	_, table, found := strings.Cut(now.String(), "the table of bars")
	require.True(t, found)
	require.Contains(t, again.String(), table, "a saved report prints the same table")
	require.Contains(t, again.String(), "Not measured, or not all of it (")
	require.Contains(t, again.String(), "by: peers -html")
	require.Error(t, Bars(io.Discard, []io.Reader{strings.NewReader("{}")}, Style{}),
		"no schema")
	require.Error(t, Bars(io.Discard, []io.Reader{strings.NewReader("schema")}, Style{}))
	var kinds []string
	for _, s := range doc.Systems {
		kinds = append(kinds, s.Name+" "+s.Kind)
	}
	require.Equal(t, []string{
		"inmem ours", "pebble peer", "bbolt peer", "go-map limit", "raw-sync limit",
	}, kinds)
}

// Of two parts of a comparison the table has the lines of both, in its order; of what both have
// measured, those of the later one. What ended a part early is said.
func TestBarsOfSeveralReports(t *testing.T) {
	saved := func(r *Report) io.Reader {
		var b bytes.Buffer
		require.NoError(t, r.JSON(&b))
		return &b
	}
	only := func(name string, ended string) *Report {
		r := rivals()
		r.Results = slices.DeleteFunc(r.Results, func(res measure.Result) bool {
			return res.Name != name
		})
		r.Ended = ended
		return r
	}
	var out bytes.Buffer
	require.NoError(t, Bars(&out, []io.Reader{
		saved(only("rows/strict/8", "disk full")), saved(only("rows/get_hot", "")),
		saved(only("rows/get_hot", "")),
	}, Style{}))
	text := out.String()
	require.Equal(t, 3, strings.Count(text, "measured "+rivals().Started.Format("Mon")))
	require.Equal(t, 1, strings.Count(text, "ended      disk full"))
	require.Equal(t, 1, strings.Count(text, "get hot in a live run"))
	require.Less(t, strings.Index(text, "get hot in"), strings.Index(text, "strict, 8 committers"))
}

// wellFormed reads a page as XML, which the template is written as.
func wellFormed(t *testing.T, page string) {
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(page, "<!DOCTYPE html>")))
	for depth := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			require.Zero(t, depth)
			return
		}
		require.NoError(t, err)
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
}

func TestPageIsWholeAndAlone(t *testing.T) {
	for name, r := range map[string]*Report{
		"rivals": rivals(), "alone": full(99_949, 999_499*time.Nanosecond), "empty": {Repeats: 1},
	} {
		var b bytes.Buffer
		require.NoError(t, r.HTML(&b), name)
		page := b.String()
		wellFormed(t, page)
		require.NotRegexp(t, `(?i)https?:|<script|<link|<img|src=|@import|url\(`, page,
			"nothing is fetched from anywhere")
		for _, number := range regexp.MustCompile(`NaN|[+-]Inf|%!`).FindAllString(page, -1) {
			t.Errorf("%s: the page holds %q", name, number)
		}
		require.Contains(t, page, "prefers-color-scheme: dark")
	}
}

func TestPageShowsWhatIsNeeded(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, rivals().HTML(&b))
	page := b.String()
	for _, text := range []string{
		"peers -html a&lt;b&gt;&amp;c.html", "A processor", "0xdeadbeefcafebabe", "keys of 40 bytes",
		"an LSM &lt;tree&gt;", "3 repeats of 200ms", "batched: a commit returns before",
		"3.00 of bbolt", `≥ 2.4 <span class="good">met</span>`, "rows/get_hot", "txn_commit",
		"p99.9", "bbolt 1.00M", "v2.1.7",
	} {
		require.True(t, strings.Contains(page, text), text)
	}
	require.Equal(t, 2+2+1, strings.Count(page, "<svg "), "rates, latencies, and a group's ranges")
}

func TestLabelsKeepApart(t *testing.T) {
	require.InDelta(t, 10, apart(10, nil), 1e-9)
	require.InDelta(t, 36, apart(10, []float64{23, 10}), 1e-9)
	require.InDelta(t, 10, apart(10, []float64{40, 27}), 1e-9)
	var taken []float64
	for i := range 1000 { // sums of fractions are not exact: it must come to an end all the same
		taken = append(taken, apart(float64(i%7)*.1, taken))
	}
	for i, y := range taken {
		for _, other := range taken[:i] {
			require.Greater(t, math.Abs(y-other), 12.9)
		}
	}
	low, high := decades(time.Microsecond, time.Microsecond)
	require.Less(t, low, high, "an axis has a length")
}
