package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

const (
	stops   = 30
	notes   = 40
	noteLen = 64 << 10
	workers = 4
)

// bestOf is one best-of-n.
type bestOf struct {
	d    *inmem.DB
	dir  string
	out  io.Writer
	task *inmem.Run
}

// play explores, and returns the id of the winner.
func (b *bestOf) play(ctx context.Context, n int) (string, error) {
	if err := b.prepare(ctx); err != nil {
		return "", err
	}
	forks, err := b.fork(ctx, n)
	if err != nil {
		return "", err
	}
	winner, length, err := b.best(ctx, forks)
	if err != nil {
		return "", err
	}
	p, err := b.d.Promote(ctx, winner, inmem.PromoteOptions{})
	if err != nil {
		return "", err
	}
	err = b.say("promoted %s with a round of %.1f, deleted %d others", winner.ID(), length, p.Losers)
	if err != nil {
		return "", err
	}
	// It would come back by itself in the course of time.
	if _, err := b.d.Reclaim(ctx); err != nil {
		return "", err
	}
	return winner.ID(), b.say("their space was given back; what is left over are files of the log")
}

// prepare begins the run that knows the task.
func (b *bestOf) prepare(ctx context.Context) (err error) {
	if b.task, err = b.d.BeginRun(ctx, inmem.RunOptions{Agent: "planner"}); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, stops))
	var where []point
	for range stops {
		where = append(where, point{X: rng.Float64() * 100, Y: rng.Float64() * 100})
	}
	if _, err := inmem.Put(ctx, b.task.KV(), "stops", where); err != nil {
		return err
	}
	note := make([]byte, noteLen)
	for i := range notes {
		for j := range note {
			note[j] = byte(rng.Uint32())
		}
		key := fmt.Sprintf("note/%02d", i)
		if _, err := b.task.KV().Put(ctx, key, inmem.Bytes(note)); err != nil {
			return err
		}
	}
	if _, err := b.task.Events().Append(ctx, "task", inmem.String("the shortest round")); err != nil {
		return err
	}
	if err := b.d.Flush(ctx); err != nil {
		return err
	}
	return b.say("the task: %d stops, %d notes", stops, notes)
}

// fork forks the task, and lets all forks explore at the same time.
func (b *bestOf) fork(ctx context.Context, n int) ([]*inmem.Run, error) {
	began := time.Now()
	forks := make([]*inmem.Run, n)
	for i := range forks {
		var err error
		if forks[i], err = b.task.Fork(ctx, inmem.ForkOptions{Tags: []string{"explorer"}}); err != nil {
			return nil, err
		}
	}
	each := time.Since(began) / time.Duration(n)
	if err := b.say("%d forks, %v each", n, each.Round(time.Microsecond)); err != nil {
		return nil, err
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = explore(ctx, forks[i], rand.New(rand.NewPCG(uint64(i), 2)))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if err := b.d.Flush(ctx); err != nil {
		return nil, err
	}
	return forks, b.say("all have explored")
}

// best is the fork with the shortest round.
func (b *bestOf) best(ctx context.Context, forks []*inmem.Run) (*inmem.Run, float64, error) {
	var winner *inmem.Run
	least := 0.0
	for _, f := range forks {
		found, err := inmem.CellOf[round](f, "best").Get(ctx)
		if err != nil {
			return nil, 0, err
		}
		if winner == nil || found.Value.Length < least {
			winner, least = f, found.Value.Length
		}
	}
	return winner, least, nil
}

// report shows that the winner is a run like any other, with all that it was forked from.
func (b *bestOf) report(ctx context.Context, id string) error {
	if err := b.say("closed and opened again"); err != nil {
		return err
	}
	winner, err := b.d.Run(ctx, id)
	if err != nil {
		return err
	}
	keys, err := winner.KV().Count(ctx, inmem.ScanOptions{Prefix: "note/"})
	if err != nil {
		return err
	}
	chain, err := winner.Events().Verify(ctx)
	if err != nil {
		return err
	}
	info, err := winner.Info(ctx)
	if err != nil {
		return err
	}
	left, err := b.d.Runs().Count(ctx, inmem.RunQuery{})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "the winner reads %d notes of its parent %s as of version %d,\n"+
		"and its log goes on from there: %d events, chain valid: %v. Runs in the database: %d.\n",
		keys, info.Parent, info.ForkVersion, chain.Length, chain.Valid, left)
	return nil
}
