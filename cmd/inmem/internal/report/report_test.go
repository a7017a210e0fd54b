package report

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/internal/page"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// fleet is a database in memory with the trials that a text of records tells.
func fleet(t *testing.T, text string) *inmem.DB {
	d, err := inmem.Open("memory", &inmem.Options{Durability: inmem.None})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	s := transcript.Source{Name: "a", Reader: strings.NewReader(text)}
	_, err = transcript.Import(context.Background(), d, s, transcript.Options{
		EntriesPerCommit: 1000})
	require.NoError(t, err)
	return d
}

// record is a trial that makes the calls: the name of a tool each, with "!" behind it for one that
// fails.
func record(task, trial, reward int, calls ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"task_id": %d, "trial": %d, "reward": %d, "messages": [`, task, trial, reward)
	b.WriteString(`{"role": "user", "content": "go", "timestamp": 1700000000}`)
	for i, call := range calls {
		tool, failed := strings.CutSuffix(call, "!")
		answer := "done"
		if failed {
			answer = "Error: no"
		}
		fmt.Fprintf(&b, `, {"role": "assistant", "timestamp": %d, "tool_calls": [{"id": "%d", `+
			`"function": {"name": %q, "arguments": "{\"at\": \"<b>%d</b>\"}"}}], `+
			`"usage": {"prompt_tokens": 10, "completion_tokens": 5}}`, 1700000001+i*10, i, tool, i)
		fmt.Fprintf(&b, `, {"role": "tool", "tool_call_id": "%d", "content": %q, "timestamp": %d}`, i,
			answer, 1700000003+i*10)
	}
	return b.String() + "]}\n"
}

func trials() string {
	return record(0, 0, 1, "look", "book") + record(0, 1, 0, "look", "book!", "cry") +
		record(0, 2, 0) + record(1, 0, 0, "<i>odd</i>!") + record(1, 1, 0, "look")
}

// body is the page as text: what is between the elements.
func body(t *testing.T, p *page.Page) (markup, text string) {
	var b bytes.Buffer
	require.NoError(t, p.Write(&b))
	markup = b.String()
	_, text, _ = strings.Cut(markup, "<body>")
	text = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " ")
	text = strings.Join(strings.Fields(html.UnescapeString(text)), " ")
	for _, svg := range regexp.MustCompile(`<svg[^>]*>`).FindAllString(markup, -1) {
		require.Regexp(t, `aria-label="[^"]+"|aria-hidden="true"`, svg)
	}
	require.NotContains(t, markup, "<script")
	require.NotContains(t, markup, "NaN")
	require.NotContains(t, markup, "Inf")
	require.NotRegexp(t, `(width|height)="-`, markup)
	return markup, text
}

func TestTasksPage(t *testing.T) {
	d := fleet(t, trials())
	tasks, err := transcript.Tasks(t.Context(), d, inmem.RunQuery{})
	require.NoError(t, err)
	markup, text := body(t, Tasks(tasks))
	require.Contains(t, text, "5 runs in 2 tasks: 1 passed, 4 failed.")
	require.Contains(t, text, "failed in all trials 1")
	require.Contains(t, text, "task 1 : 2 trials, 2 tool calls, 1 of them failed; reward 0, below 1")
	require.Contains(t, text, "0 3 1 2 5 1 75 – 1 2 0 2",
		"task, trials, passed, failed, calls, errors, tokens, no cost")
	require.Equal(t, 4, strings.Count(markup, ": failed ("), "a square for each trial that failed")
	require.Equal(t, 1, strings.Count(markup, ": completed ("))
}

// Tasks with as many trials each are counted exactly, others by shares; no task is lost.
func TestClassesOfTasks(t *testing.T) {
	names, of := classes([]transcript.Task{{Trials: 4}, {Trials: 4}})
	require.Equal(t, []string{"0 of 4", "1 of 4", "2 of 4", "3 of 4", "4 of 4"}, names)
	require.Equal(t, 3, of(&transcript.Task{Trials: 4, Passed: 3}))
	names, of = classes([]transcript.Task{{Trials: 4}, {Trials: 50}})
	for _, c := range []struct{ passed, trials, want int }{
		{0, 4, 0}, {1, 4, 1}, {1, 50, 1}, {13, 50, 2}, {2, 4, 2}, {3, 4, 3}, {38, 50, 4}, {49, 50, 4},
		{50, 50, 5}, {1, 1, 5},
	} {
		got := of(&transcript.Task{Trials: c.trials, Passed: c.passed})
		require.Equal(t, c.want, got, "%d of %d is %s", c.passed, c.trials, names[got])
	}
}

func TestToolsPage(t *testing.T) {
	d := fleet(t, trials())
	r, err := transcript.Tools(t.Context(), d, inmem.RunQuery{})
	require.NoError(t, err)
	markup, text := body(t, Tools(&r))
	require.Contains(t, text, "7 calls in 5 runs to 4 tools; 2 failed.")
	require.Contains(t, text, "book 2 2 1 50 % 2.00s 2.00s 30 –")
	require.Contains(t, text, "<i>odd</i> 1 1 1 100 %")
	require.NotContains(t, markup, "<i>odd")
	require.Contains(t, markup, `class="fail" x="388.33" y="27" width="153.33"`,
		"half of the calls of book, of which there are two thirds of those of look")
	require.Contains(t, markup, "task 0, book: 2 calls, 1 failed")
}

func TestSlowestPage(t *testing.T) {
	d := fleet(t, trials())
	spans, err := transcript.Slowest(t.Context(), d, inmem.RunQuery{}, transcript.SlowOptions{})
	require.NoError(t, err)
	_, text := body(t, Slowest(spans, 5, 2))
	require.Contains(t, text, "of 3 runs. 2 runs more say nothing about times, and are left out.")
	require.Contains(t, text, "longest 8.00s")
	require.Contains(t, text, "msg-000003-call-000")
	_, text = body(t, Slowest(nil, 0, 0))
	require.Contains(t, text, "The 0 longest of 0 runs.")
}

func TestComparePage(t *testing.T) {
	d := fleet(t, trials())
	compare := func(tag string) *transcript.Comparison {
		q := inmem.RunQuery{}
		if tag != "" {
			q.Tags = []string{tag}
		}
		c, err := transcript.Compare(t.Context(), d, q, transcript.CompareOptions{})
		require.NoError(t, err)
		return c
	}
	markup, text := body(t, Compare(compare("task_id=0"), "Runs of task 0."))
	require.Contains(t, text, "Runs of task 0.")
	require.Contains(t, text, "places of parting 2")
	require.Regexp(t, `0 1 − failed 3 after step 2`, text)
	require.Regexp(t, `0 2 − failed 0 at the first step`, text)
	require.Contains(t, text, "1 failed : made no further call")
	require.Equal(t, 2, strings.Count(markup, `class="mark"`), "each failed run parts once")
	require.Equal(t, 5, strings.Count(markup, "<title>step "), "a square for each call")
	require.Contains(t, text, `look {"at":"<b>0</b>"}`)
	require.Contains(t, text, "2 (1+ 1−) 100 % book")
	require.Contains(t, text, "1 (1+ 0−) no further call")

	_, text = body(t, Compare(compare("task_id=1"), ""))
	require.NotContains(t, text, "Steps that tell", "none passed")
	_, text = body(t, Compare(compare("no-such-tag"), "None."))
	require.Contains(t, text, "No run is like that.")
}

// A page of more than can be looked at ends somewhere, and says that it does.
func TestPagesAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 130 {
		calls := make([]string, 16)
		if i == 1 {
			calls = make([]string, 70) // a line of the plot has 60
		}
		for j := range calls {
			calls[j] = fmt.Sprintf("tool-%d", (i+1)*j%40)
		}
		b.WriteString(record(i, 0, i%2, calls...))
	}
	d := fleet(t, b.String())
	c, err := transcript.Compare(t.Context(), d, inmem.RunQuery{}, transcript.CompareOptions{})
	require.NoError(t, err)
	markup, text := body(t, Compare(c, ""))
	require.True(t, strings.Contains(text, "These are 120 of 130 runs"))
	require.True(t, strings.Contains(text, "and 10 more"))
	small := newTree(c)
	small.left = 100
	_, cut := body(t, &page.Page{Sections: []page.Section{{Body: []page.Node{small.node()}}}})
	require.True(t, strings.Contains(cut, fmt.Sprintf("There are more than %d steps", maxNodes)))
	require.Less(t, strings.Count(cut, "tool-"), 102)
	require.True(t, strings.Contains(text, "29 other tools"))
	require.Less(t, len(markup), 4<<20)
	r, err := transcript.Tools(t.Context(), d, inmem.RunQuery{})
	require.NoError(t, err)
	_, text = body(t, Tools(&r))
	require.True(t, strings.Contains(text, "tool-39"))
	tasks, err := transcript.Tasks(t.Context(), d, inmem.RunQuery{})
	require.NoError(t, err)
	markup, _ = body(t, Tasks(tasks))
	require.Equal(t, 65, strings.Count(markup, ": failed ("))
}
