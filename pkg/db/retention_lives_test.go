package inmem_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// semantics 5.4: a new run with the id of a deleted one has nothing of it, no policy either: its
// history stays.
func TestPoliciesDoNotOutliveTheirRun(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, &inmem.Options{RetentionInterval: -1})
		target := inmem.RetentionTarget{Run: w.run.ID()}
		memories{}.steps(t, w.run, 0, 3)
		setRetention(t, w.DB, target, inmem.Keep{Commits: 1})
		require.NoError(t, w.DeleteRun(w.ctx(), target.Run))
		run, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: target.Run})
		require.NoError(t, err)
		list, err := w.Retention(w.ctx())
		require.NoError(t, err)
		require.Empty(t, list)
		p := memories{}
		versions := p.steps(t, run, 0, 10)
		require.Empty(t, applyRetention(t, w.DB).Runs)
		p.want(t, run, 0)
		setRetention(t, w.DB, target, inmem.Keep{Commits: 2})
		require.Len(t, applyRetention(t, w.DB).Runs, 1)
		p.want(t, run, versions[8])
	})
}

// Deletion of a run takes its pins with it: at once, also where nobody has looked since a restart.
func TestPinsDoNotOutliveTheirRun(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, &inmem.Options{RetentionInterval: -1})
		ctx, id := w.ctx(), w.run.ID()
		for _, name := range []string{"a", "b", "c"} {
			require.NoError(t, w.Pin(ctx, name, w.run, 0))
		}
		require.NoError(t, w.DeleteRun(ctx, id))
		run, err := w.BeginRun(ctx, inmem.RunOptions{ID: id})
		require.NoError(t, err)
		version := makeStep(t, run, 1)
		again, err := inmem.OpenOn(inmem.Hooks{Backend: w.b}, &inmem.Options{RetentionInterval: -1})
		require.NoError(t, err)
		for _, d := range []*inmem.DB{w.DB, again} { // the second one reads the pins only now
			pins, err := d.Pins(ctx)
			require.NoError(t, err)
			require.Empty(t, pins)
		}
		require.ErrorIs(t, w.Unpin(ctx, "a"), inmem.ErrNotFound)
		require.NoError(t, w.Pin(ctx, "b", run, version))
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 1})
		applyRetention(t, w.DB) // forgets the third one
		pins, err := w.Pins(ctx)
		require.NoError(t, err)
		require.Equal(t, []inmem.Pin{{Name: "b", Run: id, Version: version}}, pins)
		makeStep(t, run, 2)
		applyRetention(t, w.DB)
		memories{}.note(t, run, version)
	})
}

// What a fork's pin holds back in its parent is told by the name of the pin.
func TestPinsOfForksAreNamed(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, &inmem.Options{RetentionInterval: -1})
		versions := memories{}.steps(t, w.run, 0, 5)
		fork, err := w.run.Fork(w.ctx(), inmem.ForkOptions{})
		require.NoError(t, err)
		require.NoError(t, w.Pin(w.ctx(), "early", fork, versions[1]))
		setRetention(t, w.DB, inmem.RetentionTarget{Run: w.run.ID()}, inmem.Keep{Commits: 1})
		r := applyRetention(t, w.DB)
		require.Len(t, r.Runs, 1)
		require.Contains(t, r.Runs[0].HeldBy, fmt.Sprintf("pin \"early\" at version %d", versions[1]))
	})
}

// Policies that keep all there is remove nothing, whatever the clock does; no duration overflows.
func TestBoundsOfKeep(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, &inmem.Options{RetentionInterval: -1})
		p := memories{}
		p.steps(t, w.run, 0, 5)
		for _, k := range []inmem.Keep{
			{}, {Commits: math.MaxInt64}, {For: math.MaxInt64}, {Commits: 5}, {Commits: 6},
			{Commits: math.MaxInt64, For: 1}, {Commits: 1, For: math.MaxInt64},
			{For: time.Hour},
		} {
			setRetention(t, w.DB, inmem.RetentionTarget{}, k)
			require.Empty(t, applyRetention(t, w.DB).Runs, "%v", k)
			p.want(t, w.run, 0)
		}
		_, err := w.SetRetention(w.ctx(), inmem.RetentionTarget{}, inmem.Keep{For: -1})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		_, err = w.SetRetention(w.ctx(), inmem.RetentionTarget{}, inmem.Keep{Commits: math.MaxUint64})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		// The clock jumps into the past: nothing more goes than before
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{For: time.Hour})
		w.clock.advance(-100 * 365 * 24 * time.Hour)
		p.steps(t, w.run, 5, 2)
		require.Empty(t, applyRetention(t, w.DB).Runs)
		p.want(t, w.run, 0)
		w.clock.advance(100*365*24*time.Hour + 2*time.Hour)
		r := applyRetention(t, w.DB)
		require.Len(t, r.Runs, 1)
		v, err := w.run.At(w.ctx(), w.Version())
		require.NoError(t, err)
		require.NoError(t, v.Close())
	})
}

// A pin at the earliest readable version holds it, and so does a fork made there.
func TestPinAtTheHorizon(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, &inmem.Options{RetentionInterval: -1})
		p := memories{}
		versions := p.steps(t, w.run, 0, 10)
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 5})
		applyRetention(t, w.DB)
		p.want(t, w.run, versions[5])
		require.ErrorIs(t, w.Pin(w.ctx(), "below", w.run, versions[5]-1), inmem.ErrPruned)
		require.NoError(t, w.Pin(w.ctx(), "at", w.run, versions[5]))
		more := p.steps(t, w.run, 10, 10)
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 1})
		applyRetention(t, w.DB)
		p.want(t, w.run, versions[5])
		f, err := w.run.Fork(w.ctx(), inmem.ForkOptions{At: versions[5]})
		require.NoError(t, err)
		_, err = w.run.Fork(w.ctx(), inmem.ForkOptions{At: versions[5] - 1})
		require.ErrorIs(t, err, inmem.ErrPruned)
		require.NoError(t, w.Unpin(w.ctx(), "at"))
		applyRetention(t, w.DB)
		p.want(t, w.run, versions[5]) // the fork holds
		require.NoError(t, w.DeleteRun(w.ctx(), f.ID()))
		applyRetention(t, w.DB)
		p.want(t, w.run, more[9])
	})
}
