package footprint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// thing is something of which many are held at once.
type thing struct {
	name, about string
	n           int
	// prepare makes what has to be there before, open one thing; what it returns is held, and
	// closed in the end. Either may be nil.
	prepare func(ctx context.Context, w *world, n int) error
	open    func(ctx context.Context, w *world, i int) (held any, close func() error, err error)
	// check looks at what is there, when all are open.
	check func(ctx context.Context, w *world, n int) error
}

func (m *maker) memory() []measure.Workload {
	var all []measure.Workload
	for _, t := range []thing{
		{"key", "a key of 40 bytes with 100 bytes", 100_000, nil, putKeys, lastKey},
		{"begun_run", "a run that was begun, and its handle", 4000, nil, beginRun, countRuns},
		{"found_run", "a handle of a run that was there", 4000, beginRuns, findRun, nil},
		{"view", "an open view", 4000, nil, openView, nil},
		{"transaction", "an open transaction that has read and written one key", 4000, nil,
			openTx, nil},
		{"watch", "a watch that waits, with its goroutine", 500, nil, openWatch, nil},
		{"fork", "a fork of a run of 1,000 keys, and its handle", 4000, thousand, openFork, nil},
	} {
		all = append(all, m.held(t))
	}
	return all
}

// held opens many things and looks at the process before and after.
func (m *maker) held(t thing) measure.Workload {
	w := measure.Workload{
		Name: "memory/" + t.name, About: "memory of " + t.about, Once: true, Units: t.n,
		Unit: "of them",
	}
	w.Setup = func(ctx context.Context, dir string) (*measure.Trial, error) {
		in, err := m.world(ctx, dir)
		if err != nil {
			return nil, err
		}
		if t.prepare != nil {
			if err := t.prepare(ctx, in, t.n); err != nil {
				return nil, errors.Join(err, in.db.Close())
			}
		}
		h := &holder{world: in}
		return &measure.Trial{
			Op: func(ctx context.Context, _, _ int) error { return h.open(ctx, &t) },
			Check: func(ctx context.Context, _ []int) error {
				if t.check == nil {
					return nil
				}
				return t.check(ctx, in, t.n)
			},
			Metrics: func() []measure.Metric { return h.took.each(t.n) },
			Close:   h.close,
		}, nil
	}
	return w
}

// holder holds things open.
type holder struct {
	*world
	held   []any
	closes []func() error
	took   usage
}

func (h *holder) open(ctx context.Context, t *thing) error {
	h.held, h.closes = make([]any, 0, t.n), make([]func() error, 0, t.n)
	before := now(ctx)
	for i := range t.n {
		held, stop, err := t.open(ctx, h.world, i)
		if err != nil {
			return err
		}
		if held != nil {
			h.held = append(h.held, held)
		}
		if stop != nil {
			h.closes = append(h.closes, stop)
		}
	}
	h.took = now(ctx).minus(before)
	return nil
}

func (h *holder) close() error {
	var errs []error
	for _, f := range h.closes {
		errs = append(errs, f())
	}
	h.held = nil
	return errors.Join(append(errs, h.db.Close())...)
}

func keyOf(i int) string { return fmt.Sprintf("tenant/app/agent-%06d/step-%011d", i/100, i) }

var padding = strings.Repeat(".", 90)

func valueOf(i int) inmem.Value { return inmem.String(fmt.Sprintf("%010d", i) + padding) }

func putKey(ctx context.Context, w *world, i int) (any, func() error, error) {
	_, err := w.run.KV().Put(ctx, keyOf(i), valueOf(i))
	return nil, nil, err
}

// putKeys puts a thousand keys at every thousandth.
func putKeys(ctx context.Context, w *world, i int) (any, func() error, error) {
	if i%1000 > 0 {
		return nil, nil, nil
	}
	_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
		for j := i; j < i+1000; j++ {
			if _, err := tx.KV().Put(ctx, keyOf(j), valueOf(j)); err != nil {
				return err
			}
		}
		return nil
	})
	return nil, nil, err
}

func lastKey(ctx context.Context, w *world, n int) error {
	v, found, err := w.run.KV().Get(ctx, keyOf(n-1))
	if err == nil && (!found || v != valueOf(n-1)) {
		return measure.Wrongf("key %d: found %t, %s", n-1, found, v)
	}
	return err
}

func beginRun(ctx context.Context, w *world, _ int) (any, func() error, error) {
	run, err := w.db.BeginRun(ctx, namespace)
	return run, nil, err
}

func countRuns(ctx context.Context, w *world, n int) error {
	found, err := w.db.Runs().Count(ctx, inmem.RunQuery{})
	if err == nil && found != n+1 { // and the world's own
		return measure.Wrongf("%d runs, expected %d", found, n+1)
	}
	return err
}

func runID(i int) string { return fmt.Sprintf("0197f3a0-0000-7000-8000-%012d", i) }

func beginRuns(ctx context.Context, w *world, n int) error {
	for i := range n {
		o := namespace
		o.ID = runID(i)
		if _, err := w.db.BeginRun(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func findRun(ctx context.Context, w *world, i int) (any, func() error, error) {
	run, err := w.db.Run(ctx, runID(i))
	return run, nil, err
}

func openView(ctx context.Context, w *world, _ int) (any, func() error, error) {
	v, err := w.run.At(ctx, w.db.Version())
	if err != nil {
		return nil, nil, err
	}
	return v, v.Close, nil
}

func openTx(ctx context.Context, w *world, i int) (any, func() error, error) {
	tx, err := w.run.Begin(ctx, inmem.TxOptions{})
	if err != nil {
		return nil, nil, err
	}
	kv := tx.KV()
	if _, found, err := kv.Get(ctx, keyOf(i)); err != nil || found {
		return nil, nil, errors.Join(err, measure.Wrongf("key %d is there: %t", i, found))
	}
	if _, err := kv.Put(ctx, keyOf(i), valueOf(i)); err != nil {
		return nil, nil, err
	}
	return tx, tx.Rollback, nil
}

// openWatch begins a watch of what comes. It is told nothing: nothing comes.
func openWatch(ctx context.Context, w *world, _ int) (any, func() error, error) {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		for c, err := range w.run.Watch(ctx, inmem.WatchOptions{From: inmem.FromNow}) {
			if ctx.Err() == nil {
				failed = measure.Wrongf("a watch of a run in which nothing happens: %d, %v",
					c.Version, err)
			}
			return
		}
	})
	return nil, func() error {
		stop()
		wg.Wait()
		return failed
	}, nil
}

// thousand puts a thousand keys.
func thousand(ctx context.Context, w *world, _ int) error {
	for i := range 1000 {
		if _, _, err := putKey(ctx, w, i); err != nil {
			return err
		}
	}
	return nil
}

func openFork(ctx context.Context, w *world, i int) (any, func() error, error) {
	child, err := w.run.Fork(ctx, inmem.ForkOptions{})
	if err != nil {
		return nil, nil, err
	}
	if i%1000 == 0 {
		v, found, err := child.KV().Get(ctx, keyOf(i%1000))
		if err != nil || !found || v != valueOf(i%1000) {
			return nil, nil, errors.Join(measure.Wrongf("a fork has no key: found %t", found), err)
		}
	}
	return child, nil, nil
}
