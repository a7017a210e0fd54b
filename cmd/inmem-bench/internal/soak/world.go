package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// world is the database and what is known about it.
type world struct {
	path  string
	steps int // of a run, in the mean
	meter meter

	// mu is held for reading by whoever uses the database, and for writing to close and open it.
	// Nothing else is locked under it but tally.
	mu sync.RWMutex
	db *inmem.DB // guarded by mu

	old  ended
	told atomic.Uint64 // the newest version that the consumer was told

	tally tally
}

// ended are the ids of the runs that have ended, the oldest first.
type ended struct {
	mu  sync.Mutex
	ids []string // guarded by mu
}

// push adds a run, and takes out the oldest one if there are more than most.
func (e *ended) push(id string, most int) (oldest string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids = append(e.ids, id)
	if len(e.ids) > most {
		oldest, e.ids = e.ids[0], e.ids[1:]
	}
	return oldest
}

// Tally is what was done.
type Tally struct {
	Runs        uint64 `json:"runs"`
	Forks       uint64 `json:"forks"`
	Deleted     uint64 `json:"runs_deleted"`
	Commits     uint64 `json:"commits"`
	Reads       uint64 `json:"reads"`
	Past        uint64 `json:"views_of_the_past"`
	Pruned      uint64 `json:"views_pruned"`
	Searches    uint64 `json:"searches"`
	Told        uint64 `json:"commits_told_to_the_consumer"`
	Reopens     uint64 `json:"reopens"`
	Checkpoints uint64 `json:"checkpoints_verified"`
}

// tally is a Tally under way.
type tally struct {
	mu sync.Mutex
	n  Tally // guarded by mu
}

func (t *tally) add(fn func(*Tally)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn(&t.n)
}

func (t *tally) read() Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

const (
	// kept is how many commits of history a run keeps.
	kept = 100
	// keptRuns is how many runs that have ended stay.
	keptRuns = 48
	// retainEvery is how often retention looks.
	retainEvery = 5 * time.Second
)

// wrongf is an answer that is not what it must be.
func wrongf(format string, args ...any) error {
	return fmt.Errorf("wrong answer: "+format, args...)
}

// open opens the database. REQUIRES: mu, or nobody else knows the world.
func (w *world) open(ctx context.Context) error {
	d, err := inmem.Open(w.path, &inmem.Options{
		// Small budgets: what fills them is no drift, and is to be over when the warm-up is.
		MemoryBudget: 16 << 20, VectorMemory: 8 << 20, CacheSize: 8 << 20,
		RetentionInterval: retainEvery,
	})
	if err != nil {
		return err
	}
	w.db = d
	_, err = d.SetRetention(ctx, inmem.RetentionTarget{}, inmem.Keep{Commits: kept})
	return err
}

// with calls fn with the database, which stays open meanwhile.
func (w *world) with(fn func(*inmem.DB) error) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return fn(w.db)
}

// current is the database as it is now open: a reopening may close it at any moment.
func (w *world) current() *inmem.DB {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.db
}

// reopen closes the database and opens it again. What was published is there.
func (w *world) reopen(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.db.Version()
	if err := w.db.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := w.open(ctx); err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	if r := w.db.Recovery(); r.Version < before || !r.Clean {
		return wrongf("opened at version %d after a close at %d, clean: %v", r.Version, before, r.Clean)
	}
	w.tally.add(func(n *Tally) { n.Reopens++ })
	return nil
}

// checkpoint makes a copy, opens it beside the database, and verifies it.
func (w *world) checkpoint(ctx context.Context, to string) error {
	if err := w.with(func(d *inmem.DB) error {
		_, err := d.Checkpoint(ctx, to)
		return err
	}); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	copied, err := inmem.Open(to, nil)
	if err != nil {
		return fmt.Errorf("open a checkpoint: %w", err)
	}
	report, err := copied.Verify(ctx, inmem.VerifyOptions{})
	if err == nil && !report.Sound() {
		err = wrongf("a checkpoint has %d problems, the first one: %+v", report.Found, report.Problems[0])
	}
	if err = errors.Join(err, copied.Close()); err == nil {
		w.tally.add(func(n *Tally) { n.Checkpoints++ })
	}
	return err
}

// consume watches the events of all runs until ctx is done, or the database closes: then it is to
// be called again. Versions rise, those of a run one by one.
func (w *world) consume(ctx context.Context, d *inmem.DB, numbers map[string]uint64) error {
	o := inmem.WatchOptions{From: w.told.Load() + 1, Primitives: []inmem.Primitive{
		inmem.PrimitiveEvents}}
	for c, err := range d.Watch(ctx, o) {
		if errors.Is(err, inmem.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		if last := w.told.Load(); c.Version <= last {
			return wrongf("the consumer was told version %d after %d", c.Version, last)
		}
		w.told.Store(c.Version)
		if c.Deleted {
			delete(numbers, c.Run)
			continue
		}
		if last := numbers[c.Run]; last > 0 && c.Number != last+1 {
			return wrongf("the consumer was told commit %d of run %s after %d", c.Number, c.Run, last)
		}
		numbers[c.Run] = c.Number
		w.tally.add(func(n *Tally) { n.Told++ })
	}
	return nil
}
