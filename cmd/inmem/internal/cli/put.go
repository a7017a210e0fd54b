package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// writtenDoc is what a write says.
type writtenDoc struct {
	Run     string      `json:"run"`
	Key     inmem.Value `json:"key"`
	Version uint64      `json:"version,omitempty"`
	Existed *bool       `json:"existed,omitempty"`
}

// putFlags say what is put, and how.
type putFlags struct {
	file, extension string
	bytes, text     bool
	ttl             string
	expect          int64
}

func newPutCommand(e *env) *cobra.Command {
	var f putFlags
	c := &cobra.Command{
		Use: "put RUN KEY [VALUE]", GroupID: groupWrite,
		Short: "Write a key",
		Long: `Writes a key of an active run. The value is JSON if it can be read as such, else text; --text takes
it as text, --bytes as bytes, --file from a file or, as -, from the standard input. JSON is that of
inmem get: {"$bytes": "..."} stands for bytes.

With --if-version the write only happens if the key's version is still that; 0 means that it never
existed. Otherwise it is exit code 4.`,
		Example: `  inmem put latest goal "book a flight"
  inmem put latest budget '{"amount": 150, "currency": "EUR"}'
  inmem put latest picture --file picture.png --bytes
  inmem put latest lock mine --ttl 30s --if-version 0`,
		Args: between(2, 3),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := e.input(args[2:], &f)
			if err != nil {
				return err
			}
			var ttl time.Duration
			if f.ttl != "" {
				if ttl, err = parseDuration(f.ttl); err != nil {
					return err
				}
			}
			if ttl != 0 && f.expect >= 0 {
				return usagef("put: --ttl and --if-version exclude each other")
			}
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				run, err := e.run(ctx, db, args[0])
				if err != nil {
					return err
				}
				keys, doc := keysOf(run, f.extension), writtenDoc{Run: run.ID(), Key: keyOf(args[1])}
				switch {
				case f.expect >= 0:
					doc.Version, err = keys.CAS(ctx, args[1], uint64(f.expect), v)
				case ttl != 0:
					doc.Version, err = keys.PutWithTTL(ctx, args[1], v, ttl)
				default:
					doc.Version, err = keys.Put(ctx, args[1], v)
				}
				if err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "put %q at version %d\n", args[1], doc.Version)
					return err
				})
			})
		},
	}
	c.Flags().StringVar(&f.file, "file", "", "take the value from a file; - is the standard input")
	c.Flags().BoolVar(&f.bytes, "bytes", false, "the value is bytes")
	c.Flags().BoolVar(&f.text, "text", false, "the value is text, even if it looks like JSON")
	c.Flags().StringVar(&f.ttl, "ttl", "", "the key expires after this time")
	c.Flags().StringVar(&f.extension, "extension", "", "write a key of this extension")
	c.Flags().Int64Var(&f.expect, "if-version", -1, "only if the key's version is this")
	c.Flags().Lookup("if-version").DefValue = ""
	return c
}

// mostInput bounds what is read of a file. It is more than any value may have, also as JSON with
// escapes, so that the library says what is too large.
const mostInput = 256 << 20

// input is the value that a command line gives.
func (e *env) input(args []string, f *putFlags) (inmem.Value, error) {
	if (len(args) == 1) == (f.file != "") {
		return inmem.Value{}, usagef("put: give a VALUE, or a --file")
	}
	if f.bytes && f.text {
		return inmem.Value{}, usagef("put: --bytes and --text exclude each other")
	}
	text := ""
	if len(args) == 1 {
		text = args[0]
	} else {
		r, err := e.openInput(f.file)
		if err != nil {
			return inmem.Value{}, err
		}
		data, err := io.ReadAll(io.LimitReader(r, mostInput))
		if err = errors.Join(err, r.Close()); err != nil {
			return inmem.Value{}, err
		}
		text = string(data)
	}
	switch {
	case f.bytes:
		return inmem.Bytes([]byte(text)), nil
	case f.text:
		return inmem.String(text), nil
	}
	return e.value(text)
}

func newDeleteCommand(e *env) *cobra.Command {
	var extension string
	c := &cobra.Command{
		Use: "delete RUN KEY", GroupID: groupWrite,
		Short: "Delete a key",
		Long: `Deletes a key of an active run. What it was stays in the history of the run. A key that is absent
is exit code 3.`,
		Example: `  inmem delete latest goal`,
		Args:    exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				run, err := e.run(ctx, db, args[0])
				if err != nil {
					return err
				}
				existed, err := keysOf(run, extension).Delete(ctx, args[1])
				if err != nil {
					return err
				}
				if !existed {
					return advise(notFoundf("key %q does not exist", args[1]), "inmem scan lists the keys")
				}
				doc := writtenDoc{Run: run.ID(), Key: keyOf(args[1]), Existed: &existed}
				return e.print(doc, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "deleted %q\n", args[1])
					return err
				})
			})
		},
	}
	c.Flags().StringVar(&extension, "extension", "", "a key of this extension")
	return c
}
