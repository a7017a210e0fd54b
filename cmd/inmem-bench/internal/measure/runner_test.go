package measure

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// counting is a workload that records what the runner does with it.
type counting struct {
	setups, closes int
	ops            atomic.Int64
	checked        [][]int
	opErr          func(i int) error
	checkErr       error
}

func (c *counting) workload(name string, workers int) Workload {
	return Workload{Name: name, Workers: workers,
		Setup: func(_ context.Context, dir string) (*Trial, error) {
			c.setups++
			return &Trial{
				Op: func(_ context.Context, _, i int) error {
					c.ops.Add(1)
					if c.opErr != nil {
						return c.opErr(i)
					}
					return nil
				},
				Check: func(_ context.Context, done []int) error {
					c.checked = append(c.checked, done)
					return c.checkErr
				},
				Metrics: func() []Metric { return []Metric{{"setups", "", float64(c.setups)}} },
				Close: func() error {
					c.closes++
					return os.WriteFile(dir+"/left-over", nil, 0o600)
				},
			}, nil
		}}
}

func systemOf(name string, workloads ...Workload) System {
	return System{Name: name, Workloads: func(Config) []Workload { return workloads }}
}

func runnerFor(t *testing.T, repeats int) *Runner {
	return &Runner{Repeats: repeats, Length: 2 * time.Millisecond, Dir: t.TempDir()}
}

// requireEmpty: every trial's directory is gone, whatever happened.
func requireEmpty(t *testing.T, r *Runner) {
	entries, err := os.ReadDir(r.Dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestRunnerInterleavesSystemsAndRepeats(t *testing.T) {
	var a, b, c counting
	plan := Plan([]System{
		systemOf("x", a.workload("g/one", 0), b.workload("g/two", 3)),
		systemOf("y", c.workload("g/one", 0)),
	}, Config{})
	r := runnerFor(t, 3)
	var steps []string
	r.Progress = func(s Step) {
		require.Equal(t, len(steps), s.Number)
		require.Equal(t, 9, s.Of)
		steps = append(steps, s.System+" "+s.Name)
	}
	results, err := r.Run(context.Background(), plan)
	require.NoError(t, err)
	require.Equal(t, []string{
		"x g/one", "y g/one", "x g/two",
		"y g/one", "x g/one", "x g/two",
		"x g/one", "y g/one", "x g/two",
	}, steps)
	requireEmpty(t, r)

	two := results[2]
	require.Equal(t, "g/two", two.Name)
	require.Len(t, two.Samples, 3)
	require.Equal(t, 3, b.setups)
	require.Equal(t, 3, b.closes)
	counted := 0
	for _, done := range b.checked {
		require.Len(t, done, 3, "one number per worker")
		for _, n := range done {
			counted += n
		}
	}
	require.EqualValues(t, b.ops.Load(), counted, "the check knows of every operation")
	measured, elapsed := two.Ops()
	require.Positive(t, measured)
	require.Less(t, measured, counted, "the warm-up is not measured")
	require.GreaterOrEqual(t, elapsed, 3*r.Length)
	require.Positive(t, two.Latency().Count())
	require.Equal(t, []Metric{{"setups", "", 2}}, two.Metrics(), "the median of 1, 2 and 3")
}

func TestRunnerStopsAtAnErrorAndNamesIt(t *testing.T) {
	for name, c := range map[string]*counting{
		"wrong answer: 5 is odd": {opErr: func(i int) error {
			if i == 5 {
				return Wrongf("%d is odd", i)
			}
			return nil
		}},
		"wrong answer: the sum": {checkErr: Wrongf("the sum")},
		"no operation came":     {opErr: func(int) error { return ErrExhausted }},
	} {
		var never counting
		r := runnerFor(t, 2)
		plan := Plan([]System{systemOf("x", c.workload("g/bad", 2), never.workload("g/ok", 1))},
			Config{})
		_, err := r.Run(context.Background(), plan)
		require.ErrorContains(t, err, "g/bad (x), repeat 1: ")
		require.ErrorContains(t, err, name)
		require.Equal(t, 1, c.closes)
		require.Zero(t, never.setups)
		requireEmpty(t, r)
	}
}

func TestRunnerTakesExhaustionForTheEnd(t *testing.T) {
	const most = 130 // of a millisecond or more: not all in the warm-up of 125 ms
	c := &counting{opErr: func(i int) error {
		if i >= most {
			return ErrExhausted
		}
		time.Sleep(time.Millisecond)
		return nil
	}}
	r := runnerFor(t, 1)
	r.Length = time.Second
	results, err := r.Run(context.Background(),
		Plan([]System{systemOf("x", c.workload("g/a", 2))}, Config{}))
	require.NoError(t, err)
	require.True(t, results[0].Exhausted())
	require.Equal(t, [][]int{{most, most}}, c.checked)
}

func TestRunnerStopsWithItsContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	c := &counting{opErr: func(i int) error {
		if i == 1000 {
			cancel(cause)
		}
		return nil
	}}
	r := runnerFor(t, 5)
	r.Length = time.Hour
	_, err := r.Run(ctx, Plan([]System{systemOf("x", c.workload("g/a", 2))}, Config{}))
	require.Equal(t, cause, err)
	require.Equal(t, 1, c.closes)
	require.Empty(t, c.checked)
	requireEmpty(t, r)
}

// What takes minutes is repeated less often, and does not count as more work than it is.
func TestRunnerRepeatsWhatIsLongLessOften(t *testing.T) {
	var often, seldom counting
	w := seldom.workload("g/seldom", 1)
	w.Repeats = 2
	r := runnerFor(t, 3)
	var last Step
	r.Progress = func(s Step) { last = s }
	results, err := r.Run(context.Background(),
		Plan([]System{systemOf("x", w, often.workload("g/often", 1))}, Config{}))
	require.NoError(t, err)
	require.Len(t, results[0].Samples, 2)
	require.Len(t, results[1].Samples, 3)
	require.Equal(t, 5, last.Of)
	require.Equal(t, 4, last.Number)
}

// What was whole before an error comes with it: the repeats that all cases of a section have.
func TestRunnerKeepsWhatWasWhole(t *testing.T) {
	var first, second counting
	calls := 0
	bad := Workload{Name: "g/bad", Setup: func(context.Context, string) (*Trial, error) {
		if calls++; calls == 3 {
			return nil, errors.New("the disk is full")
		}
		return &Trial{Op: func(context.Context, int, int) error { return nil }}, nil
	}}
	r := runnerFor(t, 5)
	results, err := r.Run(context.Background(),
		Plan([]System{systemOf("x", first.workload("g/a", 1), bad, second.workload("g/c", 1))},
			Config{}))
	require.ErrorContains(t, err, "the disk is full")
	require.Len(t, results, 3)
	for i := range results {
		require.Len(t, results[i].Samples, 2, results[i].Name)
	}
	requireEmpty(t, r)
}
