package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// What a run shows after its step s (from 0) is known without remembering it: the key k/<s%keys>
// holds s, the cell holds s, there are s+1 events, and the vector v/<s%vectors> points to s.
const (
	keys    = 16
	vectors = 8
)

// agent plays one run after another.
type agent struct {
	w    *world
	r    *rand.Rand
	name string

	id       string
	versions []uint64 // of the steps
}

// live plays runs until ctx is done.
func (a *agent) live(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := a.play(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s, run %s: %w", a.name, a.id, err)
		}
	}
	return nil
}

// play begins a run, goes its steps, ends it, and deletes the oldest one.
func (a *agent) play(ctx context.Context) error {
	a.versions = a.versions[:0]
	err := a.w.with(func(d *inmem.DB) error {
		run, err := d.BeginRun(ctx, inmem.RunOptions{Tenant: "soak", Agent: a.name,
			Tags: []string{a.name}})
		if err != nil {
			return err
		}
		a.id = run.ID()
		_, err = run.Vectors("memory").Create(ctx, inmem.CollectionOptions{Dim: 8, Metric: inmem.L2})
		return err
	})
	if err != nil {
		return err
	}
	a.w.tally.add(func(n *Tally) { n.Runs++ })
	for range a.w.steps/2 + a.r.IntN(a.w.steps) {
		if err := a.w.with(func(d *inmem.DB) error { return a.turn(ctx, d) }); err != nil {
			return err
		}
	}
	return a.w.with(func(d *inmem.DB) error { return a.end(ctx, d) })
}

// turn is a step and what is read after it. The database may be another one than last time.
func (a *agent) turn(ctx context.Context, d *inmem.DB) error {
	run, err := d.Run(ctx, a.id)
	if err != nil {
		return err
	}
	if err := a.step(ctx, run); err != nil {
		return fmt.Errorf("step %d: %w", len(a.versions), err)
	}
	last := len(a.versions) - 1
	began := time.Now()
	err = run.View(ctx, func(v *inmem.View) error { return check(ctx, v, last) })
	a.w.meter.read(began)
	if err != nil {
		return fmt.Errorf("now: %w", err)
	}
	a.w.tally.add(func(n *Tally) { n.Commits++; n.Reads++ })
	if a.r.IntN(4) == 0 {
		if err := a.recall(ctx, run); err != nil {
			return err
		}
	}
	if last > 0 && a.r.IntN(6) == 0 {
		if err := a.remember(ctx, run); err != nil {
			return err
		}
	}
	if last > 0 && a.r.IntN(200) == 0 {
		return a.fork(ctx, d, run)
	}
	return nil
}

// step writes all primitives in one transaction.
func (a *agent) step(ctx context.Context, run *inmem.Run) error {
	s := int64(len(a.versions))
	began := time.Now()
	version, err := run.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := tx.KV().Put(ctx, keyOf(s), inmem.Int(s)); err != nil {
			return err
		}
		if _, err := tx.Events().Append(ctx, "step", inmem.Int(s)); err != nil {
			return err
		}
		state := tx.Cell("state")
		_, err := state.UpdateOrInit(ctx, inmem.Int(-1), func(v inmem.Value) (inmem.Value, error) {
			n, err := v.AsInt()
			if err == nil && n != s-1 {
				err = wrongf("the cell holds %d before step %d", n, s)
			}
			return inmem.Int(n + 1), err
		})
		if err != nil {
			return err
		}
		if s%5 == 0 {
			if _, err := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanToolCall, Name: "step"}); err !=
				nil {
				return err
			}
		}
		_, err = tx.Vectors("memory").Upsert(ctx, vectorID(s), vectorOf(s), inmem.Null())
		return err
	})
	a.w.meter.commit(began)
	a.versions = append(a.versions, version)
	return err
}

func keyOf(s int64) string    { return fmt.Sprintf("k/%02d", s%keys) }
func vectorID(s int64) string { return fmt.Sprintf("v/%d", s%vectors) }

// vectorOf is a vector that no other step has.
func vectorOf(s int64) []float32 {
	v := make([]float32, 8)
	v[s%vectors], v[(s+1)%vectors] = float32(s+1), 1
	return v
}

// check compares what a view shows with what it must show after a step.
func check(ctx context.Context, v *inmem.View, step int) error {
	s := int64(step)
	for i := max(0, s-2); i <= s; i++ {
		value, ok, err := v.KV().Get(ctx, keyOf(i))
		if err != nil {
			return err
		}
		if !ok || value != inmem.Int(i) {
			return wrongf("key %s is %s after step %d", keyOf(i), value, s)
		}
	}
	n, err := v.Events().Len(ctx)
	if err != nil {
		return err
	}
	state, err := v.Cell("state").Get(ctx)
	if err != nil {
		return err
	}
	count, err := v.KV().Count(ctx, inmem.ScanOptions{Prefix: "k/"})
	if err != nil {
		return err
	}
	if n != uint64(s+1) || state.Value != inmem.Int(s) || uint64(count) != uint64(min(s+1, keys)) {
		return wrongf("%d events, %s in the cell and %d keys after step %d", n, state.Value, count, s)
	}
	return nil
}

// recall searches for the vector of one of the last steps.
func (a *agent) recall(ctx context.Context, run *inmem.Run) error {
	last := len(a.versions) - 1
	s := int64(last - a.r.IntN(min(last+1, vectors)))
	began := time.Now()
	found, err := run.Vectors("memory").Search(ctx, inmem.SearchOptions{Vector: vectorOf(s), K: 1})
	a.w.meter.read(began)
	if err != nil {
		return err
	}
	if len(found.Hits) != 1 || found.Hits[0].ID != vectorID(s) || found.Hits[0].Score != 0 {
		return wrongf("a search for the vector of step %d found %+v", s, found.Hits)
	}
	a.w.tally.add(func(n *Tally) { n.Searches++ })
	return nil
}

// remember reads the run as it was after some step. Retention may have removed that, if it is long
// ago.
func (a *agent) remember(ctx context.Context, run *inmem.Run) error {
	last := len(a.versions) - 1
	step := a.r.IntN(last + 1)
	began := time.Now()
	v, err := run.At(ctx, a.versions[step])
	if errors.Is(err, inmem.ErrPruned) && last-step >= kept-2 {
		a.w.tally.add(func(n *Tally) { n.Pruned++ })
		return nil
	}
	if err != nil {
		return fmt.Errorf("the view after step %d of %d: %w", step, last, err)
	}
	err = errors.Join(check(ctx, v, step), v.Close())
	a.w.meter.read(began)
	if err != nil {
		return fmt.Errorf("the past: %w", err)
	}
	a.w.tally.add(func(n *Tally) { n.Past++ })
	return nil
}

// fork makes a run of what this one was a while ago, writes to it, and ends it.
func (a *agent) fork(ctx context.Context, d *inmem.DB, run *inmem.Run) error {
	last := len(a.versions) - 1
	step := last - a.r.IntN(min(last+1, kept/4))
	child, err := run.Fork(ctx, inmem.ForkOptions{At: a.versions[step], Tags: []string{"fork"}})
	if err != nil {
		return fmt.Errorf("fork: %w", err)
	}
	if err := child.View(ctx, func(v *inmem.View) error { return check(ctx, v, step) }); err != nil {
		return fmt.Errorf("fork: %w", err)
	}
	twin := &agent{w: a.w, r: a.r, id: child.ID(), versions: append([]uint64(nil),
		a.versions[:step+1]...)}
	for range 5 {
		if err := twin.step(ctx, child); err != nil {
			return fmt.Errorf("fork: %w", err)
		}
	}
	a.w.tally.add(func(n *Tally) { n.Forks++; n.Commits += 5 })
	return twin.end(ctx, d)
}

// end ends the run and deletes the oldest of those that have ended.
func (a *agent) end(ctx context.Context, d *inmem.DB) error {
	run, err := d.Run(ctx, a.id)
	if err != nil {
		return err
	}
	if err := run.View(ctx, func(v *inmem.View) error {
		return check(ctx, v, len(a.versions)-1)
	}); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	if chain, err := run.Events().Verify(ctx); err != nil || !chain.Valid {
		return wrongf("the chain of events: %+v, %w", chain, err)
	}
	if err := run.End(ctx, inmem.Completed); err != nil {
		return err
	}
	oldest := a.w.old.push(a.id, keptRuns)
	if oldest == "" {
		return nil
	}
	err = d.DeleteRunWith(ctx, oldest, inmem.DeleteOptions{Forks: inmem.FlattenForks})
	if err != nil {
		return fmt.Errorf("delete %s: %w", oldest, err)
	}
	a.w.tally.add(func(n *Tally) { n.Deleted++ })
	return nil
}
