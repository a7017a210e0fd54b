package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func newScanCommand(e *env) *cobra.Command {
	var o inmem.ScanOptions
	var at, extension string
	var keys bool
	c := &cobra.Command{
		Use: "scan RUN [PREFIX]", GroupID: groupLook,
		Short: "List keys with their values",
		Long: `Lists the keys of a run with their values, in the order of their bytes, as they are or as they were.
With --json it writes a line for each.`,
		Example: `  inmem scan latest
  inmem scan latest user/ --limit 20
  inmem scan latest --at 120 --keys`,
		Args: between(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				o.Prefix = args[1]
			}
			return e.viewing(c.Context(), args[0], at, func(ctx context.Context, v *inmem.View) error {
				return e.scan(ctx, keysOf(v, extension), o, keys)
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "as it was at this version or time")
	c.Flags().StringVar(&o.Start, "from", "", "the first key")
	c.Flags().StringVar(&o.End, "to", "", "the first key that is left out")
	c.Flags().BoolVar(&o.Reverse, "reverse", false, "the last key first")
	c.Flags().IntVar(&o.Limit, "limit", 0, "the most keys; 0 is all")
	c.Flags().BoolVar(&keys, "keys", false, "only the keys")
	c.Flags().StringVar(&extension, "extension", "", "keys of this extension")
	return c
}

// scan writes a line for each key. A page of them shares the width of its keys.
func (e *env) scan(ctx context.Context, kv inmem.KV, o inmem.ScanOptions, keys bool) error {
	if keys {
		for key, err := range kv.List(ctx, o) {
			if err != nil {
				return err
			}
			if err := e.scanned(map[string]any{"key": keyOf(key)}, terminal.Clean(key)); err != nil {
				return err
			}
		}
		return nil
	}
	for p, err := range kv.Scan(ctx, o) {
		if err != nil {
			return err
		}
		key := show.Pad(terminal.Clean(p.Key), keyWidth)
		text := key + "  " + e.brief(p.Value, show.Width-2-len([]rune(key)))
		if err := e.scanned(keyDoc{Key: keyOf(p.Key), Value: p.Value}, text); err != nil {
			return err
		}
	}
	return nil
}

// keyWidth is the column of keys beside values; longer ones push the value to the right.
const keyWidth = 24

// scanned writes a line. It is not flushed: a scan may be of a million keys.
func (e *env) scanned(doc any, text string) error {
	if e.json {
		return e.encode(doc)
	}
	_, err := fmt.Fprintln(e.out, text)
	return err
}

func newHistoryCommand(e *env) *cobra.Command {
	var extension string
	var limit int
	var cell bool
	c := &cobra.Command{
		Use: "history RUN KEY", GroupID: groupLook,
		Short: "Tell what a key was, newest first",
		Long: `Tells what a key was: a line for each commit that wrote or deleted it, the newest first. With --cell
it is a state cell. What came before what retention has left is exit code 1, behind what is left.`,
		Example: `  inmem history latest goal
  inmem history latest status --cell`,
		Args: exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			return e.viewing(c.Context(), args[0], "", func(ctx context.Context, v *inmem.View) error {
				n := 0
				past := keyPast(ctx, keysOf(v, extension), args[1])
				if cell {
					past = cellPast(ctx, v, args[1])
				}
				for p, err := range past {
					if err != nil {
						return err
					}
					if n++; limit > 0 && n > limit {
						return nil
					}
					if err := e.writePast(p); err != nil {
						return err
					}
				}
				if n == 0 {
					return advise(notFoundf("%q has never been written", args[1]),
						"inmem scan lists the keys, inmem state the cells")
				}
				return nil
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 0, "the most lines; 0 is all")
	c.Flags().StringVar(&extension, "extension", "", "a key of this extension")
	c.Flags().BoolVar(&cell, "cell", false, "a state cell of this name")
	return c
}

func (e *env) writePast(p pastDoc) error {
	return e.stream(p, func(w io.Writer) error {
		what := ""
		switch {
		case p.Swept:
			what = "expired"
		case p.Deleted:
			what = "deleted"
		default:
			what = e.brief(p.Value, show.Width-33)
		}
		if !p.Expires.IsZero() {
			what += "  expires " + e.clock(p.Expires)
		}
		_, err := fmt.Fprintf(w, "%10d  %-19s  %s\n", p.Version, e.clock(p.Written), what)
		return err
	})
}
