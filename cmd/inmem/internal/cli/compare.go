package cli

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/inmem-db/inmem/cmd/inmem/internal/report"
	"github.com/inmem-db/inmem/cmd/internal/page"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

func newCompareCommand(e *env) *cobra.Command {
	var q queryFlags
	var o transcript.CompareOptions
	var byTool bool
	var html string
	c := &cobra.Command{
		Use: "compare --tag TAG", GroupID: groupFleet,
		Short: "Put the tool calls of runs beside each other: where did failed ones part?",
		Long: `Puts the tool calls of the selected runs beside each other, usually the trials of one task, as a
tree: every line says how many runs took a step, what share of those that had come so far, and how
many of them passed (+) and failed (-). Then it names the places at which failed runs left the way of
those that passed, and the steps that tell the ones from the others wherever they were taken.

Two runs took the same step if they called the same tool with equal arguments, or with --by-tool the
same tool.`,
		Example: `  inmem compare --tag task_id=7
  inmem compare --tag task_id=7 --ignore think --html task7.html
  inmem compare --tag exp-7 --by-tool --json`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			query, err := q.query(e)
			if err != nil {
				return err
			}
			if o.MaxSteps < 1 {
				return usagef("--max-steps %d: at least 1", o.MaxSteps)
			}
			if byTool {
				o.Match = transcript.ByTool
			}
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				doc, err := transcript.Compare(ctx, db, query, o)
				if err != nil {
					return err
				}
				return e.answer(doc, html,
					func() *page.Page { return report.Compare(doc, selection(c.Flags())) },
					func(w io.Writer) error {
						if len(doc.Runs) == 0 {
							return nothing(w)
						}
						return doc.WriteText(w)
					})
			})
		},
	}
	q.add(c.Flags())
	c.Flags().BoolVar(&byTool, "by-tool", false, "only the tools count, not their arguments")
	c.Flags().StringArrayVar(&o.Ignore, "ignore", nil, "calls of this tool are no steps; repeat it")
	c.Flags().IntVar(&o.MaxSteps, "max-steps", 1000, "how many steps of a run are looked at")
	htmlFlag(c, &html)
	return c
}

// selection says in words which runs a command was asked for: the flags that were given.
func selection(f *pflag.FlagSet) string {
	var given []string
	f.Visit(func(x *pflag.Flag) {
		switch x.Name {
		case "db", "html", "json", "no-color", "full":
		default:
			value := strings.Trim(x.Value.String(), "[]")
			given = append(given, strings.TrimSpace(x.Name+" "+strings.TrimSuffix(value, "true")))
		}
	})
	if len(given) == 0 {
		return "All runs."
	}
	return "Runs with " + strings.Join(given, ", ") + "."
}
