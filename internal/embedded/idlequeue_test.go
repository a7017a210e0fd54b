package embedded

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// forgetAll hands over what is queued, evicts everything, and drops the states of idle scopes, as
// a lack of memory does. REQUIRES: the commit lock.
func forgetAll(db *DB) error {
	err := db.handover.push()
	for n, freed := 1, int64(1); n > 0 || freed > 0; {
		n, freed = db.table.Evict(db.evictable(), db.table.Bytes())
	}
	db.dropIdleLocked(db.evictable())
	return err
}

// A record that was read from the store before newer commits were handed over is not brought into
// memory when these have come and gone, and their scope's state with them.
func TestReadersBringNothingBackIntoIdleScopes(t *testing.T) {
	db, s := reopened(t, idleHandover)
	require.Equal(t, "first", value(t, db, s, "old", db.Published()))
	commit(t, db, put(s, "old", "second"))
	pin := db.pins.acquire()
	defer pin.Release()
	since := db.vouched(pin)
	require.Less(t, since, pin.version)
	read, err := db.readStore(s.Number, codec.KV, "old", since)
	require.NoError(t, err)
	require.Less(t, read.Version, pin.version)

	db.commitLock.Lock()
	require.NoError(t, forgetAll(db))
	require.Nil(t, db.scopes.get(s.Number))
	db.commitLock.Unlock()
	db.offer(s, codec.KV, "old", read, pin, since, 0)
	require.Equal(t, "second", value(t, db, s, "old", db.Published()))
}

// A reader that opens a scope while a commit of it is queued does not leave behind what it found in
// the store, if the state that knew better is dropped meanwhile: numbers would be given out twice.
func TestScopesAreNotOpenedWithoutWhatIsQueued(t *testing.T) {
	db, s := reopened(t, idleHandover)
	appendOne := func() uint64 {
		out, err := db.Commit(ctx, &backend.Request{Appends: []backend.Append{{
			Scope: s, Type: "t", Payload: []byte{0xf6}, Digest: codec.PayloadDigest([]byte{0xf6}),
		}}})
		require.NoError(t, err)
		return out.Appends[0].Sequence
	}
	require.Zero(t, appendOne())
	db.commitLock.Lock()
	opened := make(chan error)
	go func() {
		_, err := db.readScope(ctx, s) // it saw no state a moment ago
		opened <- err
	}()
	time.Sleep(20 * time.Millisecond) // it reads the store
	require.NoError(t, forgetAll(db))
	require.Nil(t, db.scopes.get(s.Number))
	db.commitLock.Unlock()
	require.NoError(t, <-opened)
	require.Equal(t, uint64(1), appendOne())
	requireTail(t, db)
}

// A scan, before its first step or in the middle, finds out that its run was deleted, also if the
// state of the run was dropped meanwhile. It must not end as if the rest had never been.
func TestScansOfIdleScopesSeeTheirDeletion(t *testing.T) {
	for _, inMemory := range []bool{true, false} {
		t.Run(fmt.Sprintf("memory=%t", inMemory), func(t *testing.T) {
			o := memOptions()
			o.SweepInterval = -1
			db := mustOpen(t, o)
			s := newScope(t, db, 1)
			load(t, db, s, 3*fewKeys)
			forget := func() {
				db.commitLock.Lock()
				defer db.commitLock.Unlock()
				require.NoError(t, forgetAll(db))
				require.Nil(t, db.scopes.get(s.Number))
			}
			if !inMemory {
				forget()
			}
			var scans []backend.Cursor
			for _, reverse := range []bool{false, true} {
				for steps := range 3 {
					r := backend.Range{Reverse: reverse}
					c := db.Scan(ctx, s, codec.KV, r, db.Published())
					defer c.Close()
					for range steps {
						require.True(t, c.Next())
					}
					scans = append(scans, c)
				}
			}
			forget()
			_, err := db.Commit(ctx, deletion(s))
			require.NoError(t, err)
			require.NoError(t, settle(ctx, db))
			for _, c := range scans {
				require.False(t, c.Next())
				require.ErrorIs(t, c.Err(), backend.ErrScopeGone)
			}
		})
	}
}

// A commit whose run is known when it begins to prepare, and dropped a moment later, reads what it
// needs at a version, and not before all of them.
func TestCommitsOfScopesThatAreDroppedMeanwhile(t *testing.T) {
	db, s := reopened(t, idleHandover)
	commit(t, db, put(s, "a", "1"))
	p := db.newPlan(&backend.Request{Writes: []backend.Write{put(s, "a", "2")}})
	defer p.release()
	require.NoError(t, p.arrange())
	require.False(t, p.needsReads())
	db.commitLock.Lock()
	require.NoError(t, forgetAll(db))
	require.Nil(t, db.scopes.get(s.Number))
	db.commitLock.Unlock()
	require.NoError(t, p.loadScopes(ctx))
	require.Equal(t, uint64(2), p.scopes[0].facts.commits.Count)
}
