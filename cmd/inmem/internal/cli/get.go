package cli

import (
	"context"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// keyDoc is a key with its value.
type keyDoc struct {
	Key     inmem.Value `json:"key"`
	Value   inmem.Value `json:"value"`
	Version uint64      `json:"version,omitempty"`
	Written time.Time   `json:"written,omitzero"`
	Expires time.Time   `json:"expires,omitzero"`
}

// keyOf is a key as JSON shows it: text, or what stands for bytes that are none.
func keyOf(key string) inmem.Value {
	if utf8.ValidString(key) {
		return inmem.String(key)
	}
	return inmem.Bytes([]byte(key))
}

func newGetCommand(e *env) *cobra.Command {
	var at, extension string
	var raw bool
	c := &cobra.Command{
		Use: "get RUN KEY", GroupID: groupLook,
		Short: "Show the value of a key",
		Long: `Shows the value of a key, as it is or as it was, as JSON. With --raw a text or bytes are written as
they are. A key that is absent is exit code 3.`,
		Example: `  inmem get latest goal
  inmem get latest goal --at 120
  inmem get latest picture --raw > picture.png`,
		Args: exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			return e.viewing(c.Context(), args[0], at, func(ctx context.Context, v *inmem.View) error {
				entry, err := keysOf(v, extension).GetVersioned(ctx, args[1])
				if err != nil {
					return err
				}
				if !entry.Exists {
					return advise(notFoundf("key %q does not exist at version %d", args[1], v.Version()),
						"inmem scan lists the keys, inmem history tells what a key was")
				}
				if raw {
					return e.writeRaw(entry.Value)
				}
				doc := keyDoc{
					Key: keyOf(args[1]), Value: entry.Value, Version: entry.Version,
					Written: entry.Written.UTC(), Expires: entry.Expires.UTC(),
				}
				return e.print(doc, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, e.indented(entry.Value))
					return err
				})
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "as it was at this version or time")
	c.Flags().StringVar(&extension, "extension", "", "a key of this extension")
	c.Flags().BoolVar(&raw, "raw", false, "write a text or bytes as they are, without a line end")
	return c
}

// keyspace is what has keys: a run, a view.
type keyspace interface {
	KV() inmem.KV
	Extension(name string) inmem.KV
}

// keysOf are the keys themselves, or those of an extension.
func keysOf(s keyspace, extension string) inmem.KV {
	if extension != "" {
		return s.Extension(extension)
	}
	return s.KV()
}

// writeRaw writes what is in a String or Bytes, and any other value as JSON.
func (e *env) writeRaw(v inmem.Value) error {
	text := v.String()
	if s, err := v.AsString(); err == nil {
		text = s
	} else if b, err := v.AsBytes(); err == nil {
		text = string(b)
	}
	_, err := io.WriteString(e.out, text)
	return err
}
