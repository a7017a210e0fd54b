package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// newRunFlags describe a run that is to begin.
type newRunFlags struct {
	id, tenant, app, agent string
	tags                   []string
	metadata               string
}

func (n *newRunFlags) add(f *pflag.FlagSet) {
	f.StringVar(&n.id, "id", "", "the id, a UUID; default: a new one")
	f.StringVar(&n.tenant, "tenant", "", "the tenant")
	f.StringVar(&n.app, "app", "", "the app")
	f.StringVar(&n.agent, "agent", "", "the agent")
	f.StringArrayVar(&n.tags, "tag", nil, "a tag; repeat it for several")
	f.StringVar(&n.metadata, "metadata", "", "any value, as JSON or text")
}

func (n *newRunFlags) meta(e *env) (inmem.Value, error) {
	if n.metadata == "" {
		return inmem.Null(), nil
	}
	return e.value(n.metadata)
}

// printRun says what became of a run.
func (e *env) printRun(ctx context.Context, run *inmem.Run, did string) error {
	info, err := run.Info(ctx)
	if err != nil {
		return err
	}
	return e.print(docOfRun(&info), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %s  %s\n", did, info.ID, info.Status)
		return err
	})
}

func newBeginCommand(e *env) *cobra.Command {
	var n newRunFlags
	var parent string
	c := &cobra.Command{
		Use: "begin", GroupID: groupWrite,
		Short: "Begin a run",
		Long:  `Begins a run, which is active and takes writes until inmem end.`,
		Example: `  inmem begin --agent planner --tag exp-7
  inmem put latest goal "book a flight"`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			meta, err := n.meta(e)
			if err != nil {
				return err
			}
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				o := inmem.RunOptions{
					ID: n.id, Tenant: n.tenant, App: n.app, Agent: n.agent, Tags: n.tags,
					Metadata: meta,
				}
				if parent != "" {
					p, err := e.run(ctx, db, parent)
					if err != nil {
						return err
					}
					o.Parent = p.ID()
				}
				run, err := db.BeginRun(ctx, o)
				if err != nil {
					return err
				}
				return e.printRun(ctx, run, "began")
			})
		},
	}
	n.add(c.Flags())
	c.Flags().StringVar(&parent, "parent", "", "the run under which it is begun")
	return c
}
