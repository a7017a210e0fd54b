package inmem_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R211: a fork, its parent and its siblings, at random versions: what looks only at what was
// written since they parted finds what a look at everything finds.
func TestDiffOfForks(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		rapid.Check(t, func(t *rapid.T) {
			trunk := w.randomDeeds(t, "trunk")
			family := []*deeds{trunk}
			for i := range rapid.IntRange(1, 3).Draw(t, "forks") {
				parent := rapid.SampledFrom(family).Draw(t, "parent")
				at := rapid.IntRange(0, len(parent.states)-1).Draw(t, "at")
				run, err := parent.run.Fork(w.ctx(),
					inmem.ForkOptions{At: parent.states[at].version})
				require.NoError(t, err)
				child := &deeds{run: run}
				now := parent.states[at]
				now.version = w.Version()
				// Below the fork it reads as its parent does.
				child.states = append(slices.Clone(parent.states[:at+1]), now)
				w.moreDeeds(t, fmt.Sprint("fork ", i), child)
				family = append(family, child)
			}
			w.moreDeeds(t, "trunk again", trunk)
			x := rapid.SampledFrom(family).Draw(t, "x")
			y := rapid.SampledFrom(family).Draw(t, "y")
			a := rapid.SampledFrom(x.states).Draw(t, "a")
			b := rapid.SampledFrom(y.states).Draw(t, "b")
			pa := inmem.Point{Run: x.run, Version: a.version}
			pb := inmem.Point{Run: y.run, Version: b.version}
			if rapid.Bool().Draw(t, "now") {
				a, b = x.states[len(x.states)-1], y.states[len(y.states)-1]
				pa.Version, pb.Version = 0, 0
			}
			all, err := w.Diff(w.ctx(), pa, pb, inmem.DiffOptions{})
			require.NoError(t, err)
			requireKeyDiff(t, a.keys, b.keys, all)
			require.EqualValues(t, longest(a.events, b.events), all.Events.Same)
			require.EqualValues(t, longest(a.spans, b.spans), all.Spans.Same)
			few, err := w.Diff(w.ctx(), pa, pb, inmem.GoOver(1, inmem.DiffOptions{}))
			require.NoError(t, err)
			require.Equal(t, all.Entries, few.Entries)
			require.Equal(t, all.Events, withState(few.Events.Divergence, all.Events.Divergence, few))
			require.Equal(t, all.KV.Differences(), few.KV.Differences())
			require.Equal(t, all.Identical, few.Identical)
		})
	})
}

// withState takes over the counts of a state that are told differently, and returns the events.
func withState(to, from *inmem.Divergence, of *inmem.Diff) any {
	if to != nil && to.State != nil && from.State != nil {
		to.State.State = from.State.State
	}
	return of.Events
}

// Two forks of a large run cost what they have written since.
func TestDiffOfForksIsCheap(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	const n = 30_000
	w.fill(w.run, n, 10, 1)
	a, err := w.run.Fork(w.ctx(), inmem.ForkOptions{})
	require.NoError(t, err)
	b, err := w.run.Fork(w.ctx(), inmem.ForkOptions{})
	require.NoError(t, err)
	for i, r := range []*inmem.Run{a, b} {
		_, err := r.KV().Put(w.ctx(), "key/00000007", inmem.Int(int64(i)))
		require.NoError(t, err)
		_, err = r.KV().Put(w.ctx(), "key/00000009", inmem.Int(7))
		require.NoError(t, err)
		_, err = r.KV().Delete(w.ctx(), fmt.Sprintf("key/0000000%d", i))
		require.NoError(t, err)
		_, err = r.Events().Append(w.ctx(), "step", inmem.Int(int64(i)))
		require.NoError(t, err)
	}
	d := w.diff(newest(a), newest(b), inmem.DiffOptions{})
	require.Equal(t, []string{
		`added kv key/00000000; added ""`,
		`removed kv key/00000001; removed ""`,
		`changed kv key/00000007; changed ""`,
		fmt.Sprintf(`changed events a#%d step  b#%d step ; changed ""`, n, n),
	}, briefs(d))
	require.True(t, d.KV.Shared)
	require.EqualValues(t, 1, d.KV.Same, "the one that both wrote")
	require.EqualValues(t, n, d.Events.Prefix)
	require.True(t, d.First.State.KV.Shared)
	require.Contains(t, d.Text(), "keys                     3+")

	all := w.diff(newest(a), newest(b), inmem.GoOver(10*n, inmem.DiffOptions{}))
	require.False(t, all.KV.Shared)
	require.Equal(t, all.Entries, d.Entries)
	require.EqualValues(t, n-3, all.KV.Same)
}

// An expiry between two versions is told by no journal, and not forgotten.
func TestDiffTellsOfExpiry(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		for i := range 5 {
			w.put(fmt.Sprint("key ", i), "x")
		}
		_, err := w.run.KV().PutWithTTL(w.ctx(), "short", inmem.Int(1), time.Minute)
		require.NoError(t, err)
		early := w.Version()
		w.clock.advance(time.Hour)
		w.put("late", "x")
		d := w.diff(inmem.Point{Run: w.run, Version: early}, newest(w.run),
			inmem.GoOver(2, inmem.DiffOptions{}))
		require.Equal(t, []string{`added kv late; added ""`, `removed kv short; removed ""`}, briefs(d))
	})
}

// What fails on the way ends the comparison.
func TestDiffEndsWithTheRun(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	a, b := w.begin2()
	w.work(a, "aisle", false)
	w.work(b, "window", true)
	n := 0
	var failed error
	for _, err := range w.DiffEntries(w.ctx(), newest(a), newest(b), inmem.DiffOptions{}) {
		failed = err
		if n++; n == 1 {
			require.NoError(t, w.DeleteRun(w.ctx(), b.ID()))
		}
	}
	require.True(t, errors.Is(failed, inmem.ErrRunNotFound), "%v", failed)
	require.ErrorContains(t, failed, b.ID())
}
