package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// created is what init says.
type created struct {
	Path    string `json:"path"`
	Created bool   `json:"created"`
	Version uint64 `json:"version"`
}

func newInitCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "init [DIR]", GroupID: groupCare,
		Short: "Make a database",
		Long: `Makes an empty database in a directory, which is created if it is missing. One that is there already
is opened, recovered if need be, and left as it is.`,
		Example: `  inmem init agent-db`,
		Args:    between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			say := func(_ context.Context, db *inmem.DB) error {
				doc := created{db.Path(), db.Recovery().Created, db.Version()}
				return e.print(doc, func(w io.Writer) error { return writeCreated(w, doc) })
			}
			if len(args) == 1 {
				e.dir = args[0]
				return e.open(c.Context(), options(), say)
			}
			return e.create(c.Context(), say)
		},
	}
}

func writeCreated(w io.Writer, doc created) error {
	if doc.Created {
		_, err := fmt.Fprintf(w, "made a database in %s\n", doc.Path)
		return err
	}
	_, err := fmt.Fprintf(w, "%s is a database already, at version %d\n", doc.Path, doc.Version)
	return err
}
