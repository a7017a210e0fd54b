package txn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

const limit = 100 * time.Millisecond

func newQueue() *queue {
	q := &queue{}
	q.init(limit)
	return q
}

// verify checks the invariants of a queue and returns how many keys are hot.
func (q *queue) verify(t require.TestingT) (hot int) {
	for i := range q.shards {
		s := &q.shards[i]
		s.mu.Lock()
		require.Equal(t, int64(len(s.lines)), s.hot.Load())
		for k, l := range s.lines {
			require.True(t, l.number != 0 || l.coming > 0, "%v is not hot", k)
			require.True(t, l.number != 0 || l.first == nil, "%v: nobody's turn", k)
			require.GreaterOrEqual(t, l.coming, 0)
			var last *waiter
			for w := l.first; w != nil; last, w = w, w.next {
				require.Same(t, last, w.previous)
				require.Zero(t, w.number)
				require.Empty(t, w.granted)
			}
			require.Same(t, last, l.last)
			hot++
		}
		s.mu.Unlock()
	}
	return hot
}

// waiting counts those who wait in a line.
func (q *queue) waiting(k hotKey) (n int) {
	s := q.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.lines[k].first; w != nil; w = w.next {
		n++
	}
	return n
}

// line lets goroutines enter one after the other, each as soon as the one before waits, and returns
// a channel for each, which tells its turn.
func (q *queue) line(ctx context.Context, n int) []chan turn {
	list := make([]chan turn, n)
	for i := range list {
		list[i] = make(chan turn, 1)
		go func() {
			t, err := q.enter(ctx, hot)
			if err == nil {
				list[i] <- t
			}
			close(list[i])
		}()
		synctest.Wait()
	}
	return list
}

var hot = newHotKey("run", codec.Cells, "hot")

// semantics 2.7: turns are taken in the order in which their owners came.
func TestTurnsAreTakenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, start := newQueue(), time.Now()
		mine, err := q.enter(t.Context(), hot)
		require.NoError(t, err)
		line := q.line(t.Context(), 20)
		other, err := q.enter(t.Context(), newHotKey("run", codec.Cells, "other"))
		require.NoError(t, err, "another key is another line")
		require.True(t, q.leave(other))
		for _, next := range line {
			synctest.Wait()
			require.Empty(t, next)
			require.True(t, q.leave(mine))
			require.False(t, q.leave(mine), "a turn ends once")
			mine = <-next
			require.True(t, q.has(mine))
		}
		require.True(t, q.leave(mine))
		require.Zero(t, q.verify(t))
		require.Equal(t, start, time.Now(), "nobody waited for the clock")
	})
}

// semantics 2.7: waits are bounded. A turn that is never given back goes to the next between one
// and two limits later, again and again; who lost it disturbs nobody.
func TestTurnsThatLastTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		late, err := q.enter(t.Context(), hot)
		require.NoError(t, err)
		time.Sleep(10 * limit)
		require.True(t, q.has(late), "nobody minds while nobody waits")
		line := q.line(t.Context(), 5)
		for i, next := range line {
			start := time.Now()
			mine := <-next
			waited := time.Since(start)
			require.GreaterOrEqual(t, waited, limit, "%d", i)
			require.LessOrEqual(t, waited, 2*limit, "%d", i)
			require.False(t, q.has(late))
			require.False(t, q.leave(late))
			require.True(t, q.has(mine))
			late = mine
		}
		require.True(t, q.leave(late))
		require.Zero(t, q.verify(t))
	})
}

// A turn that is new is safe for a full limit, however long the next in line has been waiting.
func TestANewTurnIsSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		mine, err := q.enter(t.Context(), hot)
		require.NoError(t, err)
		line := q.line(t.Context(), 2)
		time.Sleep(limit - 1)
		require.True(t, q.leave(mine))
		mine = <-line[0]
		time.Sleep(limit - 1)
		synctest.Wait()
		require.True(t, q.has(mine))
		require.Empty(t, line[1])
		require.True(t, q.leave(mine))
		require.True(t, q.leave(<-line[1]))
		require.Zero(t, q.verify(t))
	})
}

// Who gives up leaves the line in order, wherever it stood.
func TestWaitersGiveUp(t *testing.T) {
	for gone := range 3 {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			mine, err := q.enter(t.Context(), hot)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			var line []chan turn
			for i := range 3 {
				c := t.Context()
				if i == gone {
					c = ctx
				}
				line = append(line, q.line(c, 1)...)
			}
			cancel()
			synctest.Wait()
			require.Equal(t, 1, q.verify(t))
			_, ok := <-line[gone]
			require.False(t, ok)
			for i, next := range line {
				if i != gone {
					require.True(t, q.leave(mine))
					mine = <-next
				}
			}
			require.True(t, q.leave(mine))
			require.Zero(t, q.verify(t))
		})
	}
}

// A turn that comes together with the end of the context goes on to the next.
func TestTurnAndEndAtOnce(t *testing.T) {
	q := newQueue()
	for range 200 {
		mine, err := q.enter(t.Context(), hot)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		s, w := q.shard(&hot), newWaiter().(*waiter)
		s.mu.Lock()
		l := s.lines[hot]
		l.push(w)
		s.set(hot, l)
		s.mu.Unlock()
		require.True(t, q.leave(mine))
		cancel()
		number, err := q.wait(ctx, s, hot, w, mine.number) // both are ready: either may be seen
		if err == nil {
			require.True(t, q.leave(turn{hot, number}))
		}
		require.Empty(t, w.granted)
		require.Zero(t, q.verify(t))
	}
}

// A key is hot as long as somebody is coming, also when turns begin and end meanwhile.
func TestAnnouncedKeysAreHot(t *testing.T) {
	q := newQueue()
	require.False(t, q.isHot(hot))
	q.announce(hot)
	q.announce(hot)
	require.True(t, q.isHot(hot))
	require.False(t, q.isHot(newHotKey("other", codec.Cells, "hot")))
	mine, err := q.enter(t.Context(), hot)
	require.NoError(t, err)
	q.arrive(hot)
	require.True(t, q.leave(mine))
	require.True(t, q.isHot(hot))
	require.Equal(t, 1, q.verify(t))
	q.arrive(hot)
	require.False(t, q.isHot(hot))
	require.Zero(t, q.verify(t))
}

// The end of a log is one place, whichever event comes next.
func TestTheEndOfALogIsOnePlace(t *testing.T) {
	at := func(p codec.Primitive, seq uint64) hotKey {
		return newHotKey("run", p, codec.EventUserKey(seq))
	}
	require.Equal(t, at(codec.Events, 1), at(codec.Events, 2))
	require.NotEqual(t, at(codec.Cells, 1), at(codec.Cells, 2))
}

func TestAnUncontendedTurnAllocatesNothing(t *testing.T) {
	q, ctx := newQueue(), t.Context()
	n := testing.AllocsPerRun(1000, func() {
		mine, err := q.enter(ctx, hot)
		if err != nil || !q.leave(mine) {
			t.Fatal(err)
		}
	})
	require.Zero(t, n)
}

// Goroutines that enter, give up, keep their turn too long, and leave, at random: at the end
// nothing is left. While nobody is late, no two have the turn at one key.
func TestTurnsInDisorder(t *testing.T) {
	for name, c := range map[string]struct {
		limit time.Duration
		late  bool
	}{"late": {100 * time.Microsecond, true}, "in time": {time.Minute, false}} {
		t.Run(name, func(t *testing.T) {
			q := &queue{}
			q.init(c.limit)
			var inside [3]atomic.Int32
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() {
					for range 300 {
						key := rand.IntN(len(inside))
						k := newHotKey("run", codec.Cells, fmt.Sprint(key))
						ctx, cancel := context.WithTimeout(t.Context(),
							time.Duration(rand.IntN(2000))*time.Microsecond)
						mine, err := q.enter(ctx, k)
						if err == nil {
							n := inside[key].Add(1)
							if n != 1 && !c.late {
								t.Errorf("%d turns at one key", n)
							}
							time.Sleep(time.Duration(rand.IntN(20)) * time.Microsecond)
							inside[key].Add(-1)
							q.leave(mine)
						}
						cancel()
					}
				})
			}
			all.Wait()
			require.Zero(t, q.verify(t))
		})
	}
}
