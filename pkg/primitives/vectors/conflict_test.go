package vectors

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// R300: a search inside a transaction sees what the transaction wrote and deleted, and nobody else
// does until it commits; one that is rolled back leaves nothing.
func TestR300SearchSeesOwnWrites(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.create(t, "facts", vector.L2)
		mustUpsert(t, c, "a", 1, 0)
		mustUpsert(t, c, "b", 2, 0)
		mustUpsert(t, c, "c", 3, 0)
		for _, commit := range []bool{false, true} {
			tx, in := w.tx(t, txn.Options{}, "facts")
			mustUpsert(t, in, "new", 0, 0)
			mustUpsert(t, in, "a", 9, 0)
			existed, err := in.Delete(ctx, "b")
			require.NoError(t, err)
			require.True(t, existed)
			r, err := in.Search(ctx, SearchOptions{Vector: []float32{0, 0}, K: 4})
			require.NoError(t, err)
			require.Equal(t, []string{"new", "c", "a"}, idsOf(r.Hits))
			require.Equal(t, 3, r.Plan.Own)
			require.Zero(t, r.Hits[0].Version)
			require.Equal(t, []string{"a", "c", "new"}, list(t, in, ScrollOptions{}))
			require.Equal(t, []string{"a", "b", "c"}, find(t, c, 4, 0, 0))
			if !commit {
				require.NoError(t, tx.Rollback())
				require.Equal(t, []string{"a", "b", "c"}, find(t, c, 4, 0, 0))
				continue
			}
			before := w.b.Published()
			version, err := tx.Commit(ctx)
			require.NoError(t, err)
			require.Equal(t, []string{"new", "c", "a"}, find(t, c, 4, 0, 0))
			for at, want := range map[uint64][]string{
				before: {"a", "b", "c"}, version: {"new", "c", "a"},
			} {
				view, end := w.view(t, w.run, at, "facts")
				require.Equal(t, want, find(t, view, 4, 0, 0))
				end()
			}
		}
	})
}

// What a transaction with a search conflicts with, by isolation: rows that the search returned; in
// Serializable everything that is written to the collection, and nothing beside it.
func TestConflictsOfSearch(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for i, test := range []struct {
			isolation txn.Isolation
			other     func(Collection)
			conflict  bool
		}{
			{txn.Snapshot, func(c Collection) { mustUpsert(t, c, "near", 5, 5) }, true},
			{txn.Snapshot, func(c Collection) { _, _ = c.Delete(t.Context(), "near") }, true},
			{txn.Snapshot, func(c Collection) { mustUpsert(t, c, "far", 5, 5) }, false},
			{txn.Snapshot, func(c Collection) { mustUpsert(t, c, "new", 0, 0) }, false},
			{txn.Serializable, func(c Collection) { mustUpsert(t, c, "near", 5, 5) }, true},
			{txn.Serializable, func(c Collection) { mustUpsert(t, c, "far", 5, 5) }, true},
			{txn.Serializable, func(c Collection) { mustUpsert(t, c, "new", 0, 0) }, true},
			{txn.Serializable, func(c Collection) { _, _ = c.Delete(t.Context(), "far") }, true},
			{txn.Serializable, func(Collection) { mustUpsert(t, w.in("beside"), "x", 0, 0) }, false},
			{txn.Snapshot, func(c Collection) { _, _ = c.Drop(t.Context()) }, true},
		} {
			name := fmt.Sprint("facts", i)
			c := w.create(t, name, vector.L2)
			_, _ = w.in("beside").Create(t.Context(), CollectionOptions{Dim: 2, Metric: vector.L2})
			mustUpsert(t, c, "near", 1, 0)
			mustUpsert(t, c, "far", 100, 0)
			tx, in := w.tx(t, txn.Options{Isolation: test.isolation}, name)
			require.Equal(t, []string{"near"}, find(t, in, 1, 0, 0))
			_, err := tx.Scope(w.run).Put(t.Context(), codec.KV, "found", []byte{1}, 0)
			require.NoError(t, err)
			test.other(c)
			_, err = tx.Commit(t.Context())
			if test.conflict {
				require.ErrorIs(t, err, backend.ErrConflict, "%d", i)
			} else {
				require.NoError(t, err, "%d", i)
			}
		}
	})
}

// Upserts are blind: two transactions that write one row both commit, and the later one stays. They
// conflict with the drop of the collection only.
func TestUpsertsNeverConflict(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.create(t, "facts", vector.L2)
		one, inOne := w.tx(t, txn.Options{Isolation: txn.Serializable}, "facts")
		two, inTwo := w.tx(t, txn.Options{Isolation: txn.Serializable}, "facts")
		mustUpsert(t, inOne, "a", 1, 0)
		mustUpsert(t, inTwo, "a", 2, 0)
		mustUpsert(t, c, "a", 3, 0)
		_, err := two.Commit(ctx)
		require.NoError(t, err)
		_, err = one.Commit(ctx)
		require.NoError(t, err)
		row, _, err := c.Get(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, []float32{1, 0}, row.Vector)

		late, in := w.tx(t, txn.Options{}, "facts")
		mustUpsert(t, in, "b", 1, 0)
		_, err = c.Drop(ctx)
		require.NoError(t, err)
		w.create(t, "facts", vector.Dot)
		_, err = late.Commit(ctx)
		require.ErrorIs(t, err, backend.ErrConflict)
		require.Empty(t, list(t, c, ScrollOptions{}))
	})
}

// An upsert outside of a transaction that races with the drop of its collection never leaves a row
// in one that is not there, nor in another one of the same name.
func TestUpsertRacesWithDrop(t *testing.T) {
	ctx := t.Context()
	racing := &racing{Backend: model.New(standing)}
	w := newWorld(ctx, t, racing, txn.Config{})
	c := w.create(t, "facts", vector.L2)
	racing.before = func() {
		_, err := c.Drop(ctx)
		require.NoError(t, err)
	}
	_, err := c.Upsert(ctx, "a", []float32{1, 2}, codec.Null())
	require.ErrorIs(t, err, ErrNotFound)
	require.Empty(t, keysOf(t, w.scope()))

	w.create(t, "facts", vector.L2)
	racing.before = func() {
		_, err := c.Drop(ctx)
		require.NoError(t, err)
		_, err = c.Create(ctx, CollectionOptions{Dim: 3, Metric: vector.L2})
		require.NoError(t, err)
	}
	_, err = c.Upsert(ctx, "a", []float32{1, 2}, codec.Null())
	require.ErrorIs(t, err, ErrDimension)

	_, err = c.Drop(ctx)
	require.NoError(t, err)
	w.create(t, "facts", vector.L2)
	racing.before = func() { // the drop looks at the rows, and then there is one more
		mustUpsert(t, c, "late", 1, 2)
	}
	_, err = c.Drop(ctx)
	require.NoError(t, err)
	require.Empty(t, keysOf(t, w.scope()))
}

// racing lets something happen right before the next commit.
type racing struct {
	backend.Backend
	before func()
}

func (r *racing) Commit(ctx context.Context, q *backend.Request) (backend.Outcome, error) {
	if before := r.before; before != nil {
		r.before = nil
		before()
	}
	return r.Backend.Commit(ctx, q)
}

// A collection of many rows is dropped in more than one commit, none of which shows part of it; and
// what a crash leaves of that is invisible and goes away.
func TestDropOfManyRows(t *testing.T) {
	ctx := t.Context()
	counted := &counting{Backend: model.New(standing)}
	w := newWorld(ctx, t, counted, txn.Config{MaxWrites: 1000, MaxBytes: 1 << 20})
	fill := func() Collection {
		c := w.create(t, "facts", vector.L2)
		for i := range 3 {
			rows := make([]Row, 900)
			for j := range rows {
				rows[j] = Row{ID: fmt.Sprint(i, " ", j), Vector: []float32{1, 2}}
			}
			_, err := c.UpsertMany(ctx, rows)
			require.NoError(t, err)
		}
		return c
	}
	c := fill()
	before := w.b.Published()
	counted.commits.Store(0)
	existed, err := c.Drop(ctx)
	require.NoError(t, err)
	require.True(t, existed)
	require.Greater(t, counted.commits.Load(), int64(3))
	require.Empty(t, keysOf(t, w.scope()))
	for at := before + 1; at <= w.b.Published(); at++ {
		view, end := w.view(t, w.run, at, "facts")
		_, err := view.Count(ctx, ScrollOptions{})
		require.ErrorIs(t, err, ErrNotFound)
		end()
	}
	fill()
	tx, in := w.tx(t, txn.Options{}, "facts")
	_, err = in.Drop(ctx)
	require.ErrorIs(t, err, codec.ErrTooLarge)
	require.NoError(t, tx.Rollback())

	// Stopped after the mark, as a crash would.
	_, err = w.scope().Atomic(ctx, func(tx txn.Scope) error {
		_, err := c.mark(ctx, tx)
		return err
	})
	require.NoError(t, err)
	requireUnknown(t, c)
	require.Empty(t, names(t, w.scope()))
	require.NotEmpty(t, keysOf(t, w.scope()))
	existed, err = c.Drop(ctx)
	require.NoError(t, err)
	require.False(t, existed, "it was gone before")
	require.Empty(t, keysOf(t, w.scope()))
}

// A name whose collection was not dropped to the end can be taken again.
func TestCreateAfterHalfADrop(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.create(t, "facts", vector.L2)
		mustUpsert(t, c, "old", 1, 2)
		_, err := w.scope().Atomic(ctx, func(tx txn.Scope) error {
			_, err := c.mark(ctx, tx)
			return err
		})
		require.NoError(t, err)
		requireUnknown(t, c)
		tx, in := w.tx(t, txn.Options{}, "facts")
		_, err = in.Create(ctx, CollectionOptions{Dim: 3, Metric: vector.L2})
		require.NoError(t, err)
		mustUpsert(t, in, "new", 1, 2, 3)
		require.Equal(t, []string{"new"}, find(t, in, 9, 0, 0, 0))
		_, err = tx.Commit(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"new"}, find(t, c, 9, 0, 0, 0))
	})
}

// Dropped and created again inside one transaction: nothing of the old one is found.
func TestDropAndCreateInATransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.create(t, "facts", vector.L2)
		mustUpsert(t, c, "old", 1, 2)
		mustUpsert(t, c, "both", 1, 2)
		tx, in := w.tx(t, txn.Options{}, "facts")
		mustUpsert(t, in, "brief", 1, 2)
		existed, err := in.Drop(ctx)
		require.NoError(t, err)
		require.True(t, existed)
		requireUnknown(t, in)
		require.Empty(t, names(t, tx.Scope(w.run)))
		_, err = in.Create(ctx, CollectionOptions{Dim: 3, Metric: vector.Dot})
		require.NoError(t, err)
		mustUpsert(t, in, "both", 1, 2, 3)
		require.Equal(t, []string{"both"}, find(t, in, 9, 0, 0, 0))
		require.Equal(t, []string{"both", "old"}, find(t, c, 9, 0, 0))
		_, err = tx.Commit(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"both"}, find(t, c, 9, 0, 0, 0))
		require.Len(t, keysOf(t, w.scope()), 2)
	})
}

// Batches are one step, bounded by what a transaction may hold.
func TestUpsertMany(t *testing.T) {
	ctx := t.Context()
	w := onModel(ctx, t, txn.Config{MaxWrites: 3, MaxBytes: 1 << 20})
	c := w.create(t, "facts", vector.L2)
	version, err := c.UpsertMany(ctx, []Row{
		{ID: "a", Vector: []float32{1, 0}}, {ID: "b", Vector: []float32{2, 0}},
		{ID: "a", Vector: []float32{3, 0}},
	})
	require.NoError(t, err)
	require.Equal(t, w.b.Published(), version)
	require.Equal(t, []string{"b", "a"}, find(t, c, 9, 0, 0))
	version, err = c.UpsertMany(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, version)
	rows := make([]Row, 4)
	for i := range rows {
		rows[i] = Row{ID: fmt.Sprint(i), Vector: []float32{1, 0}}
	}
	_, err = c.UpsertMany(ctx, rows)
	require.ErrorIs(t, err, codec.ErrTooLarge)
	require.Equal(t, []string{"a", "b"}, list(t, c, ScrollOptions{}))
}
