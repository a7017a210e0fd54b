// Command bestof lets a hundred forks of one run try the same task, each in its own way and all at
// the same time, keeps the best one and deletes the rest.
//
//	go run ./examples/bestof
//
// The task is the shortest round through some stops. What all forks have in common, the stops and a
// few megabytes of notes, is written once, into the run that they are forked from; a fork costs the
// same whatever that one holds. The program prints the size of the database at every stage.
//
//	bestof.go   the task, the forks, the promotion
//	round.go    how one fork explores
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := start(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bestof:", err)
		os.Exit(1)
	}
}

// start reads the flags, and runs all stages.
func start(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bestof", flag.ContinueOnError)
	dir := flags.String("dir", "", "the database's `directory` (default: a temporary one)")
	forks := flags.Int("forks", 100, "how `many` forks explore")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "inmem-bestof-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*dir)) }()
	}
	b := &bestOf{dir: *dir, out: out}
	winner := ""
	err = b.open(func() (err error) {
		winner, err = b.play(ctx, *forks)
		return err
	})
	if err != nil {
		return err
	}
	return b.open(func() error { return b.report(ctx, winner) })
}

// open opens the database for a function.
func (b *bestOf) open(fn func() error) (err error) {
	if b.d, err = inmem.Open(b.dir, nil); err != nil {
		return err
	}
	return errors.Join(fn(), b.d.Close())
}

// size is how many bytes the directory holds.
func size(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return ignoreGone(err)
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return ignoreGone(err)
	})
	return total, err
}

// ignoreGone: the database deletes files while the directory is walked.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// say prints a line with the size of the database in front.
func (b *bestOf) say(format string, args ...any) error {
	n, err := size(b.dir)
	fmt.Fprintf(b.out, "%7.1f MB  %s\n", float64(n)/1e6, fmt.Sprintf(format, args...))
	return err
}
