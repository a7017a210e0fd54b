package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// deletedDoc is what was deleted, and what that gave back.
type deletedDoc struct {
	Deleted []string `json:"deleted"`
	// Tenant is the tenant whose runs were deleted, Runs how many runs there were.
	Tenant string `json:"tenant,omitempty"`
	Runs   int    `json:"runs"`
}

func newDeleteRunCommand(e *env) *cobra.Command {
	var tenant string
	var flatten, yes bool
	c := &cobra.Command{
		Use: "delete-run RUN... | --tenant TENANT", GroupID: groupWrite,
		Short: "Delete runs, with everything in them",
		Long: `Deletes runs, whatever their status, with everything in them and all their history; or all runs and
shared namespaces of a tenant. Nothing brings them back, so --yes is asked for.

A run that forks still read through is only deleted with --flatten, which first copies to the forks
what they read there. Disk space is freed in the course of time.`,
		Example: `  inmem delete-run 01a206ff --yes
  inmem delete-run 01a206ff --flatten --yes
  inmem delete-run --tenant acme --yes`,
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) > 0) == (tenant != "") {
				return advise(usagef("delete-run: name runs, or a --tenant"),
					"see inmem delete-run --help")
			}
			if !yes {
				return advise(usagef("delete-run: nothing was deleted"),
					"nothing brings a run back: give --yes to delete it; inmem export keeps a copy")
			}
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				doc, err := e.deleteRuns(ctx, db, args, tenant, flatten)
				if err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error { return writeDeleted(w, &doc) })
			})
		},
	}
	c.Flags().StringVar(&tenant, "tenant", "", "delete all of this tenant")
	c.Flags().BoolVar(&flatten, "flatten", false, "copy to forks what they read through the run")
	c.Flags().BoolVar(&yes, "yes", false, "do it: nothing brings a run back")
	return c
}

func (e *env) deleteRuns(ctx context.Context, db *inmem.DB, args []string, tenant string,
	flatten bool) (deletedDoc, error) {
	doc := deletedDoc{Deleted: []string{}, Tenant: tenant}
	if tenant != "" {
		n, err := db.DeleteTenant(ctx, tenant)
		doc.Runs = n
		return doc, err
	}
	var o inmem.DeleteOptions
	if flatten {
		o.Forks = inmem.FlattenForks
	}
	// All names are looked up before the first run goes: what is no run stops everything.
	for _, name := range args {
		run, err := e.run(ctx, db, name)
		if err != nil {
			return doc, err
		}
		doc.Deleted = append(doc.Deleted, run.ID())
	}
	for _, id := range doc.Deleted {
		if err := db.DeleteRunWith(ctx, id, o); err != nil {
			return doc, err
		}
		doc.Runs++
	}
	return doc, nil
}

func writeDeleted(w io.Writer, doc *deletedDoc) error {
	for _, id := range doc.Deleted {
		if _, err := fmt.Fprintf(w, "deleted %s\n", id); err != nil {
			return err
		}
	}
	if doc.Tenant == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "deleted %s of %s\n", show.Count(doc.Runs, "run"),
		terminal.Clean(doc.Tenant))
	return err
}
