package embedded

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// gathered opens what Gather makes of a database. It is to be closed before.
func gathered(t testing.TB, o Options) *DB {
	t.Helper()
	_, err := Gather(ctx, GatherOptions{From: o.Dir, To: "saved", FS: o.FS})
	require.NoError(t, err)
	o.Dir = "saved"
	return mustOpen(t, o)
}

// tablesOf lists the tables of a database.
func tablesOf(t testing.TB, o Options) []string {
	names, err := o.FS.List(o.Dir)
	require.NoError(t, err)
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".sst") })
}

// What primitives have written comes over, whatever letter they have.
func TestGatherTakesEveryPrimitive(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	letters := []codec.Primitive{codec.KV, codec.Cells, codec.Machines, codec.Traces, codec.Vectors,
		codec.Extensions}
	for _, p := range letters {
		w := put(s, "key", "1")
		w.Primitive = p
		commit(t, db, w)
	}
	require.NoError(t, db.Close())
	db = gathered(t, o)
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	for _, p := range letters {
		rec, err := db.Get(ctx, s, p, "key", db.Published())
		require.NoError(t, err)
		require.True(t, rec.Exists(), "%s", p)
	}
	sound(t, db)
}

// The numbers of runs that have written nothing, and of those that are gone, are not given out
// again: commits name them.
func TestGatherGivesNoNumberTwice(t *testing.T) {
	for name, c := range map[string]struct{ deleted, blind bool }{
		"empty": {}, "empty, sentinel lost": {blind: true},
		"deleted": {deleted: true}, "deleted, sentinel lost": {deleted: true, blind: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := memOptions()
			o.SweepInterval = -1
			db := mustOpen(t, o)
			commit(t, db, put(newScope(t, db, 1), "a", "1"))
			last := newScope(t, db, 2)
			if c.deleted {
				for range 5 {
					commit(t, db, put(last, "a", "1"))
				}
				_, err := db.Commit(ctx, deletion(last))
				require.NoError(t, err)
				require.NoError(t, settle(ctx, db))
			}
			require.NoError(t, db.Close())
			names, err := o.FS.List(o.Dir)
			require.NoError(t, err)
			for _, name := range names { // all is in tables, and in those nothing of the deleted run
				if isLog(name) || c.blind && name == sentinelName {
					require.NoError(t, o.FS.Remove(o.FS.PathJoin(o.Dir, name)))
				}
			}
			db = gathered(t, o)
			later := newScope(t, db, 3)
			require.Greater(t, later.Number, last.Number)
			commit(t, db, put(later, "a", "1"))
			sound(t, db)
			for _, err := range db.Tail(ctx, 1) {
				require.NoError(t, err)
			}
		})
	}
}

// Of commits that had gone some are found again, in a table that a crash has left: they go again,
// and the chain has no hole.
func TestGatherThinsAgain(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	lives, dies := newScope(t, db, 1), newScope(t, db, 2)
	commit(t, db, put(lives, "a", "1"))
	half := func() {
		for i := range 20 {
			commit(t, db, put(dies, fmt.Sprint(i%7), "x"))
			require.NoError(t, db.handover.push())
		}
		require.NoError(t, db.store.Flush())
	}
	half()
	before := tablesOf(t, o)
	half()
	obsolete := map[string][]byte{}
	for _, name := range tablesOf(t, o) {
		if slices.Contains(before, name) {
			continue
		}
		f, err := o.FS.Open(o.FS.PathJoin(o.Dir, name))
		require.NoError(t, err)
		obsolete[name], err = io.ReadAll(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	require.Len(t, obsolete, 1)
	_, err := db.Commit(ctx, deletion(dies))
	require.NoError(t, err)
	tabled(t, db, lives)
	_, err = db.Reclaim(ctx)
	require.NoError(t, err)
	thinned := listed(t, db)
	linked(t, thinned)
	require.NoError(t, db.Close())
	for name, data := range obsolete {
		require.NotContains(t, tablesOf(t, o), name)
		f, err := o.FS.Create(o.FS.PathJoin(o.Dir, name), vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		_, err = f.Write(data)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	db = gathered(t, o)
	require.Equal(t, thinned, listed(t, db))
}
