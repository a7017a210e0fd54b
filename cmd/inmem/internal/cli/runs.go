package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// runsDoc is a page of runs.
type runsDoc struct {
	Runs []runDoc `json:"runs"`
	// Next is for --after; empty when there is no further page.
	Next string `json:"next,omitempty"`
}

// runDoc is a run as lists show it.
type runDoc struct {
	ID          string      `json:"id"`
	Tenant      string      `json:"tenant,omitempty"`
	App         string      `json:"app,omitempty"`
	Agent       string      `json:"agent,omitempty"`
	Parent      string      `json:"parent,omitempty"`
	ForkVersion uint64      `json:"fork_version,omitempty"`
	Status      string      `json:"status"`
	Interrupted bool        `json:"interrupted,omitempty"`
	Created     time.Time   `json:"created"`
	Updated     time.Time   `json:"updated"`
	Ended       time.Time   `json:"ended,omitzero"`
	Tags        []string    `json:"tags"`
	Metadata    inmem.Value `json:"metadata"`
	Error       string      `json:"error,omitempty"`
}

func docOfRun(r *inmem.RunInfo) runDoc {
	return runDoc{
		ID: r.ID, Tenant: r.Tenant, App: r.App, Agent: r.Agent, Parent: r.Parent,
		ForkVersion: r.ForkVersion, Status: r.Status.String(), Interrupted: r.Interrupted,
		Created: r.Created.UTC(), Updated: r.Updated.UTC(), Ended: r.Ended.UTC(),
		Tags: append([]string{}, r.Tags...), Metadata: r.Metadata, Error: r.Error,
	}
}

// runsFlags are those of runs beyond the filters.
type runsFlags struct {
	query  queryFlags
	limit  int
	after  string
	oldest bool
	count  bool
	watch  bool
	every  time.Duration
}

func newRunsCommand(e *env) *cobra.Command {
	var f runsFlags
	c := &cobra.Command{
		Use: "runs", GroupID: groupLook,
		Short: "List runs, the newest first",
		Long: `Lists runs, the newest first, a page at a time: what stands behind --after in the last line asks for
the next one, with the same filters. Filters are all to hold; several of --status are alternatives.
Archived runs are only listed with --archived or --status archived.

With --watch the page is shown anew whenever it changes, until Ctrl-C: the database is looked at at
every --interval, and in between it is free for others.`,
		Example: `  inmem runs
  inmem runs --status failed --tag task_id=7 --since 2h
  inmem runs --agent planner --limit 20 --json
  inmem runs --count
  inmem runs --status active --watch`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := f.query.query(e)
			if err != nil {
				return err
			}
			q.Reverse, q.Limit, q.Token = !f.oldest, f.limit, f.after
			switch {
			case f.count && f.watch:
				return usagef("runs: --count and --watch exclude each other")
			case f.watch:
				return e.watchRuns(c.Context(), q, f.every)
			case f.count:
				return e.countRuns(c.Context(), q)
			}
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				doc, err := listRuns(ctx, db, q)
				if err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error { return e.writeRuns(w, doc) })
			})
		},
	}
	f.query.add(c.Flags())
	c.Flags().IntVar(&f.limit, "limit", 50, "the most runs on a page, up to 1000")
	c.Flags().StringVar(&f.after, "after", "", "the page behind this one: see the last line of a page")
	c.Flags().BoolVar(&f.oldest, "oldest", false, "the oldest first")
	c.Flags().BoolVar(&f.count, "count", false, "only count them, by status")
	c.Flags().BoolVar(&f.watch, "watch", false, "show the page anew whenever it changes")
	c.Flags().DurationVar(&f.every, "interval", time.Second, "how often --watch looks")
	return c
}

func listRuns(ctx context.Context, db *inmem.DB, q inmem.RunQuery) (runsDoc, error) {
	page, err := db.Runs().Query(ctx, q)
	if err != nil {
		return runsDoc{}, err
	}
	doc := runsDoc{Runs: []runDoc{}, Next: page.Next}
	for i := range page.Runs {
		doc.Runs = append(doc.Runs, docOfRun(&page.Runs[i]))
	}
	return doc, nil
}

func (e *env) writeRuns(w io.Writer, doc runsDoc) error {
	if len(doc.Runs) == 0 && doc.Next == "" {
		_, err := fmt.Fprintln(w, "no runs")
		return err
	}
	agents := false
	for i := range doc.Runs {
		agents = agents || doc.Runs[i].Agent != ""
	}
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "RUN"}, {Title: "STATUS", Paint: painted}, {Title: "BEGAN"},
	}}
	if agents {
		t.Columns = append(t.Columns, show.Column{Title: "AGENT", Flexible: !e.full})
	}
	t.Columns = append(t.Columns, show.Column{Title: "TAGS", Flexible: !e.full})
	for i := range doc.Runs {
		r := &doc.Runs[i]
		row := []string{r.ID, statusOf(r), e.clock(r.Created)}
		if agents {
			row = append(row, r.Agent)
		}
		t.Row(append(row, strings.Join(shortFirst(r.Tags), ", "))...)
	}
	if err := t.Write(w); err != nil || doc.Next == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "more: --after %s\n", doc.Next)
	return err
}

// shortFirst puts short tags before long ones, of which there may be no room for all.
func shortFirst(tags []string) []string {
	return slices.SortedStableFunc(slices.Values(tags), func(a, b string) int {
		return len(a) - len(b)
	})
}

// countDoc counts runs.
type countDoc struct {
	Runs        int `json:"runs"` // without archived ones
	Active      int `json:"active"`
	Interrupted int `json:"interrupted"` // of the active ones
	Paused      int `json:"paused"`
	Completed   int `json:"completed"`
	Failed      int `json:"failed"`
	Cancelled   int `json:"cancelled"`
	Archived    int `json:"archived"`
}

func (e *env) countRuns(ctx context.Context, q inmem.RunQuery) error {
	return e.look(ctx, func(ctx context.Context, db *inmem.DB) error {
		s, err := db.Runs().Stats(ctx, q)
		if err != nil {
			return err
		}
		doc := countDoc{
			Runs:   s.Active + s.Paused + s.Completed + s.Failed + s.Cancelled,
			Active: s.Active, Interrupted: s.Interrupted, Paused: s.Paused, Completed: s.Completed,
			Failed: s.Failed, Cancelled: s.Cancelled, Archived: s.Archived,
		}
		return e.print(doc, func(w io.Writer) error { return e.writeCount(w, &doc) })
	})
}

func (e *env) writeCount(w io.Writer, doc *countDoc) error {
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "STATUS", Paint: painted}, {Title: "RUNS", Align: show.Right}, {Title: "SHARE"},
	}}
	all := float64(max(doc.Runs+doc.Archived, 1))
	for _, row := range []struct {
		status string
		n      int
	}{
		{"active", doc.Active}, {"interrupted", doc.Interrupted}, {"paused", doc.Paused},
		{"completed", doc.Completed}, {"failed", doc.Failed}, {"cancelled", doc.Cancelled},
		{"archived", doc.Archived},
	} {
		if row.n > 0 {
			t.Row(row.status, show.Grouped(row.n), show.Bar(float64(row.n)/all, 40))
		}
	}
	if err := t.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s, and %s archived\n", show.Count(doc.Runs, "run"),
		show.Grouped(doc.Archived))
	return err
}

// watchRuns shows a page anew whenever it changes: on a terminal in the place of the one before,
// else below it.
func (e *env) watchRuns(ctx context.Context, q inmem.RunQuery, every time.Duration) error {
	shown := ""
	return e.poll(ctx, every, func(ctx context.Context, db *inmem.DB) error {
		doc, err := listRuns(ctx, db, q)
		if err != nil {
			return err
		}
		var text strings.Builder
		if err := e.writeRuns(&text, doc); err != nil {
			return err
		}
		changed := text.String() != shown
		shown = text.String()
		if !changed {
			return nil
		}
		return e.stream(doc, func(w io.Writer) error {
			const home = "\x1b[H\x1b[2J" // the cursor to the upper left corner, and all clear
			if show.IsTerminal(e.stdout) {
				text := fmt.Sprintf("%s%s\n\n%s", home, e.clock(e.now()), shown)
				_, err := io.WriteString(w, text)
				return err
			}
			_, err := io.WriteString(w, shown)
			return err
		})
	})
}
