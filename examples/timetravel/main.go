// Command timetravel lets an agent do one task twice from the same point, and shows when and why
// the two attempts parted: both are forks of one run, the second one with another belief in its
// memory. Its tools are local functions, so it needs no network and no key.
//
//	go run ./examples/timetravel
//
//	agent.go   the agent: one transaction per step
//	main.go    the forks, the comparison, and the look at the state just before
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func main() {
	if err := start(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "timetravel:", err)
		os.Exit(1)
	}
}

// start reads the flags and does everything in a database of its own.
func start(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("timetravel", flag.ContinueOnError)
	dir := flags.String("dir", "", "the database's `directory` (default: a new temporary one)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "inmem-timetravel-"); err != nil {
			return err
		}
	}
	d, err := inmem.Open(*dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return travel(ctx, d, out)
}

// travel does the common part of the task, forks, lets both forks finish, and compares them.
func travel(ctx context.Context, d *inmem.DB, out io.Writer) error {
	trunk, err := d.BeginRun(ctx, inmem.RunOptions{Agent: "booker", Tags: []string{"trunk"}})
	if err != nil {
		return err
	}
	if err := prepare(ctx, trunk); err != nil {
		return err
	}
	here := d.Version()
	first, err := trunk.Fork(ctx, inmem.ForkOptions{At: here, Tags: []string{"first"}})
	if err != nil {
		return err
	}
	second, err := trunk.Fork(ctx, inmem.ForkOptions{At: here, Tags: []string{"second"}})
	if err != nil {
		return err
	}
	// What if the budget were larger? Nobody but this fork will see it.
	if _, err := second.KV().Put(ctx, "budget", inmem.Int(250)); err != nil {
		return err
	}
	for _, run := range []*inmem.Run{first, second} {
		if err := finish(ctx, run); err != nil {
			return err
		}
	}
	return compare(ctx, d, first, second, out)
}

// compare says when two runs parted, shows both as they were just before, and then everything.
func compare(ctx context.Context, d *inmem.DB, a, b *inmem.Run, out io.Writer) error {
	diff, err := d.Diff(ctx, inmem.Point{Run: a}, inmem.Point{Run: b}, inmem.DiffOptions{})
	if err != nil {
		return err
	}
	at := diff.First
	if at == nil {
		_, err = fmt.Fprintln(out, "both did the same")
		return err
	}
	fmt.Fprintf(out, "They parted after %d common events, the last one a %s (%s).\n\n",
		at.Position, at.LastA.Type, at.LastA.Name)
	if err := lookBack(ctx, "a", a, at.VersionA, out); err != nil {
		return err
	}
	if err := lookBack(ctx, "b", b, at.VersionB, out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return diff.WriteText(out, inmem.DiffTextOptions{})
}

// lookBack shows a run as it was at a version: its memory, and how far it had come.
func lookBack(ctx context.Context, name string, run *inmem.Run, version uint64, out io.Writer,
) (err error) {
	then, err := run.At(ctx, version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, then.Close()) }()
	fmt.Fprintf(out, "%s just before, at version %d:\n", name, version)
	for pair, err := range then.KV().Scan(ctx, inmem.ScanOptions{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s = %v\n", pair.Key, pair.Value)
	}
	phase, err := inmem.CellOf[string](then, "phase").Load(ctx)
	if err != nil {
		return err
	}
	n, err := then.Events().Len(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "  phase %s, %d events\n", phase.Value, n)
	return err
}
