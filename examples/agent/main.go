// Command agent is a small agent whose every step is a transaction of in-mem: it plans, calls
// tools, reflects and finishes. Its model and tools are local functions, so it needs no network and
// no key.
//
//	go run ./examples/agent
//
// Kill it in the middle, also with kill -9, and start it again with the command that it printed: it
// goes on where it was, and does no step twice.
//
//	agent.go   the loop: one transaction per step, and how a run is taken up again
//	model.go   what stands for a language model
//	tools.go   what it can call
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := start(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

// start reads the flags and lets the agent work until it is done.
func start(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	dir := flags.String("dir", "", "the database's `directory` (default: a new temporary one)")
	id := flags.String("run", "", "the `id` of a run to go on with (default: a new run)")
	goal := flags.String("goal", "a cheap flight from Zurich to Lisbon", "what the agent is to find")
	pace := flags.Duration("pace", 40*time.Millisecond, "how `long` a tool takes")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "inmem-agent-"); err != nil {
			return err
		}
	}
	d, err := inmem.Open(*dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	a, err := take(ctx, d, *id, *goal)
	if err != nil {
		return err
	}
	a.out, a.tools = out, tools(*pace)
	fmt.Fprintf(out, "run %s\nresume with: go run ./examples/agent -dir %s -run %s\n\n",
		a.run.ID(), *dir, a.run.ID())
	if err := a.work(ctx); err != nil {
		return err
	}
	return a.report(ctx)
}
