package cli

import (
	"context"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func newForkCommand(e *env) *cobra.Command {
	var n newRunFlags
	var at string
	c := &cobra.Command{
		Use: "fork RUN[@VERSION]", GroupID: groupWrite,
		Short: "Begin a run that goes on from another one",
		Long: `Makes a new, active run that reads as another one did at a version: keys, events, cells and spans,
with their history. What either of them writes afterwards the other does not see. It copies nothing.`,
		Example: `  inmem fork latest
  inmem fork 01a206ff --at 120 --tag retry
  inmem fork 01a206ff --at "2026-05-14 09:30"`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			meta, err := n.meta(e)
			if err != nil {
				return err
			}
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				p, err := e.pointAt(ctx, db, args[0], at)
				if err != nil {
					return err
				}
				run, err := p.Run.Fork(ctx, inmem.ForkOptions{
					At: p.Version, ID: n.id, Tenant: n.tenant, App: n.app, Agent: n.agent,
					Tags: n.tags, Metadata: meta,
				})
				if err != nil {
					return err
				}
				return e.printRun(ctx, run, "forked")
			})
		},
	}
	n.add(c.Flags())
	c.Flags().StringVar(&at, "at", "", "the version, or time, of the run to go on from")
	return c
}
