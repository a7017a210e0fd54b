package embedded

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The time of a commit is what its record says, whether the commit is recent, long past, from
// before a restart, or never was.
func TestCommitTimes(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, db, 1)
	first := commit(t, db, put(s, "key", "value"))
	db.order.version += recentCommits - 1 // a gap, as restarts make it
	last := commit(t, db, put(s, "key", "value"))
	require.Equal(t, first+recentCommits, last, "they share a place")
	check := func() {
		for version := range last + 2 {
			r, err := db.CommitRecord(ctx, version)
			require.NoError(t, err)
			time, err := db.CommitTime(ctx, version)
			require.NoError(t, err)
			require.Equal(t, r.Time, time, "version %d", version)
		}
	}
	check()
	require.NoError(t, db.Close())
	_, err = db.CommitTime(ctx, last)
	require.Error(t, err)
	db = mustOpen(t, o)
	check()
	require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = db.CommitTime(ctx, last+1) }))
}

// Readers of times beside a writer see the right one or none.
func TestCommitTimesAreNotTorn(t *testing.T) {
	const rounds = 200_000
	var r recentTimes
	var newest atomic.Uint64
	var readers sync.WaitGroup
	readers.Go(func() {
		for n := uint64(1); n < rounds; n = max(1, newest.Load()) {
			// The place changes hands while its last owner is asked for.
			if time, ok := r.get(n * recentCommits); ok && time != int64(n) {
				t.Errorf("commit %d has the time of commit %d", n, time)
				return
			}
		}
	})
	for n := uint64(1); n <= rounds; n++ {
		r.note(n*recentCommits, int64(n))
		newest.Store(n)
	}
	readers.Wait()
}
