package embedded

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

// A run that begins while thinning waits for the sentinel is not among those that lived when it
// looked: its commits stay, also if they are in tables before the sentinel is written.
func TestThinningLeavesWhoBeginsMeanwhile(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	lives, dies := newScope(t, db, 1), newScope(t, db, 2)
	for range 10 {
		commit(t, db, put(dies, "a", "1"))
	}
	_, err := db.Commit(ctx, deletion(dies))
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))

	db.keeper.mu.Lock() // the sentinel is being written, slowly: it stays behind the tables
	tabled(t, db, lives)
	require.Eventually(t, func() bool { return db.flushed.Load() > db.keeper.current.Flushed },
		time.Minute, time.Millisecond)
	gone := make(chan int)
	go func() {
		n, err := db.thinAll(ctx)
		if err != nil {
			t.Error(err)
		}
		gone <- n
	}()
	time.Sleep(200 * time.Millisecond) // it has looked, and waits
	young := newScope(t, db, 3)
	var versions []uint64
	for range 5 {
		versions = append(versions, commit(t, db, put(young, "a", "1")))
		require.NoError(t, db.handover.push())
	}
	tabled(t, db, lives)
	require.Eventually(t, func() bool { return db.flushed.Load() > versions[4] }, time.Minute,
		time.Millisecond)
	db.keeper.mu.Unlock()
	require.Equal(t, 10, <-gone)
	for _, v := range versions {
		rec, err := db.CommitRecord(ctx, v)
		require.NoError(t, err)
		require.Equal(t, v, rec.Version)
	}
	sound(t, db)
}

// Reclaim thins also what is in no table yet, and where nobody writes any more.
func TestReclaimThinsAQuietDatabase(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	newScope(t, db, 1)
	dies := newScope(t, db, 2)
	for range 500 {
		commit(t, db, put(dies, "a", "1"))
	}
	_, err := db.Commit(ctx, deletion(dies))
	require.NoError(t, err)
	_, err = db.Reclaim(ctx)
	require.NoError(t, err)
	require.Less(t, len(listed(t, db)), 100)
	sound(t, db)
}

// A damaged commit record keeps what lies behind it from being thinned. Reclaim tells of it, and
// gives the space of deleted runs back all the same.
func TestReclaimBesideADamagedCommitRecord(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	lives, dies := newScope(t, db, 1), newScope(t, db, 2)
	damaged := commit(t, db, put(lives, "a", "1"))
	for i := range 100 {
		commit(t, db, put(dies, fmt.Sprint(i), string(make([]byte, 10_000))))
	}
	require.NoError(t, db.handover.push())
	require.NoError(t, db.store.Set(codec.AppendCommitKey(nil, damaged), []byte{0xa0}, nil))
	tabled(t, db, lives)
	_, err := db.Commit(ctx, deletion(dies))
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))
	r, err := db.Reclaim(ctx)
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.Greater(t, r.Before, r.After)
}
