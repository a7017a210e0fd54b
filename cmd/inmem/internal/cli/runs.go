package cli

import (
	"context"
	"io"
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

func newRunsCommand(e *env) *cobra.Command {
	var o queryFlags
	c := &cobra.Command{
		Use: "runs", GroupID: groupLook,
		Short:   "List runs, the newest first",
		Example: `  inmem runs --status failed --tag task_id=7`,
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := o.query(e)
			if err != nil {
				return err
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
	o.add(c.Flags())
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
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "RUN"}, {Title: "STATUS"}, {Title: "CREATED"}, {Title: "AGENT", Flexible: true},
	}}
	for _, r := range doc.Runs {
		t.Row(r.ID, r.Status, e.clock(r.Created), r.Agent)
	}
	return t.Write(w)
}
