package cli

import (
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/tool"
	"github.com/spf13/cobra"
)

// newToolCommand is Pebble's own tool set, with the comparer and the key schema of our directories.
// This is the only file of the command that knows Pebble.
func newToolCommand(*env) *cobra.Command {
	c := &cobra.Command{
		Use: "tool", GroupID: groupCare,
		Short: "Look at the files with the tools of the store below",
		Long: `The tools of Pebble, the store in which a database lies: tables, logs, manifests, single keys. They know
nothing of runs; docs/inspecting.md says how to read what they show, and docs/format.md what it means:
db, sstable, manifest, wal, lsm, find and more, each with a --help of its own.

The database must be closed. Those that write (db set, db upgrade, db excise) are not for our directories.`,
		Example: `  inmem tool db lsm agent-db
  inmem tool sstable check agent-db/000123.sst
  inmem tool wal dump agent-db/000124.log`,
	}
	tools := tool.New(
		tool.Comparers(&cockroachkvs.Comparer),
		tool.DefaultComparer(&cockroachkvs.Comparer),
		tool.KeySchema(cockroachkvs.KeySchema.Name),
		tool.KeySchemas(&cockroachkvs.KeySchema),
	)
	for _, t := range tools.Commands {
		t.Hidden = true // the manual is about runs
	}
	c.AddCommand(tools.Commands...)
	return c
}
