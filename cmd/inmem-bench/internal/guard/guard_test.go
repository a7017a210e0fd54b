package guard

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

func TestParse(t *testing.T) {
	lines, err := Parse(strings.NewReader("# a comment\n\nrows/get_hot  go-map 0.2 # more\n"))
	require.NoError(t, err)
	require.Equal(t, []Line{{"rows/get_hot", "go-map", .2}}, lines)

	_, err = Parse(strings.NewReader("a b\nrows/x y zero\nrows/x y -1\n"))
	require.ErrorContains(t, err, "line 1: 2 words")
	require.ErrorContains(t, err, `line 2: ratio is "zero"`)
	require.ErrorContains(t, err, `line 3: ratio is "-1"`)
}

// result does so many operations in a second, with so much processor time.
func result(s measure.System, rate int, cpu time.Duration) measure.Result {
	return measure.Result{
		Case:    measure.Case{System: s, Workload: measure.Workload{Name: "rows/get_hot"}},
		Samples: []*measure.Sample{{Ops: rate, Elapsed: time.Second, CPU: cpu}},
	}
}

func TestOnlyALargeLossByBothMeasuresCounts(t *testing.T) {
	lines := []Line{{"rows/get_hot", "go-map", .5}}
	ours, limit := measure.System{Name: "inmem"}, measure.System{Name: "go-map", Limit: true}
	for _, c := range []struct {
		rate int
		cpu  time.Duration
		lost bool
	}{
		{50, time.Second, false},
		{21, time.Second, false},           // 0.21 of it, 2.4 times worse
		{19, time.Second, true},            // 0.19
		{19, time.Second / 2, false},       // something else had the processor meanwhile
		{19, 9 * time.Second / 10, false},  // 0.21 by processor time
		{19, 19 * time.Second / 20, false}, // exactly 0.2
		{5, time.Second, true},
	} {
		v, err := Judge(lines, []measure.Result{
			result(limit, 100, time.Second), result(ours, c.rate, c.cpu),
		})
		require.NoError(t, err)
		require.Len(t, v, 1)
		require.Equal(t, c.lost, v[0].Lost(), "%+v: %+v", c, v[0])
	}
	v, err := Judge(lines, []measure.Result{result(limit, 100, 0), result(ours, 19, 0)})
	require.NoError(t, err)
	require.True(t, v[0].Lost(), "where processor time is not known")

	_, err = Judge(lines, []measure.Result{result(ours, 1, 0)})
	require.ErrorContains(t, err, "rows/get_hot was not measured beside go-map")
}
