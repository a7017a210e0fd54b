package embedded

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
)

func TestReopenKeepsEverything(t *testing.T) { // R002, R005, R093
	for _, mode := range []Mode{Batched, Strict, Async} {
		t.Run(mode.String(), func(t *testing.T) {
			o := memOptions()
			o.Mode = mode
			db := mustOpen(t, o)
			require.True(t, db.Recovery().Created)
			s := newScope(t, db, 1)
			v1 := commit(t, db, put(s, "a", "one"), put(s, "b", "two"))
			v2 := commit(t, db, put(s, "a", "three"))
			require.Equal(t, "one", value(t, db, s, "a", v1))
			require.Equal(t, "three", value(t, db, s, "a", v2))
			require.NoError(t, db.Close())

			db = mustOpen(t, o)
			r := db.Recovery()
			require.True(t, r.Clean)
			require.Equal(t, v2, r.Last)
			require.Equal(t, v2, db.Published())
			require.Zero(t, r.BootEpoch)
			s = &backend.Scope{Number: s.Number, Record: s.Record}
			require.Equal(t, "one", value(t, db, s, "a", v1))
			require.Equal(t, "three", value(t, db, s, "a", v2))
			require.Equal(t, "two", value(t, db, s, "b", v2))
			require.Equal(t, "", value(t, db, s, "c", v2))
			v3 := commit(t, db, put(s, "c", "four"))
			require.Equal(t, v2+1, v3, "versions go on without a gap after a clean close")
			require.Equal(t, "four", value(t, db, s, "c", v3))
		})
	}
}

// The version counter ends with an error and not with a version that was there before (R096).
func TestR096VersionsRunOut(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	db.commitLock.Lock()
	db.order.version = maxVersion - 1
	db.commitLock.Unlock()
	require.Equal(t, uint64(maxVersion), commit(t, db, put(s, "last", "one")))
	_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, "one", "more")}})
	require.ErrorIs(t, err, backend.ErrReadOnly)
	require.Equal(t, "one", value(t, db, s, "last", db.Published()))
	require.Equal(t, "", value(t, db, s, "one", db.Published()))
}

// Numbers go on above the ceilings after an unclean end, also when no commit had come near them,
// and the boot epoch rises then, and only then (R093, R131).
func TestReopenAfterKillSkipsReservedNumbers(t *testing.T) {
	mem := disktest.New()
	o := memOptions()
	o.FS, o.SweepInterval = mem, -1
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	v := commit(t, db, put(s, "a", "b"))
	require.NoError(t, db.Flush(ctx))
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})

	o.FS = crashed
	db = mustOpen(t, o)
	require.False(t, db.Recovery().Clean)
	require.Equal(t, uint64(1), db.BootEpoch())
	require.Equal(t, v, db.Recovery().Last)
	n, err := db.AllocateScope(ctx)
	require.NoError(t, err)
	require.Greater(t, uint64(n), uint64(s.Number)+1, "a number that may have been given out")
	next := commit(t, db, put(&backend.Scope{Number: s.Number, Record: s.Record}, "a", "c"))
	require.Equal(t, db.Recovery().Next, next)
	require.Greater(t, next, v+1)
	require.NoError(t, db.Close())

	db = mustOpen(t, o)
	require.True(t, db.Recovery().Clean)
	require.Equal(t, uint64(1), db.BootEpoch())
}
