package embedded

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// syncRoom is a queue with goroutines that wait in it, each for a version.
type syncRoom struct {
	syncQueue
	durable atomic.Uint64
	failed  atomic.Bool
	told    chan syncTold
}

type syncTold struct {
	version uint64
	lead    bool
}

func (r *syncRoom) enough(v uint64) bool { return r.durable.Load() >= v || r.failed.Load() }

// enter lets goroutines wait for versions, in this order.
func (r *syncRoom) enter(t *testing.T, versions ...uint64) {
	for _, v := range versions {
		before := r.length()
		go func() { r.told <- syncTold{v, r.join(v, r.enough)} }()
		require.Eventually(t, func() bool { return r.length() == before+1 },
			30*time.Second, time.Millisecond)
	}
}

func (r *syncRoom) length() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}

// Whoever a sync has covered is woken with it, one of the others leads the next, and the rest sleep
// on.
func TestSyncQueuePassesTheLead(t *testing.T) {
	r := &syncRoom{told: make(chan syncTold, 8)}
	require.True(t, r.join(1, r.enough), "nobody leads")
	r.enter(t, 3, 2, 6, 5)
	r.durable.Store(3)
	require.False(t, r.join(3, r.enough), "it has enough, also while somebody leads")
	r.pass(r.enough)
	got := map[syncTold]bool{<-r.told: true, <-r.told: true, <-r.told: true}
	require.Equal(t, map[syncTold]bool{{3, false}: true, {2, false}: true, {6, true}: true}, got)
	require.Equal(t, 1, r.length())

	r.pass(r.enough) // one that covered nothing, for it failed
	require.Equal(t, syncTold{5, true}, <-r.told)
	r.enter(t, 7)
	r.durable.Store(7)
	r.pass(r.enough)
	require.Equal(t, syncTold{7, false}, <-r.told)
	require.True(t, r.join(8, r.enough), "who led has passed to nobody")
	require.Empty(t, r.told)
}

// A leader that is stuck in a failing store keeps nobody: the fault wakes all that wait.
func TestSyncQueueReleasesOnAFault(t *testing.T) {
	r := &syncRoom{told: make(chan syncTold, 8)}
	require.True(t, r.join(1, r.enough))
	r.enter(t, 2, 3)
	r.release(r.enough)
	require.Equal(t, 2, r.length(), "nothing has happened")
	r.failed.Store(true)
	r.release(r.enough)
	require.False(t, (<-r.told).lead)
	require.False(t, (<-r.told).lead)
	r.pass(r.enough)
	require.Zero(t, r.length())
	require.False(t, r.leading)
}
