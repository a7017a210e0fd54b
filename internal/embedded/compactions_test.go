package embedded

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// fakeStore stands for the part of Pebble that asks for compactions, with Pebble's lock and its
// habit of not asking again while it is told to wait.
type fakeStore struct {
	c *compactions

	mu      sync.Mutex // guards the rest; taken before that of c
	wanted  int        // compactions that there is work for
	waiting bool
	running int
	most    int
	done    int
}

// want is what Pebble does when there is more work: under its lock it asks, unless it waits.
func (s *fakeStore) want() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted++
	for s.wanted > 0 && !s.waiting {
		ok, handle := s.c.TrySchedule()
		if !ok {
			s.waiting = true
			return
		}
		s.run(handle)
	}
}

func (s *fakeStore) run(handle pebble.CompactionGrantHandle) {
	s.wanted--
	s.running++
	s.most = max(s.most, s.running)
	go func() {
		s.mu.Lock()
		s.running--
		s.done++
		s.mu.Unlock()
		handle.Done()
	}()
}

func (s *fakeStore) GetAllowedWithoutPermission() int { return 1 }

func (s *fakeStore) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = s.waiting && s.wanted > 0
	return s.waiting, pebble.WaitingCompaction{}
}

func (s *fakeStore) Schedule(handle pebble.CompactionGrantHandle) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting || s.wanted == 0 {
		s.waiting = false
		return false
	}
	s.run(handle)
	return true
}

func (s *fakeStore) finished() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// begun are the compactions that were granted.
func (s *fakeStore) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done + s.running
}

// No compaction begins before the database serves, none is forgotten, and there is one at a time.
func TestCompactionsWaitForService(t *testing.T) {
	const askers, each = 8, 500
	s := &fakeStore{c: newCompactions(nil)}
	s.c.Register(1, s)
	s.want()
	require.Zero(t, s.finished())
	require.True(t, s.waiting)

	s.c.serve()
	require.Eventually(t, func() bool { return s.finished() == 1 }, 10*time.Second, time.Millisecond)
	var group sync.WaitGroup
	for range askers {
		group.Go(func() {
			for range each {
				s.want()
			}
		})
	}
	group.Wait()
	require.Eventually(t, func() bool { return s.finished() == askers*each+1 }, 30*time.Second,
		time.Millisecond, "a compaction was forgotten")
	require.Equal(t, 1, s.most)

	s.c.Unregister()
	s.want()
	time.Sleep(10 * time.Millisecond)
	require.Equal(t, askers*each+1, s.finished())
}

// fakeLoad is how busy the store is.
type fakeLoad struct {
	bytes, each atomic.Uint64 // written, and what is added whenever somebody asks
	calm        atomic.Int64  // how many times nothing is added
	sublevels   atomic.Int64
}

func (l *fakeLoad) written() uint64 {
	if l.calm.Add(-1) >= 0 {
		return l.bytes.Load()
	}
	return l.bytes.Add(l.each.Load())
}

func (l *fakeLoad) depth() int { return int(l.sublevels.Load()) }

// underLoad is a store that serves and is written to.
func underLoad() (*fakeStore, *fakeLoad) {
	l := &fakeLoad{}
	l.each.Store(quietBytes)
	s := &fakeStore{c: newCompactions(l)}
	s.c.Register(1, s)
	s.c.serve()
	return s, l
}

// Under load a compaction waits until level 0 is deep enough, and no longer.
func TestCompactionsWaitForDepth(t *testing.T) {
	s, l := underLoad()
	l.sublevels.Store(worthDepth - 1)
	s.want()
	for range 3 {
		s.c.look()
	}
	require.Zero(t, s.begun())
	l.sublevels.Store(worthDepth)
	s.c.look()
	require.Eventually(t, func() bool { return s.finished() == 1 }, 10*time.Second, time.Millisecond)
	s.want() // it was told to wait before, and waits for no flush: the timer finds it
	require.Eventually(t, func() bool { return s.finished() == 2 }, 10*time.Second, time.Millisecond)
	s.c.Unregister()
	s.want()
	s.c.look()
	require.Equal(t, 2, s.begun())
}

// A database that little is written to is compacted as far as Pebble wishes, without a call.
func TestCompactionsOfAQuietStore(t *testing.T) {
	s, l := underLoad()
	for range 3 {
		s.want()
	}
	require.Zero(t, s.begun())
	l.each.Store(quietBytes / 2)
	require.Eventually(t, func() bool { return s.finished() == 3 }, 30*time.Second, time.Millisecond)
	require.Equal(t, 1, s.most)
	s.c.Unregister()
}

// That a store was quiet counts for one compaction: then it is looked at again.
func TestCompactionsOfAStoreThatWasQuiet(t *testing.T) {
	s, l := underLoad()
	l.calm.Store(2) // when the timer is set, and when it comes
	for range 3 {
		s.want()
	}
	require.Eventually(t, func() bool { return s.finished() == 1 }, 10*time.Second, time.Millisecond)
	for range 3 {
		s.c.look()
	}
	require.Equal(t, 1, s.begun())
	s.c.Unregister()
}

// Unregister returns when nothing of the store is called any more, and nothing will be.
func TestUnregisterWaitsForWhoGrants(t *testing.T) {
	s, _ := underLoad()
	s.want() // sets the timer
	s.mu.Lock()
	go s.c.look()
	require.Eventually(t, func() bool {
		s.c.mu.Lock()
		defer s.c.mu.Unlock()
		return s.c.granting
	}, 10*time.Second, time.Millisecond)
	done := make(chan struct{})
	go func() {
		s.c.Unregister()
		close(done)
	}()
	select {
	case <-done:
		t.Error("the store is still being called")
	case <-time.After(20 * time.Millisecond):
	}
	s.mu.Unlock()
	<-done

	s, _ = underLoad()
	s.want()
	s.c.Unregister()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	require.True(t, s.c.timer == nil || !s.c.timer.Stop(), "the timer goes on")
}

// Who waits for a compaction of his own gets it, and those before it, under any load.
func TestHurriedCompactions(t *testing.T) {
	s, _ := underLoad()
	s.want()
	require.Zero(t, s.begun())
	require.NoError(t, s.c.hurried(func() error {
		require.Equal(t, 1, s.begun()) // the one that waited, without a look
		s.want()
		require.Eventually(t, func() bool { return s.finished() == 2 }, 10*time.Second,
			time.Millisecond)
		return nil
	}))
	s.want()
	s.c.look()
	require.Equal(t, 2, s.begun())
	s.c.Unregister()

	s, _ = underLoad()
	require.NoError(t, s.c.hurried(func() error {
		s.want()
		require.Equal(t, 1, s.begun()) // what is asked for meanwhile, too
		return nil
	}))
	s.c.Unregister()
}

// Reclaim does not wait for level 0 to become deep, nor for the load to end.
func TestReclaimIsNotPutOff(t *testing.T) {
	db := mustOpen(t, pruningOptions())
	h := live(t, db, 1, 300)
	_, err := db.Prune(ctx, h.scope, allOf(h.last))
	require.NoError(t, err)
	over, idle := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(idle)
		for {
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
				db.counters.bytesLogged.Add(quietBytes)
			}
		}
	}()
	short, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err = db.Reclaim(short)
	close(over)
	<-idle
	require.NoError(t, err)
	require.Less(t, db.depth(), worthDepth)
}

// A store that is stuck cannot be closed; but no compaction begins in it any more, for its
// directory may be another's by now.
func TestStuckStoreCompactsNothing(t *testing.T) {
	db, err := Open(ctx, memOptions())
	require.NoError(t, err)
	db.fault.stick()
	db.setFault("store", syscall.EIO)
	require.ErrorIs(t, db.Close(), backend.ErrStorage)
	db.compactions.mu.Lock()
	defer db.compactions.mu.Unlock()
	require.True(t, db.compactions.closed)
}
