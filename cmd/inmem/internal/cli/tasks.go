package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/inmem/internal/report"
	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// tasksDoc is what tasks says.
type tasksDoc struct {
	Tasks []transcript.Task `json:"tasks"`
}

func newTasksCommand(e *env) *cobra.Command {
	var o queryFlags
	var failed bool
	var html string
	c := &cobra.Command{
		Use: "tasks", GroupID: groupFleet,
		Short: "Say of every task how its trials went",
		Long: `Says of every task how many of its trials passed, and what they took together. A run tells its task
by task_id in its metadata, or by a tag like task_id=7, and the trial likewise. It passed if it is
completed, and failed if it is failed.

In the column TRIALS every sign is a trial: + passed, - failed, . neither.`,
		Example: `  inmem tasks
  inmem tasks --all-failed --json
  inmem tasks --tag model=m-3 --html tasks.html`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := o.query(e)
			if err != nil {
				return err
			}
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				tasks, err := transcript.Tasks(ctx, db, q)
				if err != nil {
					return err
				}
				if failed {
					tasks = slices.DeleteFunc(tasks, func(t transcript.Task) bool { return !t.AllFailed })
				}
				doc := tasksDoc{tasks}
				return e.answer(doc, html, func() *page.Page { return report.Tasks(tasks) },
					func(w io.Writer) error { return writeTasks(w, e.style(), doc) })
			})
		},
	}
	o.add(c.Flags())
	c.Flags().BoolVar(&failed, "all-failed", false, "only tasks all trials of which have failed")
	htmlFlag(c, &html)
	return c
}

// nothing is what is said where the flags select no runs.
func nothing(w io.Writer) error {
	_, err := fmt.Fprintln(w, "no runs are like that; inmem runs lists what there is")
	return err
}

func writeTasks(w io.Writer, style show.Style, doc tasksDoc) error {
	if len(doc.Tasks) == 0 {
		return nothing(w)
	}
	t := show.Table{Style: style, Columns: []show.Column{{Title: "TASK", Flexible: true},
		{Title: "TRIALS", Paint: paintTrials}, {Title: "PASSED", Align: show.Right},
		{Title: "", Paint: show.Style.Cyan}, {Title: "CALLS", Align: show.Right},
		{Title: "ERRORS", Align: show.Right}, {Title: "TOKENS", Align: show.Right},
		{Title: "COST", Align: show.Right}, {Title: "", Paint: show.Style.Red}}}
	var sum transcript.Task
	never := 0
	for i := range doc.Tasks {
		x := &doc.Tasks[i]
		mark := ""
		if x.AllFailed {
			mark = "all failed"
			never++
		}
		t.Row(taskName(x.Task), trialSigns(x), fmt.Sprintf("%d/%d", x.Passed, x.Trials),
			show.Pad(show.Bar(float64(x.Passed)/float64(x.Trials), 8), 8), show.Grouped(x.ToolCalls),
			show.Grouped(x.ToolErrors), orDash(x.InputTokens+x.OutputTokens), costOrDash(x.Cost), mark)
		sum.Trials += x.Trials
		sum.Passed += x.Passed
		sum.Failed += x.Failed
	}
	if err := t.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s, %s: %d passed, %d failed; %s failed in all trials\n",
		show.Count(len(doc.Tasks), "task"), show.Count(sum.Trials, "trial"), sum.Passed, sum.Failed,
		show.Count(never, "task"))
	return err
}

func paintTrials(s show.Style, cell string) string { return s.Dim(cell) }

// taskName is a task, or what stands for runs that tell none.
func taskName(task string) string {
	if task == "" {
		return "(none)"
	}
	return task
}

// trialSigns are a sign for each trial, at most 16.
func trialSigns(x *transcript.Task) string {
	const most = 16
	signs := make([]byte, 0, most)
	for i := range x.Runs {
		if i == most {
			return string(signs) + "…"
		}
		switch x.Runs[i].Status {
		case inmem.Completed.String():
			signs = append(signs, '+')
		case inmem.Failed.String():
			signs = append(signs, '-')
		default:
			signs = append(signs, '.')
		}
	}
	return string(signs)
}

// orDash writes a number that runs often do not tell: none is a dash.
func orDash(n int64) string {
	if n == 0 {
		return "-"
	}
	return show.Grouped(n)
}

func costOrDash(c inmem.Cost) string {
	if c == 0 {
		return "-"
	}
	return c.String()
}
