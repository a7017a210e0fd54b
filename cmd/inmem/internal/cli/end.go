package cli

import (
	"context"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func newEndCommand(e *env) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "end RUN [STATUS]", GroupID: groupWrite,
		Short: "End a run: completed, failed, cancelled or archived",
		Long: `Gives a run its final status, completed unless another one is named. From then on it takes no
writes; what it holds stays. A run that is archived is left out of lists that do not ask for it.`,
		Example: `  inmem end latest
  inmem end latest failed --reason "no flight below 150 EUR"
  inmem end 01a206ff archived`,
		Args: between(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			status := inmem.Completed
			if len(args) == 2 {
				var err error
				if status, err = parseStatus(args[1]); err != nil {
					return err
				}
			}
			if reason != "" && status != inmem.Failed {
				return usagef("end: --reason is for failed")
			}
			return e.onRun(c.Context(), args[0], "ended", func(ctx context.Context, run *inmem.Run) error {
				switch status {
				case inmem.Failed:
					return run.Record().Fail(ctx, reason)
				case inmem.Archived:
					return run.Record().Archive(ctx)
				}
				return run.End(ctx, status)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why it failed")
	return c
}

func newPauseCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "pause RUN", GroupID: groupWrite,
		Short:   "Take an active run out of work",
		Long:    `Takes an active run out of work: it takes no writes until inmem resume.`,
		Example: `  inmem pause latest`,
		Args:    exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.onRun(c.Context(), args[0], "paused", func(ctx context.Context, run *inmem.Run) error {
				return run.Record().Pause(ctx)
			})
		},
	}
}

func newResumeCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "resume RUN", GroupID: groupWrite,
		Short: "Take up a run that was paused or interrupted",
		Long: `Makes a paused run active again, and takes up one that was interrupted: its process ended without
closing the database.`,
		Example: `  inmem runs --interrupted
  inmem resume 01a206ff`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.onRun(c.Context(), args[0], "resumed", func(ctx context.Context, run *inmem.Run) error {
				return run.Record().Resume(ctx)
			})
		},
	}
}

// onRun changes a run and says what became of it.
func (e *env) onRun(ctx context.Context, name, did string,
	fn func(context.Context, *inmem.Run) error) error {
	return e.change(ctx, func(ctx context.Context, db *inmem.DB) error {
		run, err := e.run(ctx, db, name)
		if err != nil {
			return err
		}
		if err := fn(ctx, run); err != nil {
			return err
		}
		return e.printRun(ctx, run, did)
	})
}
