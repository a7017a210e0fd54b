package vecindex

import (
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/vector"
)

// onBothClocks is onBoth with a clock that can be moved.
func onBothClocks(t *testing.T, test func(w *world, clock *backendtest.Clock)) {
	t.Run("model", func(t *testing.T) {
		clock := backendtest.NewClock()
		test(newWorld(t, model.New(clock.Now)), clock)
	})
	t.Run("engine", func(t *testing.T) {
		clock := backendtest.NewClock()
		db, err := embedded.Open(t.Context(), embedded.Options{
			Mode: embedded.None, Clock: clock.Now, SweepInterval: -1,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		test(newWorld(t, db), clock)
	})
}

// prune removes the history of a scope below what is published.
func (w *world) prune(s *backend.Scope, clock *backendtest.Clock) {
	w.Helper()
	clock.Advance(time.Minute)
	w.commit(w.del(w.scope(), "nothing")) // time goes on with a commit
	var upto backend.Horizons
	for _, p := range backend.Prunable() {
		upto = append(upto, backend.Horizon{Primitive: p, Version: w.b.Published()})
	}
	report, err := w.b.Prune(w.ctx, s, backend.PruneOptions{Upto: upto})
	require.NoError(w, err)
	require.NotEmpty(w, report.After, "%+v", report)
}

// Where retention has removed what the index would have pulled, it is made anew.
func TestPrunedJournalMeansRebuild(t *testing.T) {
	onBothClocks(t, func(w *world, clock *backendtest.Clock) {
		r := rand.New(rand.NewSource(1))
		s := w.scope()
		w.fill(r, s, 20)
		old := w.b.Published()
		w.check(s, old, someQuery)
		for range 5 {
			w.fill(r, s, 5)
			w.commit(w.del(s, "row000001"))
		}
		w.prune(s, clock)
		w.check(s, w.b.Published(), someQuery)
		require.Greater(w, w.m.Stats(w.collection(s)).Base, old)
		_, err := w.m.Search(w.ctx, w.collection(s), old, someQuery)
		var pruned *backend.PrunedError
		require.ErrorAs(w, err, &pruned)
		require.Equal(w, s.Record, pruned.Run)
		require.Greater(w, pruned.Earliest, old)
		w.check(s, pruned.Earliest, someQuery)
		w.fill(r, s, 5)
		w.check(s, w.b.Published(), Query{Vector: someQuery.Vector, K: 9,
			Filter: vector.Eq("half", true)})
	})
}

// A filter whose values are asked for after retention has removed dead rows.
func TestColumnsOfPrunedRows(t *testing.T) {
	onBothClocks(t, func(w *world, clock *backendtest.Clock) {
		r := rand.New(rand.NewSource(2))
		s := w.scope()
		w.fill(r, s, 20)
		old := w.b.Published()
		w.check(s, old, someQuery)
		for range 5 {
			w.fill(r, s, 5)
			w.commit(w.del(s, "row000001"))
			w.check(s, w.b.Published(), someQuery)
		}
		w.prune(s, clock)
		_, err := w.m.Search(w.ctx, w.collection(s), old, someQuery)
		require.ErrorIs(w, err, backend.ErrPruned, "although it is in memory")
		q := Query{Vector: someQuery.Vector, K: 9, Filter: vector.Ne("n", 1)}
		w.check(s, w.b.Published(), q)
		require.Positive(w, w.m.Stats(w.collection(s)).Dead)
	})
}

// A fork of which retention has removed the beginning no longer tells own rows from others.
func TestPrunedFork(t *testing.T) {
	onBothClocks(t, func(w *world, clock *backendtest.Clock) {
		r := rand.New(rand.NewSource(3))
		s := w.scope()
		w.fill(r, s, 20)
		child := w.fork(s, w.b.Published())
		for range 5 {
			w.fill(r, child, 5)
			w.commit(w.del(child, "row000001"), w.del(child, "row000019"))
		}
		w.fill(r, s, 10)
		w.prune(child, clock)
		require.Equal(w, 1, w.check(child, w.b.Published(), someQuery).Plan.Layers)
		grandchild := w.fork(child, w.b.Published())
		w.fill(r, grandchild, 3)
		require.Equal(w, 2, w.check(grandchild, w.b.Published(), someQuery).Plan.Layers)
		w.fill(r, child, 3)
		w.check(child, w.b.Published(), someQuery)
		w.check(grandchild, w.b.Published(), someQuery)
		w.check(s, w.b.Published(), someQuery)
	})
}

// A parent goes once its fork is flattened: what the fork had searched through is found again, also
// if nobody told of it and the vectors of the parent's index are read from rows that are gone.
func TestDeletedParent(t *testing.T) {
	for i := range 4 {
		onBoth(t, func(w *world) {
			w.budget = int64(i % 2)
			w.open(w.b)
			r := rand.New(rand.NewSource(4))
			s := w.scope()
			w.fill(r, s, 20)
			at := w.b.Published()
			child := w.fork(s, at)
			w.fill(r, child, 5)
			grandchild := w.fork(child, w.b.Published())
			w.fill(r, grandchild, 2)
			require.Equal(w, 3, w.check(grandchild, w.b.Published(), someQuery).Plan.Layers)
			w.flatten(child, s, at)
			w.drop(s)
			if i < 2 {
				w.m.Drop(s)
			}
			w.check(grandchild, w.b.Published(), someQuery)
			w.check(child, w.b.Published(), someQuery)
			w.fill(r, child, 5)
			w.check(child, w.b.Published(), someQuery)
			w.check(grandchild, w.b.Published(), someQuery)
			w.check(grandchild, at, someQuery)
		})
	}
}
