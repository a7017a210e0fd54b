package soak

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/inmem-db/inmem/cmd/internal/show"
)

const usage = `inmem-bench soak keeps a database at work and looks whether anything drifts:
throughput, latency, memory, goroutines, descriptors, disk. Every answer is compared with what it
must be.

usage: inmem-bench soak [flags]

exit codes: 0 all right, 1 a wrong answer, a failure or a drift, 2 wrong flags
Ctrl-C ends it early and reports what there is.

flags:
`

// flags are those of the command.
type flags struct {
	o          Options
	json, html string
	quiet      bool
}

func (f *flags) set() *flag.FlagSet {
	fs := flag.NewFlagSet("inmem-bench soak", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.DurationVar(&f.o.For, "for", time.Hour, "how `long`")
	fs.StringVar(&f.o.Dir, "dir", "", "an existing `directory` for the database, which is removed "+
		"again")
	fs.IntVar(&f.o.Agents, "agents", 4, "the `number` of runs that go on at once")
	fs.IntVar(&f.o.Steps, "steps", 1500, "the `number` of commits of a run, in the mean")
	fs.Uint64Var(&f.o.Seed, "seed", 1, "the `seed` of all choices")
	fs.DurationVar(&f.o.Reopen, "reopen", 3*time.Minute, "how `often` the database is opened again")
	fs.DurationVar(&f.o.Checkpoint, "checkpoint", 2*time.Minute, "how `often` a checkpoint is made")
	fs.DurationVar(&f.o.Sample, "sample", time.Second, "how `often` a sample is taken")
	fs.StringVar(&f.json, "json", "", "write samples and verdicts as JSON to a `file`")
	fs.StringVar(&f.html, "html", "", "write a page with a picture of every figure to a `file`")
	fs.BoolVar(&f.quiet, "quiet", false, "show no progress")
	return fs
}

// check refuses what makes no sense.
func (f *flags) check(rest []string) error {
	switch o := &f.o; {
	case len(rest) > 0:
		return fmt.Errorf("%q is not a flag", rest[0])
	case o.For <= 0 || o.Reopen <= 0 || o.Checkpoint <= 0 || o.Sample <= 0:
		return errors.New("-for, -reopen, -checkpoint and -sample must be above 0")
	case o.Agents < 1 || o.Agents > 1000 || o.Steps < 2 || o.Steps > 1e6:
		return fmt.Errorf("-agents is %d, expected 1 to 1000; -steps %d, expected 2 to 1000000",
			o.Agents, o.Steps)
	}
	return nil
}

// Main runs the command and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var f flags
	fs := f.set()
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return 0
	}
	if err == nil {
		err = f.check(fs.Args())
	}
	if err != nil {
		fmt.Fprintf(stderr, "inmem-bench soak: %v\ninmem-bench soak -h explains the flags\n", err)
		return 2
	}
	if err := f.run(ctx, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "inmem-bench soak: %v\n", err)
		return 1
	}
	return 0
}

// run does what the flags say.
func (f *flags) run(ctx context.Context, stdout, stderr io.Writer) error {
	if !f.quiet {
		f.o.Progress = progress(stderr)
	}
	r, err := Run(ctx, f.o)
	if !f.quiet {
		fmt.Fprintln(stderr)
	}
	if err != nil {
		return err
	}
	err = errors.Join(r.Table(stdout, show.StyleOf(stdout)), toFile(f.json, r.JSON),
		toFile(f.html, r.HTML))
	return errors.Join(err, r.Drifts())
}

// progress shows a line of what goes on, over and over.
func progress(w io.Writer) func(Sample, Tally) {
	if !show.IsTerminal(w) {
		return nil
	}
	return func(s Sample, n Tally) {
		fmt.Fprintf(w, "\r%8v  %s commits/s, p99 %s, heap %s, disk %s, %s runs   ",
			(time.Duration(s.Seconds) * time.Second), show.Rate(s.Commits), ofMicros(s.CommitP99),
			ofBytes(s.Heap), ofBytes(s.Disk), show.Grouped(n.Runs))
	}
}

// toFile writes to a file, if one is named.
func toFile(path string, print func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(print(f), f.Close())
}
