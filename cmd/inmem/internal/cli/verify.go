package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// errDamaged ends verify when it has found something: what, it has printed.
var errDamaged = corruptf("there are problems")

func newVerifyCommand(e *env) *cobra.Command {
	var o inmem.VerifyOptions
	c := &cobra.Command{
		Use: "verify [RUN...]", GroupID: groupCare,
		Short: "Look over everything that is stored, and name what is wrong",
		Long: `Reads all that is stored and holds it against itself: the files, the chain of commits, the journal of
every run, every value, the chains of events, indexes, deadlines, forks, what deletions and retention have
left. It goes on behind what is damaged, and changes nothing. With runs it looks at these alone.

The exit code is 5 if there are problems. docs/verify.md says what each kind means, and what to do.`,
		Example: `  inmem verify
  inmem verify latest --json`,
		RunE: func(c *cobra.Command, args []string) error {
			err := e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				for _, name := range args {
					r, err := e.run(ctx, db, name)
					if err != nil {
						return err
					}
					o.Runs = append(o.Runs, r.ID())
				}
				doc, err := db.Verify(ctx, o)
				if err != nil {
					return err
				}
				err = e.print(doc, func(w io.Writer) error { return e.writeVerified(w, doc) })
				if err == nil && !doc.Sound() {
					err = errDamaged
				}
				return err
			})
			switch {
			case errors.Is(err, errDamaged):
				return advise(err, "indexes: inmem repair; anything else: inmem restore, or inmem salvage; "+
					"docs/verify.md says which")
			case errors.Is(err, inmem.ErrCorrupt):
				return advise(err, "it cannot be opened: inmem restore a checkpoint, or inmem salvage what "+
					"there is into another directory; nothing was changed")
			}
			return err
		},
	}
	c.Flags().IntVar(&o.Problems, "problems", 100, "how many problems are listed")
	return c
}

func (e *env) writeVerified(w io.Writer, r *inmem.VerifyReport) error {
	fmt.Fprintf(w, "%s, %s, %s, %s, %s of %s\n", show.Count(r.Runs, "run"),
		show.Count(r.Commits, "commit"), show.Count(r.Events, "event"), show.Count(r.Spans, "span"),
		show.Count(r.Records, "record"), show.Size(r.Bytes))
	if r.Tables > 0 {
		fmt.Fprintf(w, "%s, every block\n", show.Count(r.Tables, "table"))
	}
	if r.Sound() {
		_, err := fmt.Fprintf(w, "%s at version %d\n", e.style().Green("no problems"), r.Version)
		return err
	}
	fmt.Fprintf(w, "%s at version %d\n\n", e.style().Red(show.Count(r.Found, "problem")), r.Version)
	for i := range r.Problems {
		fmt.Fprintln(w, show.Wrap(terminal.Clean(r.Problems[i].String()), show.Width, 2))
	}
	if more := r.Found - len(r.Problems); more > 0 {
		fmt.Fprintf(w, "%d more: --problems %d lists all\n", more, r.Found)
	}
	return nil
}

func newRepairCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "repair [RUN...]", GroupID: groupCare,
		Short: "Make all indexes anew where they are wrong",
		Long: `Mends what can be made again from what is there: the index of runs, and of every run the indexes of
events by type and of spans. Where all is right nothing is written. What was lost it cannot bring back: see
inmem salvage and inmem restore.`,
		Example: `  inmem repair`,
		RunE: func(c *cobra.Command, args []string) error {
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				var o inmem.RepairOptions
				for _, name := range args {
					r, err := e.run(ctx, db, name)
					if err != nil {
						return err
					}
					o.Runs = append(o.Runs, r.ID())
				}
				doc, err := db.Repair(ctx, o)
				if err != nil {
					return err
				}
				err = e.print(doc, func(w io.Writer) error { return writeRepaired(w, doc) })
				if err == nil && len(doc.Failed) > 0 {
					err = advise(errDamaged, "inmem verify tells more; inmem salvage copies what can be read")
				}
				return err
			})
		},
	}
}

func writeRepaired(w io.Writer, r *inmem.RepairReport) error {
	fmt.Fprintf(w, "%s: index entries added %d, removed %d\n", show.Count(r.Runs, "run"), r.Added,
		r.Removed)
	for i := range r.Failed {
		fmt.Fprintln(w, show.Wrap(terminal.Clean(r.Failed[i].String()), show.Width, 2))
	}
	return nil
}
