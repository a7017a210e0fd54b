package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// copyDoc is what checkpoint and restore say.
type copyDoc struct {
	Path     string        `json:"path"`
	Version  uint64        `json:"version"`
	Files    int           `json:"files"`
	Bytes    int64         `json:"bytes"`
	Duration time.Duration `json:"duration_ns"`
}

func writeCopy(w io.Writer, did string, d *copyDoc) error {
	_, err := fmt.Fprintf(w, "%s %s: version %d, %s, %s, in %s\n", did, d.Path, d.Version,
		show.Count(d.Files, "file"), show.Size(d.Bytes), show.Duration(d.Duration))
	return err
}

func newCheckpointCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "checkpoint DIR", GroupID: groupMove,
		Short: "Copy the database, as it is at one version",
		Long: `Copies the database, with all history, into a directory that does not exist or is empty. The copy is
a database of its own that can be opened where it is, copied elsewhere, and restored. On the same file
system most of it are hard links, so that it takes little time and space.`,
		Example: `  inmem checkpoint backup/monday
  inmem runs --db backup/monday`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				i, err := db.Checkpoint(ctx, args[0])
				if err != nil {
					return advise(err, "name a directory that does not exist yet, outside of the database")
				}
				doc := copyDoc{args[0], i.Version, i.Files, i.Bytes, i.Duration}
				return e.print(doc, func(w io.Writer) error { return writeCopy(w, "copied to", &doc) })
			})
		},
	}
}

func newRestoreCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "restore FROM TO", GroupID: groupMove,
		Short: "Make a database out of a checkpoint",
		Long: `Makes a database in the directory TO, which does not exist or is empty, out of a checkpoint, or of a
database that was closed. Every byte is verified; nothing in FROM is changed.`,
		Example: `  inmem restore backup/monday agent-db`,
		Args:    exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			var bar *progress
			if e.terminal() {
				bar = newProgress(e.err, "restoring", 0)
			}
			i, err := inmem.RestoreWith(c.Context(), args[0], args[1],
				inmem.RestoreOptions{Progress: bar.moved})
			bar.clear()
			if err != nil {
				return err
			}
			doc := copyDoc{args[1], i.Version, i.Files, i.Bytes, i.Duration}
			return e.print(doc, func(w io.Writer) error { return writeCopy(w, "restored", &doc) })
		},
	}
}
