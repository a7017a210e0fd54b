package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// grown is a report with two curves over keys, one over committers, and one point alone.
func grown() *Report {
	r := &Report{Repeats: 1}
	ours, peer := measure.System{Name: "inmem"}, measure.System{Name: "bbolt", Peer: true}
	raw := measure.System{Name: "raw-sync", Limit: true}
	add := func(s measure.System, over, of string, at, units, ops int) {
		c := &measure.Curve{Over: over, Of: of, At: at}
		w := measure.Workload{Name: c.Name(), Curve: c, Units: units}
		sample := &measure.Sample{Ops: ops, Elapsed: time.Second, CPU: time.Second / 2, Units: units}
		sample.Latency.Add(time.Second / time.Duration(ops))
		r.Results = append(r.Results, measure.Result{
			Case: measure.Case{System: s, Workload: w}, Samples: []*measure.Sample{sample},
		})
	}
	add(ours, "keys", "replay_all", 1000, 1000, 100) // 10 us an entry
	add(ours, "keys", "alone", 1000, 0, 7)
	for n := 1; n <= 256; n *= 2 {
		add(ours, "committers", "put", n, 0, 1000*n)
		add(raw, "committers", "put", n, 0, 4000)
	}
	add(peer, "keys", "get", 1000, 0, 500)
	add(ours, "keys", "get", 100_000, 0, 1000)
	add(ours, "keys", "get", 1000, 0, 3000)
	add(peer, "keys", "get", 100_000, 0, 400)
	add(ours, "keys", "replay_all", 100_000, 100_000, 2) // 5 us an entry
	return r
}

func TestCurvesAreWhole(t *testing.T) {
	r := grown()
	var names []string
	for _, g := range r.growths() {
		names = append(names, g.over+" "+g.of+" "+g.system.Name)
	}
	require.Equal(t, []string{
		"keys replay_all inmem", "keys get bbolt", "keys get inmem",
		"committers put inmem", "committers put raw-sync",
	}, names, "side by side; a point alone is no curve")

	var b bytes.Buffer
	require.NoError(t, r.Comparison(&b, Style{}))
	text := b.String()
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), Width+1, "%q", line)
	}
	for _, line := range []string{
		"CPU per op by keys 1k 100k growth",
		"replay all                5.00µs  2.50µs  0.50",
		"get                       167µs  500µs  3.00",
		"p50 per op by keys 1k 100k growth",
		"put                       1000   2000   4000   8000  16.0K  32.0K  64.0K   128K   256K  256",
		"put, raw-sync             4000   4000   4000   4000   4000   4000   4000   4000   4000  1.00",
	} {
		require.Contains(t, strings.Join(strings.Fields(text), " "),
			strings.Join(strings.Fields(line), " "))
	}
}

func TestCurvesAreInJSONAndPage(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, grown().JSON(&b))
	var doc document
	require.NoError(t, json.Unmarshal(b.Bytes(), &doc))
	require.Len(t, doc.Curves, 5)
	c := doc.Curves[0]
	require.Equal(t, []int{1000, 100_000}, []int{c.Points[0].At, c.Points[1].At})
	require.InDelta(t, 5000, c.Points[0].CPU, 1)
	require.InDelta(t, .5, c.GrowthCPU, 1e-9)

	b.Reset()
	require.NoError(t, grown().HTML(&b))
	page := b.String()
	wellFormed(t, page)
	require.Contains(t, page, "replay all over keys")
	require.Contains(t, page, "bbolt, 100k keys: 2.50ms")
	require.NotContains(t, page, "NaN")
	require.Equal(t, 3, strings.Count(page, `aria-label="get over keys"`)+
		strings.Count(page, `aria-label="put over committers"`)+
		strings.Count(page, `aria-label="replay all over keys"`))
}
