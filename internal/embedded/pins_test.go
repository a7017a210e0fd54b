package embedded

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// A pin that was released serves again, with nothing left of its first life; one that was taken
// away does not, and nobody's pin is released twice.
func TestPinsServeAgain(t *testing.T) {
	var published atomic.Uint64
	s := pinSet{published: &published}
	published.Store(1)
	first, oldest := s.acquire(), s.acquire()
	first.Release()
	published.Store(2)
	again := s.acquire()
	require.Same(t, first, again)
	require.Equal(t, uint64(2), again.Version())
	require.Equal(t, uint64(1), s.horizon(), "the oldest is still there")

	require.Equal(t, 1, s.endOldest())
	require.ErrorIs(t, oldest.Err(), backend.ErrTxnTooOld)
	oldest.Release()
	require.Equal(t, uint64(2), s.horizon())
	next := s.acquire()
	require.NotSame(t, oldest, next)
	require.NoError(t, next.Err())

	next.Release()
	next.Release()
	a, b := s.acquire(), s.acquire()
	require.NotSame(t, a, b)
	require.Equal(t, int64(3), s.count())
	require.Zero(t, testing.AllocsPerRun(100, func() { s.acquire().Release() }))
}
