package embedded

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
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

// No compaction begins before the database serves, none is forgotten, and there is one at a time.
func TestCompactionsWaitForService(t *testing.T) {
	const askers, each = 8, 500
	s := &fakeStore{c: newCompactions()}
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
