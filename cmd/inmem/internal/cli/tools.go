package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/inmem/internal/report"
	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

func newToolsCommand(e *env) *cobra.Command {
	var o queryFlags
	var byTask bool
	var html string
	c := &cobra.Command{
		Use: "tools", GroupID: groupFleet,
		Short: "Say which tools were called, how often, how well, at what price",
		Long: `Says of every tool how often it was called, in how many runs, how many calls failed, how long they
took, and what they used. What a model's answer used counts for the calls that it asked for, in equal
parts. A dash stands for what the runs do not tell.`,
		Example: `  inmem tools
  inmem tools --tag task_id=7 --by-task
  inmem tools --status failed --html tools.html`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := o.query(e)
			if err != nil {
				return err
			}
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				doc, err := transcript.Tools(ctx, db, q)
				if err != nil {
					return err
				}
				return e.answer(doc, html, func() *page.Page { return report.Tools(&doc) },
					func(w io.Writer) error { return writeTools(w, e.style(), &doc, byTask) })
			})
		},
	}
	o.add(c.Flags())
	c.Flags().BoolVar(&byTask, "by-task", false, "a line per task and tool")
	htmlFlag(c, &html)
	return c
}

func writeTools(w io.Writer, style show.Style, doc *transcript.ToolReport, byTask bool) error {
	if doc.Runs == 0 {
		return nothing(w)
	}
	t := show.Table{Style: style, Columns: []show.Column{{Title: "TOOL", Flexible: true},
		{Title: "CALLS", Align: show.Right}, {Title: "", Paint: show.Style.Cyan},
		{Title: "RUNS", Align: show.Right}, {Title: "ERRORS", Align: show.Right},
		{Title: "RATE", Align: show.Right, Paint: show.Style.Red},
		{Title: "MEAN", Align: show.Right}, {Title: "LONGEST", Align: show.Right},
		{Title: "TOKENS", Align: show.Right}, {Title: "COST", Align: show.Right}}}
	lines := doc.Tools
	if byTask {
		t.Columns = append([]show.Column{{Title: "TASK", Flexible: true}}, t.Columns...)
		lines = doc.ByTask
	}
	most, calls, failed := 1, 0, 0
	for i := range lines {
		most = max(most, lines[i].Calls)
		calls += lines[i].Calls
		failed += lines[i].Errors
	}
	for i := range lines {
		u := &lines[i]
		rate := "-"
		if u.Errors > 0 {
			rate = fmt.Sprintf("%.0f%%", 100*u.ErrorRate)
		}
		row := []string{u.Tool, show.Grouped(u.Calls),
			show.Pad(show.Bar(float64(u.Calls)/float64(most), 12), 12), show.Grouped(u.Runs),
			orDash(int64(u.Errors)), rate, tookOrDash(u.Mean), tookOrDash(u.Longest),
			orDash(u.InputTokens + u.OutputTokens), costOrDash(u.Cost)}
		if byTask {
			row = append([]string{taskName(u.Task)}, row...)
		}
		t.Row(row...)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s of %s in %s; %d failed\n", show.Count(calls, "call"),
		show.Count(len(doc.Tools), "tool"), show.Count(doc.Runs, "run"), failed)
	return err
}

func tookOrDash(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return show.Duration(d)
}
