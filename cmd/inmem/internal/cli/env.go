package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/inmem-db/inmem/cmd/internal/show"
)

// env is what commands work with: where they read and write, the flags that all of them have, the
// clock. Tests fill in their own.
type env struct {
	in     io.Reader
	stdout io.Writer
	err    io.Writer
	now    func() time.Time
	zone   *time.Location // of times that people read and write

	dir   string // --db; what is there before the flags are read is the default
	json  bool   // --json
	plain bool   // --no-color
	full  bool   // --full: values are not cut off
	began bool   // a command was found, and its flags are right

	copied int // the process whose checkpoint is looked at, once that was said; else 0

	out *bufio.Writer // over stdout; flushed at the end, and by stream
}

// execute runs a command line.
func (e *env) execute(ctx context.Context, args []string) int {
	e.out = bufio.NewWriter(e.stdout)
	e.in = &interruptible{ctx: ctx, r: e.in}
	root := newRoot(e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !e.began {
		err = &advised{err: err, code: exitUsage}
	}
	if err == nil || !isBrokenPipe(err) {
		err = errors.Join(err, e.out.Flush())
	}
	return e.finish(ctx, err)
}

// style says whether output is coloured.
func (e *env) style() show.Style {
	if e.plain || e.json {
		return show.Style{}
	}
	return show.StyleOf(e.stdout)
}

// terminal says whether progress may be drawn: on e.err, which is a terminal, for people.
func (e *env) terminal() bool { return !e.json && show.IsTerminal(e.err) }

// print writes one document: as JSON if that was asked for, else as text writes it.
func (e *env) print(doc any, text func(w io.Writer) error) error {
	if !e.json {
		return text(e.out)
	}
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// stream writes one document of many, as a line of JSON if that was asked for, and lets it be seen
// at once.
func (e *env) stream(doc any, text func(w io.Writer) error) error {
	if e.json {
		return errors.Join(e.encode(doc), e.out.Flush())
	}
	return errors.Join(text(e.out), e.out.Flush())
}

// encode writes a document as a line of JSON.
func (e *env) encode(doc any) error {
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}
