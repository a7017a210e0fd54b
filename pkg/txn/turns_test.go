package txn

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
)

// modelManager is a Manager over the dumb authority, with one run, for many goroutines.
func modelManager(t testing.TB, c Config) (*Manager, *backend.Scope) {
	b := model.New(time.Now)
	return New(b, c), beginRun(t, b)
}

// requireCold checks that no turn, wait or pin is left behind.
func requireCold(t testing.TB, m *Manager) {
	t.Helper()
	require.Zero(t, m.queue.verify(t))
	require.Zero(t, m.Stats().Active)
	require.Zero(t, m.b.Stats().OpenPins)
}

var authorities = map[string]func(testing.TB, Config) (*Manager, *backend.Scope){
	"model": modelManager,
	"embedded": func(t testing.TB, c Config) (*Manager, *backend.Scope) {
		return realManager(t, embedded.None, c)
	},
}

// semantics 2.7: everyone who rewrites a hot key gets it done, and about as often as the others.
func TestAHotKeyServesAll(t *testing.T) {
	const goroutines, each = 50, 100
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			m, run := open(t, Config{})
			ctx, s := t.Context(), m.Scope(run)
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for range each {
						_, err := s.AtomicOn(ctx, codec.Cells, "hot", func(s Scope) error {
							return increment(ctx, s, "hot")
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			require.Equal(t, uint64(goroutines*each), number(t, s, "hot"))
			requireCold(t, m)
			t.Logf("%d retries", m.Stats().Retries)
		})
	}
}

func TestAHotKeyServesAllAlike(t *testing.T) {
	const goroutines, all = 8, 8000
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			m, run := open(t, Config{Turn: time.Minute})
			ctx, s := t.Context(), m.Scope(run)
			var left atomic.Int64
			left.Store(all)
			counts := make([]int, goroutines)
			k := newHotKey(run.Record, codec.Cells, "hot")
			first, err := m.queue.enter(ctx, k) // until all stand in line
			require.NoError(t, err)
			var done sync.WaitGroup
			for g := range goroutines {
				done.Go(func() {
					for left.Add(-1) >= 0 {
						_, err := s.AtomicOn(ctx, codec.Cells, "hot", func(s Scope) error {
							return increment(ctx, s, "hot")
						})
						if err != nil {
							t.Error(err)
						}
						counts[g]++
					}
				})
			}
			require.Eventually(t, func() bool { return m.queue.waiting(k) == goroutines },
				10*time.Second, time.Millisecond)
			m.queue.leave(first)
			done.Wait()
			require.Equal(t, uint64(all), number(t, s, "hot"))
			require.Greater(t, slices.Min(counts), all/goroutines/3, "%v", counts)
			require.Less(t, slices.Max(counts), all/goroutines*3, "%v", counts)
		})
	}
}

// A key that goroutines meet on by Update, with pauses in between, the first read not always that
// of the hot key: what is committed is what was counted, and the queue is left empty.
func TestUpdatesOfAHotKey(t *testing.T) {
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			m, run := open(t, Config{Retry: &Retry{Max: 50, Base: time.Microsecond}})
			ctx := t.Context()
			var all sync.WaitGroup
			for g := range 8 {
				all.Go(func() {
					for i := range 50 {
						_, err := m.Update(ctx, run, Options{}, func(t *Tx) error {
							s := t.Scope(run)
							if (g+i)%4 == 0 {
								if _, err := s.Get(ctx, codec.Cells, "cold"); err != nil {
									return err
								}
							}
							runtime.Gosched()
							return increment(ctx, s, "hot")
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			require.Equal(t, uint64(8*50), number(t, m.Scope(run), "hot"))
			requireCold(t, m)
		})
	}
}

// What comes between from others is tried again, without a pause, and not for ever.
func TestAtomicOnAgainstOthers(t *testing.T) {
	for name, c := range map[string]struct {
		retry *Retry
		loses int // so many attempts
		calls int
		lost  bool
	}{
		"one":                {nil, 1, 2, false},
		"nearly all":         {nil, 19, 20, false},
		"all":                {nil, 20, 20, true},
		"never to retry":     {&Retry{}, 1, 1, true},
		"seldom to retry":    {&Retry{Max: 1}, 19, 20, false},
		"nothing comes in":   {nil, 0, 1, false},
		"never, and nothing": {&Retry{}, 0, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{Retry: c.retry})
			ctx, calls := t.Context(), 0
			v, err := w.Scope(w.scope).AtomicOn(ctx, index, "k", func(s Scope) error {
				if _, err := s.Get(ctx, index, "k"); err != nil {
					return err
				}
				if calls++; calls <= c.loses {
					w.put("k", "other")
				}
				_, err := s.Put(ctx, index, "k", []byte("mine"), 0)
				return err
			})
			require.Equal(t, c.calls, calls)
			require.Equal(t, uint64(calls-1), w.Stats().Retries)
			require.Empty(t, w.waits)
			require.Equal(t, c.lost, errors.Is(err, backend.ErrConflict), "%v", err)
			require.Equal(t, c.lost, v == 0)
			requireCold(t, w.Manager)
		})
	}
}

func TestAtomicOnElsewhere(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	tx, s := w.begin(Options{})
	v, err := s.AtomicOn(ctx, index, "k", func(in Scope) error {
		require.Equal(t, s, in, "inside a transaction it is that one")
		require.Zero(t, w.queue.verify(t))
		_, err := in.Put(ctx, index, "k", nil, 0)
		return err
	})
	require.NoError(t, err)
	require.Zero(t, v)
	require.Equal(t, 1, tx.Counts().Puts)
	never := func(Scope) error { panic("called") }
	_, err = w.Scope(w.scope).Snapshot().AtomicOn(ctx, index, "k", never)
	require.ErrorIs(t, err, backend.ErrReadOnly)
	long := strings.Repeat("k", codec.MaxKeySize+1)
	_, err = w.Scope(w.scope).AtomicOn(ctx, index, long, never)
	require.ErrorIs(t, err, codec.ErrTooLarge)
	_, err = Scope{}.AtomicOn(ctx, index, "k", never)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)

	own := errors.New("mine")
	_, err = w.Scope(w.scope).AtomicOn(ctx, index, "k", func(Scope) error { return own })
	require.Equal(t, own, err)
	w.stub.commit = func(context.Context, *backend.Request) (backend.Outcome, error) {
		return backend.Outcome{}, backend.ErrStorage
	}
	_, err = w.Scope(w.scope).AtomicOn(ctx, index, "k", func(s Scope) error {
		_, err := s.Put(ctx, index, "k", nil, 0)
		return err
	})
	require.ErrorIs(t, err, backend.ErrStorage)
	require.Zero(t, w.queue.verify(t))
}

// A context that ends during a wait ends it, with our error, before the function is called.
func TestContextEndsTheWaitForATurn(t *testing.T) {
	w := newWorld(t, Config{})
	k := newHotKey(w.scope.Record, index, "k")
	mine, err := w.queue.enter(t.Context(), k)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = w.Scope(w.scope).AtomicOn(ctx, index, "k", func(Scope) error { panic("called") })
	require.ErrorIs(t, err, ErrTimeout)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "turn")

	_, err = w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		_, err := tx.Scope(w.scope).Get(ctx, index, "k")
		return err
	})
	require.ErrorIs(t, err, ErrTimeout, "a first read")

	ctx, cancel = context.WithCancel(t.Context())
	w.cfg.Sleep = func(context.Context, time.Duration) error { cancel(); return nil }
	calls := 0
	_, err = w.Update(ctx, w.scope, Options{}, func(tx *Tx) error {
		tx.Snapshot() // no turn for the first read
		return w.alwaysLose(ctx, &calls)(tx)
	})
	require.ErrorIs(t, err, ErrCanceled, "a retry")
	require.ErrorContains(t, err, "waiting for retry 1")
	require.Equal(t, 1, calls)
	require.Equal(t, 1, w.queue.verify(t))
	require.True(t, w.queue.leave(mine))
	requireCold(t, w.Manager)
}

// R076: panics and ends of goroutines leave no turn behind, wherever it was taken.
func TestR076TurnsEndWithPanics(t *testing.T) {
	for name, ends := range map[string]func(){
		"panic":  func() { panic("boom") },
		"goexit": runtime.Goexit,
	} {
		for how, run := range map[string]func(*world){
			"atomicOn": func(w *world) {
				_, _ = w.Scope(w.scope).AtomicOn(w.t.Context(), index, "k", func(Scope) error {
					require.Equal(w.t, 1, w.queue.verify(w.t))
					ends()
					return nil
				})
			},
			"retry": func(w *world) {
				calls := 0
				_, _ = w.Update(w.t.Context(), w.scope, Options{}, func(tx *Tx) error {
					if calls == 1 {
						require.Equal(w.t, 1, w.queue.verify(w.t))
						ends()
					}
					return w.alwaysLose(w.t.Context(), &calls)(tx)
				})
			},
			"first read": func(w *world) {
				k := newHotKey(w.scope.Record, index, "k")
				w.queue.announce(k)
				_, _ = w.Update(w.t.Context(), w.scope, Options{}, func(tx *Tx) error {
					_, err := tx.Scope(w.scope).Get(w.t.Context(), index, "k")
					require.NoError(w.t, err)
					w.queue.arrive(k)
					require.Equal(w.t, 1, w.queue.verify(w.t))
					ends()
					return nil
				})
			},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				w := newWorld(t, Config{})
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					defer func() { _ = recover() }()
					run(w)
				}()
				<-ended
				requireCold(t, w.Manager)
			})
		}
	}
}

// semantics 2.7: a direct operation on the function's own key cannot deadlock. It goes ahead when
// the function's turn is over time; the function then loses to it, and if it does so again and
// again, that ends in a conflict.
func TestAtomicOnInItself(t *testing.T) {
	for nested, c := range map[int]struct {
		calls int
		lost  bool
	}{1: {2, false}, 3: {4, false}, 99: {4, true}} {
		synctest.Test(t, func(t *testing.T) {
			m, run := modelManager(t, Config{})
			ctx, s, calls, start := t.Context(), m.Scope(run), 0, time.Now()
			add := func(s Scope) error { return increment(ctx, s, "k") }
			_, err := s.AtomicOn(ctx, codec.Cells, "k", func(in Scope) error {
				if calls++; calls <= nested {
					if _, err := s.AtomicOn(ctx, codec.Cells, "k", add); err != nil {
						return err
					}
				}
				return add(in)
			})
			require.Equal(t, c.lost, errors.Is(err, backend.ErrConflict), "%v", err)
			require.Equal(t, c.calls, calls)
			sum := min(nested, calls)
			if !c.lost {
				sum++
			}
			require.Equal(t, uint64(sum), number(t, s, "k"))
			require.LessOrEqual(t, time.Since(start), time.Duration(2*calls)*DefaultTurn)
			requireCold(t, m)
		})
	}
}

// Two functions that take two keys in opposite orders get on, too.
func TestAtomicOnCrosswise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := modelManager(t, Config{})
		ctx, s, start := t.Context(), m.Scope(run), time.Now()
		cross := func(outer, inner string) {
			_, err := s.AtomicOn(ctx, codec.Cells, outer, func(in Scope) error {
				time.Sleep(time.Millisecond)
				_, err := s.AtomicOn(ctx, codec.Cells, inner, func(s Scope) error {
					return increment(ctx, s, inner)
				})
				return errors.Join(err, increment(ctx, in, outer))
			})
			if err != nil {
				t.Error(err)
			}
		}
		go cross("a", "b")
		go cross("b", "a")
		synctest.Wait()
		time.Sleep(20 * DefaultTurn)
		synctest.Wait()
		require.Less(t, time.Since(start), 21*DefaultTurn)
		require.GreaterOrEqual(t, number(t, s, "a"), uint64(2))
		require.GreaterOrEqual(t, number(t, s, "b"), uint64(2))
		requireCold(t, m)
	})
}

// Who lost a turn by being late comes back behind those who wait.
func TestLateComersComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := modelManager(t, Config{})
		ctx, s := t.Context(), m.Scope(run)
		var all sync.WaitGroup
		add := func(after time.Duration, pauses ...time.Duration) {
			all.Go(func() {
				time.Sleep(after)
				calls := 0
				_, err := s.AtomicOn(ctx, codec.Cells, "k", func(s Scope) error {
					err := increment(ctx, s, "k")
					time.Sleep(pauses[min(calls, len(pauses)-1)])
					calls++
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		add(0, 25*DefaultTurn/10, 0)             // loses its turn, and to the second
		add(1, 0)                                // goes ahead
		add(22*DefaultTurn/10, 9*DefaultTurn/10) // has the turn when the first comes again
		all.Wait()
		require.Equal(t, uint64(3), number(t, s, "k"))
		require.Equal(t, uint64(1), m.Stats().Retries, "the first did not come between again")
		requireCold(t, m)
	})
}

// A retry does not wait for the turn of the attempt before it.
func TestRetriesLeaveTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start, calls := newWorld(t, Config{}), time.Now(), 0
		_, err := w.Update(t.Context(), w.scope, Options{}, w.alwaysLose(t.Context(), &calls))
		require.ErrorIs(t, err, backend.ErrConflict)
		require.Equal(t, 4, calls)
		require.Equal(t, start, time.Now())
		requireCold(t, w.Manager)
	})
}
