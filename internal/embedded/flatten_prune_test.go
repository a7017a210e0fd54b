package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// prunedFork is a fork of a run of four commits, with four of its own of which the last two, and
// what they show, are all that retention has left.
func prunedFork(t *testing.T, db *DB) (f forked, versions []uint64) {
	t.Helper()
	parent := run(newScope(t, db, 1), 1)
	for _, key := range []string{"inherited", "a", "b", "c"} {
		commit(t, db, put(parent.Scope, key, "parent"))
	}
	f = fork(t, db, parent, db.Published())
	for _, value := range []string{"1", "2", "3", "4"} {
		versions = append(versions, commit(t, db, put(f.Scope, "a", value)))
	}
	_, err := db.Prune(ctx, f.Scope, allOf(versions[2]))
	require.NoError(t, err)
	return f, versions
}

// shownFrom demands that a pruned fork can be read as a whole from a version on, and is refused
// below.
func shownFrom(t *testing.T, db *DB, f forked, versions []uint64) {
	t.Helper()
	for i, at := range versions[2:] {
		require.Equal(t, "parent", value(t, db, f.Scope, "inherited", at))
		c, err := db.Commits(ctx, f.Scope, at)
		require.NoError(t, err)
		require.Equal(t, uint64(7+i), c.Count)
		keys := 0
		scan := db.Scan(ctx, f.Scope, codec.KV, backend.Range{}, at)
		for scan.Next() {
			keys++
		}
		require.NoError(t, scan.Err())
		scan.Close()
		require.Equal(t, 4, keys)
	}
	_, err := db.Get(ctx, f.Scope, codec.KV, "inherited", versions[1])
	require.ErrorIs(t, err, backend.ErrPruned)
	r := backend.JournalRange{From: 7, At: versions[3], Values: backend.NewValues}
	n := 0
	for _, err := range db.Journal(ctx, f.Scope, r) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 2, n)
}

// What a fork has inherited is read at the reader's version, which its horizon allows, although the
// copies lie below the horizon; and its journal has no hole where its own records were pruned and
// its parent's were not.
func TestFlattenAfterAPrune(t *testing.T) {
	o := pruningOptions()
	db := mustOpen(t, o)
	f, versions := prunedFork(t, db)
	shownFrom(t, db, f, versions)
	pin, err := db.Begin() // with a commit behind it, it keeps the state that knows of the fork
	require.NoError(t, err)
	commit(t, db, put(f.Scope, "b", "own"))
	flattened(t, db, &f)
	require.True(t, db.state(f.Scope).lineage.Load().isFloor())
	shownFrom(t, db, f, versions)
	require.True(t, db.state(f.Scope).lineage.Load().isFloor())
	pin.Release()
	shownFrom(t, db, f, versions)
	require.NoError(t, db.Close())
	db = mustOpen(t, o)
	f.Scope = &backend.Scope{Number: f.Number, Record: f.Record}
	shownFrom(t, db, f, versions)
}

// A prune does not look at the copies that a flattening has left in the middle, and the flattening
// goes on afterwards.
func TestPruneAmongHalfTheCopies(t *testing.T) {
	db := mustOpen(t, pruningOptions())
	parent := run(newScope(t, db, 1), 1)
	for range 40 {
		commit(t, db, put(parent.Scope, "k", "parent"))
	}
	f := fork(t, db, parent, db.Published())
	var last uint64
	for range 20 {
		last = commit(t, db, put(f.Scope, "k", "own"))
	}
	require.NoError(t, db.Flatten(ctx, f.Scope))
	// As if it had been called off on the way: of the journal there are copies 2 and 3.
	b := db.store.NewBatch()
	for _, numbers := range [][2]uint64{{0, 2}, {4, 41}} {
		from, err := codec.AppendKey(nil, f.Number, codec.Journal, codec.EventUserKey(numbers[0]))
		require.NoError(t, err)
		end, err := codec.AppendKey(nil, f.Number, codec.Journal, codec.EventUserKey(numbers[1]))
		require.NoError(t, err)
		require.NoError(t, b.DeleteRange(from, end, nil))
	}
	require.NoError(t, b.Commit(nil))
	_, err := db.Prune(ctx, f.Scope, allOf(last-5))
	require.NoError(t, err)
	flattened(t, db, &f)
	c, err := db.Commits(ctx, f.Scope, last-3)
	require.NoError(t, err)
	require.Equal(t, uint64(57), c.Count)
	require.Equal(t, "own", value(t, db, f.Scope, "k", last))
}
