package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func newDiffCommand(e *env) *cobra.Command {
	var o inmem.DiffOptions
	var html string
	c := &cobra.Command{
		Use: "diff A[@VERSION] B[@VERSION]", GroupID: groupLook,
		Short: "Compare two runs, and say where they parted",
		Long: `Compares two runs, or one run at two versions: where their steps first differ, then keys, cells,
events and spans, down to the path in a value. What only B has is added. docs/diff.md says how to
read it. --html writes one page that needs nothing else.

The exit code says whether the comparison was made, not whether there are differences: ask --json
for identical.`,
		Example: `  inmem diff 01a206ff 01a20700
  inmem diff latest@120 latest
  inmem diff 01a206ff 01a20700 --ignore id --ignore tool_call_id --html diff.html`,
		Args: exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				return e.diff(ctx, db, args, o, html)
			})
		},
	}
	c.Flags().StringVar(&html, "html", "", "write a page into this file instead")
	c.Flags().IntVar(&o.Details, "details", 0, "the most differences to tell; default 1000")
	c.Flags().StringArrayVar(&o.Ignore, "ignore", nil,
		"do not look at this entry of payloads and spans; repeat it for several")
	c.Flags().IntVar(&o.Window, "window", 0, "how many steps are aligned at once; default 2048")
	return c
}

func (e *env) diff(ctx context.Context, db *inmem.DB, args []string, o inmem.DiffOptions,
	html string) error {
	a, err := e.point(ctx, db, args[0])
	if err != nil {
		return err
	}
	b, err := e.point(ctx, db, args[1])
	if err != nil {
		return err
	}
	d, err := db.Diff(ctx, a, b, o)
	if err != nil {
		return err
	}
	if html != "" {
		if err := writeNew(html, d.WriteHTML); err != nil {
			return err
		}
		if e.json {
			return e.print(d, nil)
		}
		_, err := fmt.Fprintf(e.out, "wrote %s\n", html)
		return err
	}
	return e.print(d, func(w io.Writer) error {
		var text strings.Builder
		if err := d.WriteText(&text, inmem.DiffTextOptions{Colour: e.style().Color}); err != nil {
			return err
		}
		_, err := io.WriteString(w, text.String())
		return err
	})
}
