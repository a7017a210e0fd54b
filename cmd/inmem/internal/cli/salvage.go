package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func newSalvageCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "salvage FROM TO", GroupID: groupCare,
		Short: "Make a new database of what can be read in a damaged one",
		Long: `Reads every table and every log of the directory FROM by itself, whatever else of it is damaged or
missing, and makes a new database in the directory TO, which does not exist or is empty, of all runs that can
be read: whole, or up to the first commit that cannot. It says what was lost. Nothing in FROM is changed.

A checkpoint is better, if there is one that is new enough: inmem restore. The exit code is 5 if something was
lost.`,
		Example: `  inmem salvage agent-db saved-db`,
		Args:    exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := inmem.Salvage(c.Context(), args[0], args[1], inmem.SalvageOptions{})
			if err != nil {
				return err
			}
			err = e.print(doc, func(w io.Writer) error { return e.writeSalvaged(w, args[1], doc) })
			if err == nil && !doc.Whole() {
				err = advise(corruptf("not all of it could be read"),
					"what there is, is in %s; keep %s, until you know that it is enough", args[1], args[0])
			}
			return err
		},
	}
}

func (e *env) writeSalvaged(w io.Writer, to string, r *inmem.SalvageReport) error {
	count := map[inmem.Salvaged]int{}
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "RUN"}, {Title: "SAVED"}, {Title: "COMMITS", Align: show.Right}, {Title: "WHY",
			Flexible: true},
	}}
	for _, x := range r.Runs {
		count[x.Saved]++
		if x.Saved != inmem.SalvagedWhole {
			t.Row(x.Run, string(x.Saved), fmt.Sprintf("%d of %d", x.Commits, x.Of), x.Text)
		}
	}
	fmt.Fprintf(w, "%s in %s: %d whole, %d unsure, %d cut, %d their newest state, %d lost\n",
		show.Count(len(r.Runs), "run"), to, count[inmem.SalvagedWhole], count[inmem.SalvagedUnsure],
		count[inmem.SalvagedCut], count[inmem.SalvagedState], count[inmem.SalvagedNothing])
	for _, f := range r.Files {
		if f.Damage != "" {
			fmt.Fprintf(w, "%s, %s read: %s\n", f.Name, show.Count(f.Records, "record"),
				terminal.Clean(f.Damage))
		}
	}
	if t.Len() > 0 {
		fmt.Fprintln(w)
	}
	if err := t.Write(w); err != nil || r.Found == 0 {
		return err
	}
	fmt.Fprintf(w, "\n%s in what could be read:\n", show.Count(r.Found, "problem"))
	const most = 20
	for i := range r.Problems[:min(most, len(r.Problems))] {
		fmt.Fprintln(w, show.Wrap(terminal.Clean(r.Problems[i].String()), show.Width, 2))
	}
	if r.Found > most {
		fmt.Fprintf(w, "%d more: --json has them\n", r.Found-most)
	}
	return nil
}
