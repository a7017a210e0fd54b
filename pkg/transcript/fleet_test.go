package transcript_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// fleet is a database with the trials of the sample: task 0 passed in trial 0; trial 1 took another
// seat, trial 2 did nothing. Task 1 failed.
func fleet(t *testing.T) (*inmem.DB, map[string]string) {
	d := open(t, nil)
	_, err := transcript.Import(t.Context(), d, source("a", sample(t, "trials.json")),
		transcript.Options{})
	require.NoError(t, err)
	names := map[string]string{}
	for info, err := range d.Runs().All(t.Context(), inmem.RunQuery{}) {
		require.NoError(t, err)
		task, trial := transcript.TaskOf(&info)
		names[info.ID] = task + "." + trial
	}
	return d, names
}

func TestTasks(t *testing.T) {
	d, names := fleet(t)
	tasks, err := transcript.Tasks(t.Context(), d, inmem.RunQuery{})
	require.NoError(t, err)
	require.Len(t, tasks, 2)
	a, b := tasks[0], tasks[1]
	require.Equal(t, "0", a.Task)
	require.Equal(t, [4]int{3, 1, 2, 0}, [4]int{a.Trials, a.Passed, a.Failed, a.Other})
	require.InDelta(t, 1.0/3, a.PassRate, 1e-9)
	require.False(t, a.AllFailed)
	require.Equal(t, [2]int{4, 1}, [2]int{a.ToolCalls, a.ToolErrors})
	require.Equal(t, "0.0", names[a.Runs[0].Run])
	require.Equal(t, "0.1", names[a.Runs[1].Run])
	require.Equal(t, "completed", a.Runs[0].Status)
	require.Equal(t, "reward 0, below 1", a.Runs[1].Reason)
	require.Equal(t, [2]int{2, 1}, [2]int{a.Runs[1].ToolCalls, a.Runs[1].ToolErrors})
	require.Equal(t, "1", b.Task)
	require.True(t, b.AllFailed)

	none, err := transcript.Tasks(t.Context(), d, inmem.RunQuery{Tags: []string{"task_id=9"}})
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = transcript.Tasks(t.Context(), d, inmem.RunQuery{Limit: -1})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
}

// Runs that no import has made say by their tags, or metadata, what they attempted; those that are
// still at work are neither passed nor failed.
func TestTasksOfLiveRuns(t *testing.T) {
	ctx := t.Context()
	d := open(t, nil)
	for _, tag := range []string{"task_id=10", "task_id=9", "task_id=b", "other"} {
		_, err := d.BeginRun(ctx, inmem.RunOptions{Tags: []string{tag, "trial=1"}})
		require.NoError(t, err)
	}
	m, err := inmem.ValueOf(map[string]int{"task_id": 9, "trial": 2})
	require.NoError(t, err)
	_, err = d.BeginRun(ctx, inmem.RunOptions{Metadata: m, Tags: []string{"task_id=no"}})
	require.NoError(t, err)
	tasks, err := transcript.Tasks(ctx, d, inmem.RunQuery{})
	require.NoError(t, err)
	var names []string
	for _, x := range tasks {
		names = append(names, x.Task)
		require.Equal(t, x.Trials, x.Other)
		require.False(t, x.AllFailed)
		require.Zero(t, x.PassRate)
	}
	require.Equal(t, []string{"9", "10", "", "b"}, names)
	require.Equal(t, "2", tasks[0].Runs[1].Trial)
}

func TestTools(t *testing.T) {
	d, _ := fleet(t)
	report, err := transcript.Tools(t.Context(), d, inmem.RunQuery{})
	require.NoError(t, err)
	require.Equal(t, 4, report.Runs)
	require.Equal(t, []transcript.ToolUse{
		{Tool: "get_booking", Runs: 3, Calls: 3, Errors: 1, ErrorRate: 1.0 / 3},
		{Tool: "set_seat", Runs: 2, Calls: 2, Errors: 1, ErrorRate: 0.5},
	}, report.Tools)
	require.Equal(t, []transcript.ToolUse{
		{Task: "0", Tool: "get_booking", Runs: 2, Calls: 2},
		{Task: "0", Tool: "set_seat", Runs: 2, Calls: 2, Errors: 1, ErrorRate: 0.5},
		{Task: "1", Tool: "get_booking", Runs: 1, Calls: 1, Errors: 1, ErrorRate: 1},
	}, report.ByTask)
}

// What a model's answer used counts for the calls that it asked for, to the last token; durations
// are those of calls with times.
func TestToolsCountTokensAndTime(t *testing.T) {
	d := open(t, nil)
	for _, name := range []string{"chat.json", "timed.jsonl", "fix-bug.traj", "events.jsonl"} {
		_, err := transcript.Import(t.Context(), d, source(name, sample(t, name)),
			transcript.Options{})
		require.NoError(t, err)
	}
	report, err := transcript.Tools(t.Context(), d, inmem.RunQuery{})
	require.NoError(t, err)
	by := map[string]transcript.ToolUse{}
	for _, u := range report.Tools {
		by[u.Tool] = u
	}
	require.Equal(t, transcript.ToolUse{Tool: "find_book", Runs: 1, Calls: 2, Errors: 1,
		ErrorRate: 0.5, InputTokens: 100, OutputTokens: 31}, by["find_book"])
	require.Equal(t, transcript.ToolUse{Tool: "add", Runs: 1, Calls: 1, InputTokens: 10,
		OutputTokens: 4, Cost: inmem.Dollar / 400, Timed: 1, Took: time.Second / 2,
		Mean: time.Second / 2, Longest: time.Second / 2}, by["add"])
	require.Equal(t, transcript.ToolUse{Tool: "ask_human", Runs: 1, Calls: 1, Open: 1},
		by["ask_human"])
	require.Equal(t, 1500*time.Millisecond, by["edit"].Took)
	require.Equal(t, "find_book", report.Tools[0].Tool)
	require.Empty(t, report.ByTask[0].Task, "runs without a task come before those with a text")
	require.Equal(t, "sort", report.ByTask[len(report.ByTask)-1].Task)

	slow, err := transcript.Slowest(t.Context(), d, inmem.RunQuery{},
		transcript.SlowOptions{Limit: 3})
	require.NoError(t, err)
	var names []string
	for _, s := range slow {
		names = append(names, s.Name+" "+s.Took.String())
	}
	require.Equal(t, []string{"sort 4s", "assistant 3s", "assistant 2.5s"}, names)
	require.Equal(t, "sort", slow[0].Task)
	slow, err = transcript.Slowest(t.Context(), d, inmem.RunQuery{},
		transcript.SlowOptions{Type: inmem.SpanToolCall, Name: "edit"})
	require.NoError(t, err)
	require.Len(t, slow, 1)
	require.Equal(t, "unexpected indent", slow[0].Error)
	_, err = transcript.Slowest(t.Context(), d, inmem.RunQuery{}, transcript.SlowOptions{Limit: -1})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
}

func TestCompare(t *testing.T) {
	d, names := fleet(t)
	q := inmem.RunQuery{Tags: []string{"task_id=0"}}
	c, err := transcript.Compare(t.Context(), d, q, transcript.CompareOptions{})
	require.NoError(t, err)
	require.Equal(t, `3 runs, 1 passed, 2 failed
├─ ██░░░ ended: 1 (0+ 1-)
└─ ███░░  67% 2 (1+ 1-)  get_booking {"id":"B1"}
   ├─ ██░░░  50% 1 (1+ 0-)  set_seat {"id":"B1","seat":"4A"}
   │  └─ ██░░░ ended: 1 (1+ 0-)
   └─ ██░░░  50% 1 (0+ 1-)  set_seat {"id":"B1","seat":"4B"}  [1 failed calls]
      └─ ██░░░ ended: 1 (0+ 1-)

at the first step
  1 failed: ended
  1 passed: get_booking {"id":"B1"}

after step 1, get_booking {"id":"B1"}
  1 failed: set_seat {"id":"B1","seat":"4B"}
  1 passed: set_seat {"id":"B1","seat":"4A"}

steps that tell      passed  failed
                      1/1     0/2   set_seat {"id":"B1","seat":"4A"}
                      1/1     1/2   get_booking {"id":"B1"}
                      0/1     1/2   set_seat {"id":"B1","seat":"4B"}
`, text(t, c))
	require.Equal(t, "0.1", names[c.Divergences[1].Failed[0].Runs[0]])
	require.Equal(t, 2, c.Runs[0].Steps)
	require.Len(t, c.Tree.Next[0].Next[0].Step.Digest, 12)
	var path []string
	for step, failed := range c.Runs[1].Path() {
		path = append(path, fmt.Sprint(step, failed))
	}
	require.Equal(t, []string{`get_booking {"id":"B1"} false`,
		`set_seat {"id":"B1","seat":"4B"} true`}, path)

	// By tool both took the same steps: how they parted is not to be seen.
	c, err = transcript.Compare(t.Context(), d, q, transcript.CompareOptions{Match: transcript.ByTool})
	require.NoError(t, err)
	require.Len(t, c.SameSteps, 1)
	require.Equal(t, "0.1", names[c.SameSteps[0]])
	require.Len(t, c.Divergences, 1)
	require.Contains(t, text(t, c), "failed with the steps of a run that passed: ")

	c, err = transcript.Compare(t.Context(), d, q, transcript.CompareOptions{
		Ignore: []string{"get_booking"}, MaxSteps: 1})
	require.NoError(t, err)
	require.Equal(t, 1, c.Runs[0].Steps)
	require.Len(t, c.Tree.Next, 2)

	// Without any that passed there is nothing to part from.
	c, err = transcript.Compare(t.Context(), d, inmem.RunQuery{Tags: []string{"task_id=1"}},
		transcript.CompareOptions{})
	require.NoError(t, err)
	require.Empty(t, c.Divergences)
	require.Empty(t, c.Telling)
	none, err := transcript.Compare(t.Context(), d, inmem.RunQuery{Tags: []string{"task_id=9"}},
		transcript.CompareOptions{})
	require.NoError(t, err)
	require.Equal(t, "0 runs, 0 passed, 0 failed\n", text(t, none))
	_, err = transcript.Compare(t.Context(), d, q, transcript.CompareOptions{MaxSteps: -1})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
}

func text(t *testing.T, c *transcript.Comparison) string {
	var b strings.Builder
	require.NoError(t, c.WriteText(&b))
	for line := range strings.Lines(b.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 101, "a line fits: %s", line)
	}
	return b.String()
}

// Every failed run parts from those that passed exactly once, or took the steps of one of them; and
// the same runs give the same bytes, in whatever order they were imported.
func TestCompareAccountsForEveryRun(t *testing.T) {
	q := inmem.RunQuery{}
	var before []byte
	for _, workers := range []int{1, 5} {
		d := open(t, nil)
		_, err := transcript.Import(t.Context(), d, source("a", many(40)),
			transcript.Options{Workers: workers})
		require.NoError(t, err)
		c, err := transcript.Compare(t.Context(), d, q, transcript.CompareOptions{})
		require.NoError(t, err)
		count := map[string]int{}
		for _, id := range c.SameSteps {
			count[id]++
		}
		for _, at := range c.Divergences {
			for _, choice := range at.Failed {
				for _, id := range choice.Runs {
					count[id]++
				}
			}
		}
		require.Len(t, count, c.Failed)
		for id, n := range count {
			require.Equal(t, 1, n, id)
		}
		b, err := json.Marshal(c)
		require.NoError(t, err)
		tools, err := transcript.Tools(t.Context(), d, q)
		require.NoError(t, err)
		tasks, err := transcript.Tasks(t.Context(), d, q)
		require.NoError(t, err)
		more, err := json.Marshal([]any{tools, tasks})
		require.NoError(t, err)
		b = append(b, more...)
		if before == nil {
			before = b
		}
		require.Equal(t, string(before), string(b))
	}
}
