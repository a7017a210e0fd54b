package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// sharedKeys opens a database with small commits of two scopes that share their keys.
func sharedKeys(t *testing.T) (db *DB, a, b *backend.Scope) {
	o := memOptions()
	o.SweepInterval = -1
	idleHandover(&o)
	db = mustOpen(t, o)
	a, b = newScope(t, db, 1), newScope(t, db, 2)
	for i := range 300 {
		commit(t, db, put(a, "k", string(rune('a'+i%20))))
		if i%7 == 0 {
			commit(t, db, put(b, "k", "b"))
		}
	}
	return db, a, b
}

// Small commits take a key for many: and each is found under its version, its number and its time,
// at every version, in memory and after reopening.
func TestSmallCommitsShareKeys(t *testing.T) {
	db, a, b := sharedKeys(t)
	require.NoError(t, db.handover.push())
	keys := 0
	for _, n := range []codec.Scope{codec.SystemScope, a.Number, b.Number} {
		for _, p := range []codec.Primitive{codec.Journal, codec.Commits} {
			if p == codec.Commits && n != codec.SystemScope {
				continue
			}
			it, err := openDense(db.store, n, p)
			require.NoError(t, err)
			for ok := it.it.First(); ok; ok = it.it.Next() {
				keys++
			}
			require.NoError(t, it.close())
		}
	}
	require.Less(t, keys, 40, "for more than 340 commits")
	wantOrder(t, db, a, b)
}

// wantOrder compares every way to a commit with the walk over all of them.
func wantOrder(t *testing.T, db *DB, scopes ...*backend.Scope) {
	t.Helper()
	var all []backend.Commit
	for c, err := range db.Tail(ctx, 0) {
		require.NoError(t, err)
		all = append(all, c)
	}
	last := map[codec.Scope]backend.ScopeCommits{}
	for i, c := range all {
		rec, err := db.CommitRecord(ctx, c.Version)
		require.NoError(t, err)
		require.Equal(t, c.CommitRecord, rec)
		for _, x := range c.Scopes {
			e := last[x.Scope]
			if e.Count++; e.Count == 1 {
				e.First = c.Version
			}
			require.Equal(t, e.Count, x.Number, "numbers have no gaps")
			e.Last = c.Version
			last[x.Scope] = e
		}
		for _, s := range scopes {
			if e := last[s.Number]; e.Count > 0 {
				found, err := db.Commits(ctx, s, c.Version)
				require.NoError(t, err)
				require.Equal(t, e, found, "at version %d", c.Version)
			}
		}
		if i%10 == 0 {
			n := 0
			for x, err := range db.Tail(ctx, c.Version) {
				require.NoError(t, err)
				require.Equal(t, all[i+n], x)
				n++
			}
			require.Equal(t, len(all)-i, n)
		}
	}
	for _, s := range scopes {
		for from := uint64(1); from <= last[s.Number].Count; from += 13 {
			number := from
			r := backend.JournalRange{From: from, At: db.Published(), Values: backend.NewValues}
			for e, err := range db.Journal(ctx, s, r) {
				require.NoError(t, err)
				require.Equal(t, number, e.Number)
				number++
			}
			require.Equal(t, last[s.Number].Count+1, number)
		}
	}
}

// A fork from the middle of a group has of the journal what lies before its fork version, also when
// it was flattened and its parent is gone.
func TestForkInsideAGroup(t *testing.T) {
	db, a, _ := sharedKeys(t)
	parent := run(a, 1)
	at := db.Published() - 111
	want, err := db.Commits(ctx, a, at)
	require.NoError(t, err)
	f := fork(t, db, parent, at)
	commit(t, db, put(f.Scope, "own", "x"))
	read := func() (list []backend.JournalEntry) {
		for e, err := range db.Journal(ctx, f.Scope,
			backend.JournalRange{From: 1, At: db.Published(), Values: backend.NewValues}) {
			require.NoError(t, err)
			list = append(list, e)
		}
		return list
	}
	before := read()
	require.Equal(t, want.Count, before[len(before)-2].Number, "its own one comes behind")
	require.NoError(t, db.Flatten(ctx, f.Scope))
	require.Equal(t, before, read())
	require.NoError(t, db.handover.push())
	require.Equal(t, before, read())
}
