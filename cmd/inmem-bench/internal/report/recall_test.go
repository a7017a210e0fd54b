package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// searched is a result of a search with its recall in percent.
func searched(name, system string, recall float64, rate int) measure.Result {
	s := sample(rate, time.Millisecond)
	s.Metrics = []measure.Metric{{Name: measure.Recall, Unit: "%", Value: recall}}
	return measure.Result{
		Case: measure.Case{
			System: measure.System{Name: system}, Workload: measure.Workload{Name: name},
		},
		Samples: []*measure.Sample{s},
	}
}

// The page has one chart for every set, with a line for each system and way to search.
func TestRecallIsPlottedAgainstSpeed(t *testing.T) {
	r := &Report{Started: time.Unix(1, 0), Results: []measure.Result{
		searched("vector/search/384/20k/ef_16", "inmem", 91.26, 12_000),
		searched("vector/search/384/20k/ef_64", "inmem", 99.9, 4000),
		searched("vector/search/384/20k/ef_64", "other", 95, 2000),
		searched("vector/search/384/20k/ef_16", "other", 81.5, 9000),
		searched("vector/bare/384/20k/ef_16", "inmem", 91.3, 15_000),
		searched("vector/filter/384/20k/1_percent", "inmem", 100, 9000),
		searched("vector/search/768/10k/default", "inmem", 97, 3000),
	}}
	views := r.recalls()
	require.Len(t, views, 1, "one point is no curve, and a filter is no width")
	require.Equal(t, "384/20k", views[0].Name)
	chart := string(views[0].Chart)
	require.Equal(t, 3, strings.Count(chart, `class="curve`))
	require.Equal(t, 5, strings.Count(chart, "<circle"))
	for _, want := range []string{
		"inmem ef_16: 91.2% of the nearest, 12.0K per second", ">other</text>",
		">inmem bare</text>", ">90%</text>", ">100%</text>", ">1000</text>",
	} {
		require.Contains(t, chart, want)
	}
	require.NotContains(t, chart, "NaN")
	// From the lower left: what finds more stands to the right.
	require.Regexp(t, `M\d+\.\d \d+\.\dL\d`, chart)

	var page bytes.Buffer
	require.NoError(t, r.HTML(&page))
	require.Contains(t, page.String(), "<h2>Recall against speed</h2>")
	require.Contains(t, page.String(), chart)
}

func TestRecallMarks(t *testing.T) {
	require.Equal(t, []float64{100, 95, 90, 85, 80}, recallMarks(80))
	require.Equal(t, []float64{100, 99.75, 99.5, 99.25, 99}, recallMarks(99))
	require.Equal(t, []float64{100, 80, 60, 40, 20, 0}, recallMarks(0))
}
