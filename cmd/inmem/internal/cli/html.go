package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
)

// htmlFlag adds --html to a command that can write its answer as a page.
func htmlFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "html", "",
		"also write a page to this file (- is the standard output): self-contained, with plots")
}

// answer prints a document as print does, and writes the page to a file if one is named. For people
// the page stands for the text then.
func (e *env) answer(doc any, file string, p func() *page.Page,
	text func(w io.Writer) error,
) error {
	if file == "" {
		return e.print(doc, text)
	}
	if file == "-" {
		if e.json {
			return usagef("--json and --html - would both write to the standard output")
		}
		return p().Write(e.out)
	}
	var b bytes.Buffer
	if err := p().Write(&b); err != nil {
		return err
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return advise(fmt.Errorf("write the page: %w", err), "name another file with --html")
	}
	return e.print(doc, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "wrote %s, %s: open it in a browser\n", file, show.Size(b.Len()))
		return err
	})
}
