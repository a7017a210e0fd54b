// Package cli is the command line of inmem-bench: it reads the flags, runs what was asked for, and
// hands the results to the reports.
package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/machine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/report"
)

// Exit codes.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 130
)

// errStopped is the cause of a context that the user's signal ended.
var errStopped = errors.New("stopped")

// Main runs the command and returns the exit code: 0, 1 for a wrong answer or a failure, 2 for
// wrong flags, 130 when stopped by a signal. A second signal ends the process at once.
func Main(args []string, stdout, stderr io.Writer, p Program) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			cancel(errStopped)
		case <-ctx.Done():
		}
	}()
	return run(ctx, args, stdout, stderr, p)
}

// Program is what one command measures.
type Program struct {
	// Name is the command's, as people call it.
	Name string
	// Systems are measured; the first one is ours, and names the workloads.
	Systems []measure.System
	// Default is the selection of workloads when none is asked for.
	Default string
}

// run is Main without the signals.
func run(ctx context.Context, args []string, stdout, stderr io.Writer,
	p Program) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return usageError(stderr, err)
	}
	if o.bars != "" {
		return outcome(stderr, printBars(o.bars, stdout))
	}
	if o.workloads == "" {
		o.workloads = p.Default
	}
	plan := measure.Plan(p.Systems, o.config)
	if o.workloads == "list" {
		if err := list(stdout, plan); err != nil {
			return failure(stderr, err)
		}
		return 0
	}
	if o.guard != "" {
		return outcome(stderr, guarded(ctx, o, plan, stdout, stderr))
	}
	if plan, err = choose(plan, o.workloads, o.long); err != nil {
		return usageError(stderr, err)
	}
	if o.short {
		plan = slices.DeleteFunc(plan, func(c measure.Case) bool { return c.Long })
	}
	r, err := execute(ctx, o, plan, stderr)
	if r != nil && len(r.Results) > 0 {
		r.Command = append([]string{p.Name}, args...)
		if err != nil {
			r.Ended = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		err = errors.Join(err, write(o, r, stdout, stderr))
	}
	return outcome(stderr, err)
}

// printBars prints the tables of bars of reports that were saved.
func printBars(paths string, stdout io.Writer) error {
	var saved []io.Reader
	for path := range strings.SplitSeq(paths, ",") {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		saved = append(saved, bytes.NewReader(text))
	}
	if err := report.Bars(stdout, saved, report.StyleOf(stdout)); err != nil {
		return fmt.Errorf("%s: %w", paths, err)
	}
	return nil
}

// outcome says what went wrong, if anything did, and is the exit code.
func outcome(stderr io.Writer, err error) int {
	if errors.Is(err, errStopped) {
		fmt.Fprintln(stderr, "inmem-bench: stopped; the databases are removed")
		return exitStopped
	}
	if err != nil {
		return failure(stderr, err)
	}
	return 0
}

// The messages go where the user reads them; that writing them fails is not worth a message.
func usageError(w io.Writer, err error) int {
	fmt.Fprintf(w, "inmem-bench: %v\ninmem-bench -h explains the flags\n", err)
	return exitUsage
}

func failure(w io.Writer, err error) int {
	fmt.Fprintf(w, "inmem-bench: %v\n", err)
	return exitFailed
}

// execute measures the plan in a directory that is gone afterwards.
func execute(ctx context.Context, o *options, plan []measure.Case, stderr io.Writer) (
	_ *report.Report, err error) {
	// Files that cannot be written are found out now, not after the work.
	for _, path := range []string{o.json, o.gobench, o.html, o.memProfile} {
		if err := touch(path); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(o.dir, "inmem-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stop, err := startProfile(o.cpuProfile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	r := &report.Report{
		Machine: machine.This(dir), Config: o.config, Started: time.Now(),
		Repeats: o.repeats, Length: o.time / time.Duration(o.repeats),
	}
	runner := measure.Runner{Repeats: r.Repeats, Length: r.Length, Dir: dir}
	if !o.quiet {
		p := report.NewProgress(stderr)
		runner.Progress = p.Step
		defer p.Done()
	}
	r.Results, err = runner.Run(ctx, plan)
	r.Elapsed = time.Since(r.Started)
	return r, err
}

// touch makes sure that a file can be written, if one is named.
func touch(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	return f.Close()
}

// startProfile profiles the processor until stop is called, if a file is named.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// write prints the report in all forms that were asked for.
func write(o *options, r *report.Report, stdout, stderr io.Writer) error {
	people := stdout
	if o.json == "-" || o.gobench == "-" {
		people = stderr
	}
	style := report.StyleOf(people)
	if err := r.Table(people, style); err != nil {
		return err
	}
	if err := r.Comparison(people, style); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(people); err != nil {
		return err
	}
	if err := r.Summary(people, style); err != nil {
		return err
	}
	if err := toFile(o.json, stdout, r.JSON); err != nil {
		return err
	}
	if err := toFile(o.gobench, stdout, r.GoBench); err != nil {
		return err
	}
	if err := toFile(o.html, stdout, r.HTML); err != nil {
		return err
	}
	return toFile(o.memProfile, stdout, func(w io.Writer) error {
		runtime.GC() // a profile is complete up to the last collection
		return pprof.Lookup("allocs").WriteTo(w, 0)
	})
}

// toFile writes to a file, to the standard output for "-", or nowhere without a name.
func toFile(path string, stdout io.Writer, print func(io.Writer) error) error {
	switch path {
	case "":
		return nil
	case "-":
		return print(stdout)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(print(f), f.Close())
}
