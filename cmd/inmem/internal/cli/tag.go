package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// tagsDoc are the tags of a run.
type tagsDoc struct {
	Run  string   `json:"run"`
	Tags []string `json:"tags"`
}

func newTagCommand(e *env) *cobra.Command {
	var remove, set bool
	c := &cobra.Command{
		Use: "tag RUN [TAG...]", GroupID: groupWrite,
		Short: "Show, add or remove the tags of a run",
		Long: `Shows the tags of a run; adds those that are named; with --remove removes them; with --set makes
them all that there are. Runs can be tagged in every status.`,
		Example: `  inmem tag latest
  inmem tag latest good reviewed
  inmem tag latest --remove reviewed`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly(1)(c, args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if remove && set {
				return usagef("tag: --remove and --set exclude each other")
			}
			name, tags := args[0], args[1:]
			do := e.change
			if len(tags) == 0 && !set {
				do = e.look
			}
			return do(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				run, err := e.run(ctx, db, name)
				if err != nil {
					return err
				}
				switch record := run.Record(); {
				case set:
					err = record.SetTags(ctx, tags...)
				case remove:
					err = record.RemoveTags(ctx, tags...)
				case len(tags) > 0:
					err = record.AddTags(ctx, tags...)
				}
				if err != nil {
					return err
				}
				return e.printTags(ctx, run)
			})
		},
	}
	c.Flags().BoolVar(&remove, "remove", false, "remove the tags")
	c.Flags().BoolVar(&set, "set", false, "remove all others")
	return c
}

func (e *env) printTags(ctx context.Context, run *inmem.Run) error {
	tags, err := run.Record().Tags(ctx)
	if err != nil {
		return err
	}
	doc := tagsDoc{Run: run.ID(), Tags: append([]string{}, tags...)}
	return e.print(doc, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s  %s\n", doc.Run, terminal.Clean(strings.Join(doc.Tags, ", ")))
		return err
	})
}
