package embedded

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The time of a commit is what its record says, whether the commit is recent, long past, from before
// a restart, or never was.
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
	var r recentTimes
	var newest atomic.Uint64
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for v := uint64(0); v < 50*recentCommits; v = newest.Load() {
				for _, version := range []uint64{v, v - recentCommits, v - 1} {
					if time, ok := r.get(version); ok && time != int64(3*version) {
						t.Error(fmt.Sprintf("version %d has time %d", version, time))
						return
					}
				}
			}
		})
	}
	for v := uint64(1); v <= 50*recentCommits; v++ {
		r.note(v, int64(3*v))
		newest.Store(v)
	}
	readers.Wait()
}
