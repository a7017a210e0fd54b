package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Options say what to do.
type Options struct {
	// For is how long.
	For time.Duration
	// Dir is a directory for the database and its checkpoints, which are removed again.
	Dir string
	// Agents is how many runs go on at once, Steps how long one is, in the mean. Long ones have past
	// that retention removes, short ones are begun and deleted often.
	Agents, Steps int
	// Seed is that of all choices. What happens at once happens in another order each time.
	Seed uint64
	// Reopen and Checkpoint are how often. Sample is how often a sample is taken.
	Reopen, Checkpoint, Sample time.Duration
	// Progress, if not nil, is called with every sample.
	Progress func(Sample, Tally)
}

// Report is what happened.
type Report struct {
	Options   Options
	Began     time.Time
	Length    time.Duration
	Tally     Tally
	Samples   []Sample
	Directory string
}

// Run keeps a database at work. The error is the first wrong answer or failure; what was measured
// until then is in the report. That ctx is done ends the soak early, and is no error.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	dir, err := os.MkdirTemp(o.Dir, "inmem-soak-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := &world{path: filepath.Join(dir, "db"), steps: o.Steps}
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	r := &Report{Options: o, Began: time.Now()}
	ctx, cancel := context.WithTimeoutCause(ctx, o.For, nil)
	defer cancel()
	c := crew{ctx: ctx, cancel: cancel, w: w, o: &o}
	for i := range o.Agents {
		a := &agent{w: w, r: rand.New(rand.NewPCG(o.Seed, uint64(i))), name: fmt.Sprintf("agent %d", i)}
		c.start(func() error { return a.live(ctx) })
	}
	c.start(c.follow)
	c.start(func() error { return c.every(o.Reopen, func() error { return w.reopen(ctx) }) })
	c.start(func() error {
		return c.every(o.Checkpoint, func() error {
			to := filepath.Join(dir, "checkpoint")
			return errors.Join(w.checkpoint(ctx, to), os.RemoveAll(to))
		})
	})
	r.Samples = c.sample(r.Began)
	err = c.wait()
	r.Length, r.Tally = time.Since(r.Began), w.tally.read()
	if err == nil {
		err = w.last(context.WithoutCancel(ctx))
	}
	return r, errors.Join(err, w.db.Close())
}

// last verifies what is there at the end.
func (w *world) last(ctx context.Context) error {
	report, err := w.db.Verify(ctx, inmem.VerifyOptions{})
	if err == nil && !report.Sound() {
		err = wrongf("there are %d problems at the end, the first one: %+v", report.Found,
			report.Problems[0])
	}
	return err
}

// crew are the goroutines of a soak.
type crew struct {
	ctx    context.Context
	cancel context.CancelFunc
	w      *world
	o      *Options

	work  sync.WaitGroup
	once  sync.Once
	fault error // the first one
}

// start runs fn. Its error ends the soak, unless it is only that the time is over.
func (c *crew) start(fn func() error) {
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		if err := fn(); err != nil && !c.over(err) {
			c.fail(err)
		}
	}()
}

// fail ends the soak with an error, if it is the first.
func (c *crew) fail(err error) {
	c.once.Do(func() { c.fault = err })
	c.cancel()
}

// over tells whether an error is the end of the soak.
func (c *crew) over(err error) bool {
	ended := errors.Is(err, inmem.ErrTimeout) || errors.Is(err, inmem.ErrCanceled) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	return ended && c.ctx.Err() != nil
}

func (c *crew) wait() error {
	c.work.Wait()
	return c.fault
}

// every calls fn after every so much time.
func (c *crew) every(pause time.Duration, fn func() error) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return nil
		case <-tick.C:
			if err := fn(); err != nil {
				return err
			}
		}
	}
}

// follow is the consumer: it goes on from where it was when the database is opened again.
func (c *crew) follow() error {
	numbers := map[string]uint64{}
	for c.ctx.Err() == nil {
		if err := c.w.consume(c.ctx, c.w.current(), numbers); err != nil {
			return err
		}
	}
	return nil
}

// sample takes samples until the end.
func (c *crew) sample(began time.Time) (all []Sample) {
	tick := time.NewTicker(c.o.Sample)
	defer tick.Stop()
	last := began
	for {
		select {
		case <-c.ctx.Done():
			return all
		case <-tick.C:
		}
		if time.Since(last) < c.o.Sample/2 {
			continue // the tick before it came late: too short a time for a rate
		}
		s, err := c.w.meter.measure(c.w.path, time.Since(last))
		if err != nil {
			c.fail(fmt.Errorf("size of the database: %w", err))
			return all
		}
		last = time.Now()
		s.Seconds = last.Sub(began).Seconds()
		n := c.w.tally.read()
		s.Runs, s.Deleted = float64(n.Runs+n.Forks-n.Deleted), float64(n.Deleted)
		all = append(all, s)
		if c.o.Progress != nil {
			c.o.Progress(s, n)
		}
	}
}
