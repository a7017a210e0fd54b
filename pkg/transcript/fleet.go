package transcript

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Task is what came of all trials of one task.
type Task struct {
	// Task is the task, as TaskOf tells it; empty for the runs that tell none.
	Task string `json:"task"`
	// Trials are how many runs there are: those that Passed are completed, those that Failed are
	// failed, and Other are in another status.
	Trials int `json:"trials"`
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	Other  int `json:"other"`
	// PassRate is the share of those that passed among those that passed or failed; 0 without any.
	PassRate float64 `json:"pass_rate"`
	// AllFailed: there are trials, and every one has failed.
	AllFailed bool `json:"all_failed"`
	// ToolCalls, ToolErrors (those that failed), InputTokens, OutputTokens and Cost are what the
	// trials took together.
	ToolCalls    int        `json:"tool_calls"`
	ToolErrors   int        `json:"tool_errors"`
	InputTokens  int64      `json:"input_tokens"`
	OutputTokens int64      `json:"output_tokens"`
	Cost         inmem.Cost `json:"cost_nano_usd"`
	// Runs are the trials, by number, then by id.
	Runs []TaskRun `json:"runs"`

	_ struct{}
}

// TaskRun is one trial of a task.
type TaskRun struct {
	// Run is the id of the run; Trial which attempt it was, empty if not told.
	Run   string `json:"run"`
	Trial string `json:"trial,omitempty"`
	// Status is that of the run, Reason why it failed.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// ToolCalls and ToolErrors are how many calls it made, and how many of them failed.
	ToolCalls  int `json:"tool_calls"`
	ToolErrors int `json:"tool_errors"`

	_ struct{}
}

// TaskOf tells which task a run attempted, and which attempt it was: the entries task_id and trial
// of its metadata, else what stands behind task_id= and trial= in its tags. Empty if not told. So
// the questions of this package can be asked of any run that says so.
func TaskOf(r *inmem.RunInfo) (task, trial string) {
	return wordOf(r, "task_id"), wordOf(r, "trial")
}

func wordOf(r *inmem.RunInfo, key string) string {
	if v, ok := r.Metadata.Lookup(key); ok {
		if s, err := v.AsString(); err == nil {
			return s
		}
		if i, err := v.AsInt(); err == nil {
			return strconv.FormatInt(i, 10)
		}
	}
	for _, tag := range r.Tags {
		if word, ok := strings.CutPrefix(tag, key+"="); ok {
			return word
		}
	}
	return ""
}

// Tasks tells of every task of the selected runs how its trials went, in the order of the tasks:
// numbers before texts. A limit of the query bounds the runs; its Token must be empty.
//
// Cost: it reads all spans of all runs, a run after the other, and keeps none. Every run is read as
// it is when its turn comes; one that is deleted meanwhile is left out. Errors:
// inmem.ErrInvalidArgument and ErrTooLarge for the query, ErrTimeout, ErrCanceled, ErrCorrupt,
// those of the storage.
func Tasks(ctx context.Context, d *inmem.DB, q inmem.RunQuery) ([]Task, error) {
	byName := map[string]*Task{}
	err := eachRun(ctx, d, q, func(info *inmem.RunInfo, run *inmem.Run) error {
		sums, err := run.Traces().RollupRun(ctx)
		if err != nil {
			return err
		}
		name, trial := TaskOf(info)
		t := byName[name]
		if t == nil {
			t = &Task{Task: name}
			byName[name] = t
		}
		calls := sums.ByType[inmem.SpanToolCall]
		t.Trials++
		switch info.Status {
		case inmem.Completed:
			t.Passed++
		case inmem.Failed:
			t.Failed++
		default:
			t.Other++
		}
		t.ToolCalls += calls.Spans
		t.ToolErrors += calls.Errors
		t.InputTokens += sums.InputTokens
		t.OutputTokens += sums.OutputTokens
		t.Cost += sums.Cost
		t.Runs = append(t.Runs, TaskRun{Run: info.ID, Trial: trial, Status: info.Status.String(),
			Reason: info.Error, ToolCalls: calls.Spans, ToolErrors: calls.Errors})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tasks: %w", err)
	}
	tasks := make([]Task, 0, len(byName))
	for _, t := range byName {
		t.PassRate = share(t.Passed, t.Passed+t.Failed)
		t.AllFailed = t.Failed == t.Trials
		slices.SortFunc(t.Runs, func(a, b TaskRun) int {
			return cmp.Or(compareWords(a.Trial, b.Trial), strings.Compare(a.Run, b.Run))
		})
		tasks = append(tasks, *t)
	}
	slices.SortFunc(tasks, func(a, b Task) int { return compareWords(a.Task, b.Task) })
	return tasks, nil
}

// eachRun calls fn for the runs of a query. A run that is deleted meanwhile is passed over.
func eachRun(ctx context.Context, d *inmem.DB, q inmem.RunQuery,
	fn func(*inmem.RunInfo, *inmem.Run) error,
) error {
	for info, err := range d.Runs().All(ctx, q) {
		if err != nil {
			return err
		}
		run, err := d.Run(ctx, info.ID)
		if err == nil {
			err = fn(&info, run)
		}
		if err != nil && !isGone(err) {
			return err
		}
	}
	return nil
}

// share is a part of a whole; 0 of nothing.
func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// compareWords orders numbers by their value, before texts.
func compareWords(a, b string) int {
	x, xerr := strconv.ParseInt(a, 10, 64)
	y, yerr := strconv.ParseInt(b, 10, 64)
	switch {
	case xerr == nil && yerr == nil:
		return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
	case xerr == nil:
		return -1
	case yerr == nil:
		return 1
	}
	return strings.Compare(a, b)
}
