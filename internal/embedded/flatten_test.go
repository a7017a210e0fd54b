package embedded

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// What a flattening that was called off has left behind counts for nothing: not for reads, not for
// numbers; and the next one goes on behind it.
func TestHalfFlattenedForksReadThroughTheirParents(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	for range 1500 {
		appendTo(t, db, parent.Scope, "step")
	}
	at := db.Published() - 10
	f := fork(t, db, parent, at)
	untouched := fork(t, db, parent, at)
	appendTo(t, db, f.Scope, "own")
	all := []forked{f, untouched}
	var want []string
	last := db.Published()
	for _, s := range all {
		want = append(want, shown(t, db, s.Scope, last), shown(t, db, s.Scope, at-700))
	}
	same := func() {
		t.Helper()
		for i, s := range all {
			require.Equal(t, want[2*i], shown(t, db, s.Scope, last))
			require.Equal(t, want[2*i+1], shown(t, db, s.Scope, at-700))
		}
	}
	for _, s := range all {
		layers, err := db.layersBelow(ctx, s.Scope)
		require.NoError(t, err)
		require.Len(t, layers, 1)
		from, _ := codec.ScopeBounds(parent.Number)
		b, next, err := db.copyPage(ctx, s.Scope, layers[0], from)
		require.NoError(t, err)
		require.NotNil(t, next, "there is more than one page")
		require.NoError(t, db.writeCopies(ctx, s.Scope, b, nil))
	}
	same()
	db.commitLock.Lock()
	require.NoError(t, forgetAll(db))
	require.Nil(t, db.scopes.get(f.Number))
	db.commitLock.Unlock()
	same()
	logged := db.Stats().BytesLogged
	require.NoError(t, db.Flatten(ctx, f.Scope))
	require.NoError(t, db.Flatten(ctx, untouched.Scope))
	require.NotEqual(t, logged, db.Stats().BytesLogged)
	same()
	logged = db.Stats().BytesLogged
	require.NoError(t, db.Flatten(ctx, f.Scope))
	require.Equal(t, logged, db.Stats().BytesLogged, "everything is there")
	for i := range all {
		flattened(t, db, &all[i])
	}
	commit(t, db, parent.removal())
	require.NoError(t, settle(ctx, db))
	same()
	require.NoError(t, db.Close())
	db = mustOpen(t, o)
	for i := range all {
		all[i].Scope = &backend.Scope{Number: all[i].Number, Record: all[i].Record}
	}
	same()
	appendTo(t, db, all[1].Scope, "own")
}

// Flatten stops when it is told to, and when the fork is deleted.
func TestFlattenStops(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	fill(t, db, parent.Scope, 20_000)
	f := fork(t, db, parent, db.Published())
	called, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- db.Flatten(called, f.Scope) }()
	cancel()
	if err := <-done; err != nil { // it may have been faster
		require.ErrorIs(t, err, context.Canceled)
	}
	go func() { done <- db.Flatten(ctx, f.Scope) }()
	commit(t, db, f.removal())
	if err := <-done; err != nil {
		require.ErrorIs(t, err, backend.ErrScopeGone)
	}
	require.NoError(t, settle(ctx, db))
	empty, err := db.noKeys(f.Number)
	require.NoError(t, err)
	require.True(t, empty, "nothing came behind the deletion")
	require.Equal(t, "value", value(t, db, parent.Scope, "key/00000001", db.Published()))
}
