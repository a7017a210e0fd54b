package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
)

// The groups of the help.
const (
	groupLook  = "look"
	groupFleet = "fleet"
	groupWrite = "write"
	groupMove  = "move"
	groupCare  = "care"
)

// environment is the variable that names the database when --db does not.
const environment = "INMEM_DB"

const about = `inmem looks into in-mem databases: which runs there are, what agents did in them, what it cost, and
where two of them parted. It also writes, copies, checks and mends.

The database is the directory that --db names, or $INMEM_DB, or the current one. One process has it
open at a time.

RUN is the id of a run, the beginning of one that no other has, or "latest".
Times are like 2026-05-14, "2026-05-14 09:30", RFC 3339, or 90s, 10m, 2h, 3d ago.

`

// newRoot makes the command that has all others under it.
func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "inmem",
		Short: "Look into in-mem databases, and work on them",
		Long:  about + exitCodes,
		Example: `  inmem runs --db agent-db --tag task_id=7
  inmem show latest
  inmem diff 01a206ff latest
  INMEM_DB=agent-db inmem trace latest --json`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return advise(usagef("unknown command %q", args[0]), "inmem help lists all of them")
			}
			return c.Help()
		},
	}
	dir := orElse(e.dir, orElse(os.Getenv(environment), "."))
	flags := root.PersistentFlags()
	flags.StringVar(&e.dir, "db", dir, "the directory of the database; default: $INMEM_DB, else .")
	flags.BoolVar(&e.json, "json", false, "write JSON: one document, or one per line of a stream")
	flags.BoolVar(&e.plain, "no-color", false, "write no colours, as with NO_COLOR set")
	flags.BoolVar(&e.full, "full", false, "write values and texts whole, however long they are")
	flags.Lookup("db").DefValue = ""
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return advise(usagef("%w", err), "%s --help explains the flags", c.CommandPath())
	})
	root.SetIn(e.in)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.AddGroup(
		&cobra.Group{ID: groupLook, Title: "Looking at runs:"},
		&cobra.Group{ID: groupFleet, Title: "Many runs:"},
		&cobra.Group{ID: groupWrite, Title: "Writing:"},
		&cobra.Group{ID: groupMove, Title: "In and out:"},
		&cobra.Group{ID: groupCare, Title: "Care of the database:"},
	)
	root.AddCommand(commands(e)...)
	e.watchStart(root)
	return root
}

// watchStart notes when a command begins: an error before that is one of the command line.
func (e *env) watchStart(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			e.began = true
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		e.watchStart(sub)
	}
}

// exactly wants so many arguments, and between as many.
func exactly(n int) cobra.PositionalArgs { return between(n, n) }

func between(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		return advise(usagef("%s: %s", c.CommandPath(), show.Count(len(args), "argument")),
			"usage: %s; see %s --help", c.UseLine(), c.CommandPath())
	}
}
