package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/inmem/internal/report"
	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// slowestDoc is what slowest says.
type slowestDoc struct {
	Spans []transcript.SlowSpan `json:"spans"`
	// Runs were selected; Untimed of them say nothing about times, and are left out.
	Runs    int `json:"runs"`
	Untimed int `json:"untimed"`
}

func newSlowestCommand(e *env) *cobra.Command {
	var o queryFlags
	var s transcript.SlowOptions
	var kind, html string
	c := &cobra.Command{
		Use: "slowest", GroupID: groupFleet,
		Short: "List the spans that took longest",
		Long: `Lists the spans of the selected runs that took longest. Open spans, and those that stand for a whole
run, are left out; so are runs whose transcripts say nothing about times.`,
		Example: `  inmem slowest --limit 10
  inmem slowest --type tool_call --tag task_id=7
  inmem slowest --name search_flights --html slow.html`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := o.query(e)
			if err != nil {
				return err
			}
			if s.Limit < 1 {
				return usagef("--limit %d: at least 1", s.Limit)
			}
			s.Type = inmem.SpanType(kind)
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				doc, err := slowest(ctx, db, q, s)
				if err != nil {
					return err
				}
				return e.answer(doc, html,
					func() *page.Page { return report.Slowest(doc.Spans, doc.Runs, doc.Untimed) },
					func(w io.Writer) error { return writeSlowest(w, e.style(), &doc) })
			})
		},
	}
	o.add(c.Flags())
	c.Flags().StringVar(&kind, "type", "", "only spans of this type, such as tool_call or query")
	c.Flags().StringVar(&s.Name, "name", "", "only spans of this name")
	c.Flags().IntVar(&s.Limit, "limit", 20, "the most spans")
	htmlFlag(c, &html)
	return c
}

func slowest(ctx context.Context, db *inmem.DB, q inmem.RunQuery, s transcript.SlowOptions,
) (doc slowestDoc, err error) {
	for info, err := range db.Runs().All(ctx, q) {
		if err != nil {
			return doc, err
		}
		if doc.Runs++; transcript.TimingOf(&info) == transcript.Synthetic {
			doc.Untimed++
		}
	}
	doc.Spans, err = transcript.Slowest(ctx, db, q, s)
	return doc, err
}

func writeSlowest(w io.Writer, style show.Style, doc *slowestDoc) error {
	if doc.Runs == 0 {
		return nothing(w)
	}
	t := show.Table{Style: style, Columns: []show.Column{{Title: "TOOK", Align: show.Right},
		{Title: "", Paint: show.Style.Cyan}, {Title: "TYPE"}, {Title: "NAME", Flexible: true},
		{Title: "TASK", Flexible: true}, {Title: "RUN"}, {Title: "SPAN", Flexible: true},
		{Title: "ERROR", Flexible: true, Paint: show.Style.Red}}}
	for i := range doc.Spans {
		s := &doc.Spans[i]
		t.Row(show.Duration(s.Took),
			show.Pad(show.Bar(float64(s.Took)/float64(max(doc.Spans[0].Took, 1)), 12), 12),
			string(s.Type), s.Name, s.Task, s.Run[:min(len(s.Run), 8)], s.Span, s.Error)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	blank := ""
	if len(doc.Spans) > 0 {
		blank = "\n"
	}
	text := fmt.Sprintf("%s%s of %s", blank, show.Count(len(doc.Spans), "span"),
		show.Count(doc.Runs-doc.Untimed, "run"))
	if doc.Untimed > 0 {
		text += fmt.Sprintf("; %s left out: their transcripts tell no times",
			show.Count(doc.Untimed, "run"))
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
