// Command memory is an agent's long-term memory: facts with embeddings, found by what they are
// about, changed in transactions, and looked up as they were yesterday. The embeddings are hashes
// of words, so it needs no network, no model and no key.
//
//	go run ./examples/memory
//
//	embed.go    a text becomes a vector
//	memory.go   remember, forget, recall: the same in a run, in a transaction and in a view
//	main.go     two days of an assistant
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

func main() {
	if err := start(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

// start reads the flags and does everything in a database of its own.
func start(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("memory", flag.ContinueOnError)
	dir := flags.String("dir", "", "the database's `directory` (default: a new temporary one)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "inmem-memory-"); err != nil {
			return err
		}
	}
	d, err := inmem.Open(*dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return live(ctx, d, out)
}

// learned is what the assistant hears on the first day.
var learned = []fact{
	{"ada/home", "ada", "place", "Ada lives in Zurich, near the lake"},
	{"ada/work", "ada", "place", "Ada works at the university library"},
	{"ada/seat", "ada", "travel", "Ada wants a window seat on flights"},
	{"ada/food", "ada", "food", "Ada eats no meat and loves mushrooms"},
	{"ada/budget", "ada", "travel", "Ada spends at most 150 francs on a flight"},
	{"bob/home", "bob", "place", "Bob lives in Zurich too, above a bakery"},
	{"bob/seat", "bob", "travel", "Bob wants an aisle seat on flights"},
	{"bob/food", "bob", "food", "Bob is allergic to nuts"},
}

// live goes through two days, and looks back from the second to the first.
func live(ctx context.Context, d *inmem.DB, out io.Writer) error {
	run, err := d.BeginRun(ctx, inmem.RunOptions{Agent: "assistant"})
	if err != nil {
		return err
	}
	options := inmem.CollectionOptions{Dim: dimensions, Metric: inmem.Cosine}
	if _, err := run.Vectors(facts).Create(ctx, options); err != nil {
		return err
	}
	for _, f := range learned {
		if err := remember(ctx, run, f); err != nil {
			return err
		}
	}
	evening := d.Version()
	fmt.Fprintf(out, "The first day: %d facts.\n", len(learned))
	ada := vector.Eq("who", "ada")
	travel := vector.And(ada, vector.Eq("about", "travel"))
	if err := ask(ctx, run, out, "which seat on a flight?", travel); err != nil {
		return err
	}
	if err := ask(ctx, run, out, "who lives in Zurich?", nil); err != nil {
		return err
	}

	fmt.Fprintln(out, "\nThe second day: Ada has moved.")
	if err := move(ctx, run, out, "Ada lives in Lisbon, high up in Alfama"); err != nil {
		return err
	}

	yesterday, err := run.At(ctx, evening)
	if err != nil {
		return err
	}
	defer func() { _ = yesterday.Close() }() // nothing was written through it
	const question = "where does Ada live?"
	fmt.Fprintln(out, "\nNow:")
	if err := ask(ctx, run, out, question, ada); err != nil {
		return err
	}
	fmt.Fprintln(out, "Yesterday evening:")
	return ask(ctx, yesterday, out, question, ada)
}

// errUnsure keeps the assistant from replacing what it did not find.
var errUnsure = errors.New("nothing is known of a home")

// move replaces the fact that is nearest to what was heard: found, replaced, the change told in the
// event log, and what follows from it forgotten, or nothing of it. A search in the transaction sees
// what the transaction wrote; another one that changes the same fact would conflict.
func move(ctx context.Context, run *inmem.Run, out io.Writer, heard string) error {
	var said bytes.Buffer
	_, err := run.Update(ctx, func(tx *inmem.Tx) error {
		said.Reset() // after a conflict everything is done once more
		places := vector.And(vector.Eq("who", "ada"), vector.Eq("about", "place"))
		found, err := recall(ctx, tx, heard, 1, places)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return errUnsure
		}
		old := found[0]
		if err := remember(ctx, tx, fact{old.ID, "ada", "place", heard}); err != nil {
			return err
		}
		if err := forget(ctx, tx, "ada/work"); err != nil {
			return err
		}
		event, err := inmem.ValueOf(map[string]any{"was": textOf(old), "is": heard})
		if err != nil {
			return err
		}
		if _, err := tx.Events().Append(ctx, "learned", event); err != nil {
			return err
		}
		fmt.Fprintf(&said, "  replaced %q\n  in the same transaction:\n", textOf(old))
		return ask(ctx, tx, &said, "places of Ada", places)
	})
	if err != nil {
		return err
	}
	_, err = said.WriteTo(out)
	return err
}

// ask prints the two facts that come nearest to a question.
func ask(ctx context.Context, s scope, out io.Writer, question string, f *vector.Filter) error {
	hits, err := recall(ctx, s, question, 2, f)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  %s\n", question)
	for _, h := range hits {
		fmt.Fprintf(out, "    %.2f  %s\n", h.Score, textOf(h))
	}
	return nil
}
