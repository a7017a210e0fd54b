package transcript

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// ToolReport says which tools were used, and how that went.
type ToolReport struct {
	// Runs is how many runs were looked at.
	Runs int `json:"runs"`
	// Tools has a line per tool, the most used first; ByTask one per task and tool, in the order of
	// the tasks, in each the most used first.
	Tools  []ToolUse `json:"tools"`
	ByTask []ToolUse `json:"by_task"`

	_ struct{}
}

// ToolUse is what is known of the calls of one tool.
type ToolUse struct {
	// Task is the task whose calls these are; empty in a line of Tools, and for runs that tell none.
	Task string `json:"task,omitempty"`
	// Tool is the name of the tool.
	Tool string `json:"tool"`
	// Runs is in how many runs it was called, Calls how often, Errors how many calls failed, Open
	// how many got no answer.
	Runs   int `json:"runs"`
	Calls  int `json:"calls"`
	Errors int `json:"errors"`
	Open   int `json:"open"`
	// ErrorRate is the share of calls that failed.
	ErrorRate float64 `json:"error_rate"`
	// InputTokens, OutputTokens and Cost are those of the calls themselves, and an equal share for
	// each call of what the span used that asked for them: the answer of a model that called three
	// tools counts a third for each. What remains of a division goes to the first.
	InputTokens  int64      `json:"input_tokens"`
	OutputTokens int64      `json:"output_tokens"`
	Cost         inmem.Cost `json:"cost_nano_usd"`
	// Timed is how many calls have a time of their own; Took is what those took together, Mean one of
	// them on average, Longest the longest, in nanoseconds. Calls of runs whose times are Synthetic
	// have none.
	Timed   int           `json:"timed"`
	Took    time.Duration `json:"took_ns"`
	Mean    time.Duration `json:"mean_ns"`
	Longest time.Duration `json:"longest_ns"`

	_ struct{}
}

// toolSums adds up calls by task and tool.
type toolSums map[[2]string]*ToolUse

// Tools tells of every tool that the selected runs called how often, how well, at what price and
// how fast. See Tasks for the query, consistency and errors.
//
// Cost: it reads all spans, with memory for what is counted of those of one run.
func Tools(ctx context.Context, d *inmem.DB, q inmem.RunQuery) (ToolReport, error) {
	var report ToolReport
	all, byTask := toolSums{}, toolSums{}
	err := eachRun(ctx, d, q, func(info *inmem.RunInfo, run *inmem.Run) error {
		calls, err := callsOf(ctx, run)
		if err != nil {
			return err
		}
		report.Runs++
		task, _ := TaskOf(info)
		all.addRun("", TimingOf(info) != Synthetic, calls)
		byTask.addRun(task, TimingOf(info) != Synthetic, calls)
		return nil
	})
	if err != nil {
		return ToolReport{}, fmt.Errorf("tools: %w", err)
	}
	report.Tools, report.ByTask = all.lines(), byTask.lines()
	return report, nil
}

// lines are the sums by task, then by the number of calls.
func (sums toolSums) lines() []ToolUse {
	lines := make([]ToolUse, 0, len(sums))
	for _, u := range sums {
		u.ErrorRate = share(u.Errors, u.Calls)
		if u.Timed > 0 {
			u.Mean = u.Took / time.Duration(u.Timed)
		}
		lines = append(lines, *u)
	}
	slices.SortFunc(lines, func(a, b ToolUse) int {
		return cmp.Or(compareWords(a.Task, b.Task), cmp.Compare(b.Calls, a.Calls),
			strings.Compare(a.Tool, b.Tool))
	})
	return lines
}

// addRun adds the calls of one run.
func (sums toolSums) addRun(task string, timed bool, calls []toolCall) {
	met := map[*ToolUse]bool{}
	for i := range calls {
		c := &calls[i]
		key := [2]string{task, c.tool}
		u := sums[key]
		if u == nil {
			u = &ToolUse{Task: task, Tool: c.tool}
			sums[key] = u
		}
		if !met[u] {
			met[u] = true
			u.Runs++
		}
		u.add(c, timed)
	}
}

// add adds one call.
func (u *ToolUse) add(c *toolCall, timed bool) {
	u.Calls++
	if c.failed {
		u.Errors++
	}
	u.InputTokens += c.in
	u.OutputTokens += c.out
	u.Cost += c.cost
	switch {
	case c.open:
		u.Open++
	case timed:
		u.Timed++
		u.Took += c.took
		u.Longest = max(u.Longest, c.took)
	}
}

// toolCall is what is counted of a call.
type toolCall struct {
	tool, parent string
	failed, open bool
	took         time.Duration
	usage
}

type usage struct {
	in, out int64
	cost    inmem.Cost
}

// callsOf are the tool calls of a run, in the order of their start, with their shares of what the
// spans used that asked for them.
func callsOf(ctx context.Context, run *inmem.Run) (calls []toolCall, err error) {
	asked := map[string]usage{}
	number := map[string]int64{} // of calls under a span
	for s, err := range run.Traces().List(ctx, inmem.SpanFilter{}) {
		if err != nil {
			return nil, err
		}
		u := usage{s.InputTokens, s.OutputTokens, s.Cost}
		switch s.Type {
		case inmem.SpanQuery:
			asked[s.ID] = u
		case inmem.SpanToolCall:
			number[s.Parent]++
			calls = append(calls, toolCall{tool: strings.Clone(s.Name), parent: s.Parent,
				failed: s.Failed(), open: s.IsOpen(), took: s.Duration(), usage: u})
		}
	}
	nth := map[string]int64{}
	for i := range calls {
		c := &calls[i]
		if of, ok := asked[c.parent]; ok {
			c.in += part(of.in, nth[c.parent], number[c.parent])
			c.out += part(of.out, nth[c.parent], number[c.parent])
			c.cost += inmem.Cost(part(int64(of.cost), nth[c.parent], number[c.parent]))
		}
		nth[c.parent]++
	}
	return calls, nil
}

// part is the nth of so many parts of a whole, of which the first takes the remainder.
func part(whole, nth, of int64) int64 {
	if nth == 0 {
		return whole/of + whole%of
	}
	return whole / of
}

// SlowOptions say which spans Slowest looks for.
type SlowOptions struct {
	// Type keeps spans of one type, Name those of one name.
	Type inmem.SpanType
	Name string
	// Limit is how many are returned; default 20.
	Limit int

	_ struct{}
}

// SlowSpan is a span that took long.
type SlowSpan struct {
	// Run is the id of the run, Task and Trial what it attempted, Span the id of the span.
	Run   string `json:"run"`
	Task  string `json:"task,omitempty"`
	Trial string `json:"trial,omitempty"`
	Span  string `json:"span"`
	// Type, Name, Start, Took (in nanoseconds) and Error are those of the span.
	Type  inmem.SpanType `json:"type"`
	Name  string         `json:"name"`
	Start time.Time      `json:"start"`
	Took  time.Duration  `json:"took_ns"`
	Error string         `json:"error,omitempty"`

	_ struct{}
}

// Slowest returns the spans of the selected runs that took longest, the longest first. Left out are
// open spans, runs whose times are Synthetic, and spans that stand for a whole run (the operation
// invoke_agent). See Tasks for the query, consistency and errors; inmem.ErrInvalidArgument also for
// a negative limit.
//
// Cost: it reads the spans of the type; memory for those that are returned.
func Slowest(ctx context.Context, d *inmem.DB, q inmem.RunQuery, o SlowOptions,
) ([]SlowSpan, error) {
	if o.Limit < 0 {
		return nil, fmt.Errorf("slowest spans: %w: limit %d is negative", inmem.ErrInvalidArgument,
			o.Limit)
	}
	if o.Limit == 0 {
		o.Limit = 20
	}
	slow := []SlowSpan{}
	err := eachRun(ctx, d, q, func(info *inmem.RunInfo, run *inmem.Run) error {
		if TimingOf(info) == Synthetic {
			return nil
		}
		task, trial := TaskOf(info)
		filter := inmem.SpanFilter{Type: o.Type, Name: o.Name}
		for s, err := range run.Traces().List(ctx, filter) {
			if err != nil {
				return err
			}
			if s.IsOpen() || s.Operation == "invoke_agent" {
				continue
			}
			x := SlowSpan{Run: info.ID, Task: task, Trial: trial, Span: s.ID, Type: s.Type,
				Name: s.Name, Start: s.Start, Took: s.Duration(), Error: s.Error}
			at, _ := slices.BinarySearchFunc(slow, x, compareSlow)
			if at < o.Limit {
				slow = slices.Insert(slow, at, x.clone())
				slow = slow[:min(len(slow), o.Limit)]
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("slowest spans: %w", err)
	}
	return slow, nil
}

// clone frees the few texts of a span from the block that holds its attributes.
func (x SlowSpan) clone() SlowSpan {
	x.Span, x.Name, x.Error = strings.Clone(x.Span), strings.Clone(x.Name), strings.Clone(x.Error)
	return x
}

// compareSlow orders by duration, the longest first, then by run and span.
func compareSlow(a, b SlowSpan) int {
	return cmp.Or(cmp.Compare(b.Took, a.Took), strings.Compare(a.Run, b.Run),
		strings.Compare(a.Span, b.Span))
}

// isGone says that a run was deleted while it was looked at.
func isGone(err error) bool { return errors.Is(err, inmem.ErrRunNotFound) }
