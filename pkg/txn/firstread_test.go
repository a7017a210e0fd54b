package txn

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A transaction that begins by reading a hot key waits for its turn and begins then: it sees what
// was committed meanwhile, and does not lose to it.
func TestFirstReadOfAHotKey(t *testing.T) {
	for name, read := range map[string]func(context.Context, Scope) error{
		"get": func(ctx context.Context, s Scope) error {
			_, err := s.Get(ctx, codec.Cells, "k")
			return err
		},
		"log": func(ctx context.Context, s Scope) error {
			_, _, err := s.EventHead(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testFirstRead(t, read) })
		})
	}
}

func testFirstRead(t *testing.T, read func(context.Context, Scope) error) {
	m, run := modelManager(t, Config{})
	ctx, direct := t.Context(), m.Scope(run)
	rewrite := func(s Scope) error {
		_, _, err := s.Append(ctx, []Event{event("a", "")})
		return errors.Join(err, increment(ctx, s, "k"))
	}
	var turns []turn
	for _, p := range []codec.Primitive{codec.Cells, codec.Events} {
		mine, err := m.queue.enter(ctx, newHotKey(run.Record, p, "k"))
		require.NoError(t, err)
		turns = append(turns, mine)
	}
	done := make(chan error, 1)
	begun := time.Now()
	go func() {
		_, err := m.Update(ctx, run, Options{}, func(tx *Tx) error {
			_, err := tx.Scope(run).Put(ctx, codec.KV, "blind", []byte{0xf6}, 0)
			if err = errors.Join(err, read(ctx, tx.Scope(run))); err != nil {
				return err
			}
			if tx.Snapshot() != m.b.Published() || tx.now != time.Now().UnixNano() {
				return errors.New("not begun anew")
			}
			return rewrite(tx.Scope(run))
		})
		done <- err
	}()
	synctest.Wait()
	require.Empty(t, done)
	_, err := direct.Atomic(ctx, func(s Scope) error { // no first read of k: it sees no line
		_, err := s.Peek(ctx, codec.Cells, "other")
		return errors.Join(err, rewrite(s))
	})
	require.NoError(t, err)
	time.Sleep(DefaultTurn / 2)
	for _, mine := range turns {
		require.True(t, m.queue.leave(mine))
	}
	require.NoError(t, <-done)
	require.Equal(t, DefaultTurn/2, time.Since(begun))
	require.Equal(t, uint64(2), number(t, direct, "k"))
	require.Zero(t, m.Stats().Retries)
	requireCold(t, m)
}

// Once a transaction has seen anything of its snapshot it keeps it, and waits for nobody; so does
// one that was begun by hand.
func TestOnlyTheFirstReadTakesATurn(t *testing.T) {
	for name, look := range map[string]func(*Tx, Scope){
		"get":      func(tx *Tx, s Scope) { _, _ = s.Get(tx.ctx(), index, "other") },
		"peek":     func(tx *Tx, s Scope) { _, _ = s.Peek(tx.ctx(), index, "other") },
		"delete":   func(tx *Tx, s Scope) { _, _ = s.Delete(tx.ctx(), index, "other") },
		"deleteIf": func(tx *Tx, s Scope) { _, _ = s.DeleteIf(tx.ctx(), index, "other") },
		"scan":     func(tx *Tx, s Scope) { s.Scan(tx.ctx(), index, Range{}).Close() },
		"head":     func(tx *Tx, s Scope) { _, _, _ = s.EventHead(tx.ctx()) },
		"append":   func(tx *Tx, s Scope) { _, _, _ = s.Append(tx.ctx(), []Event{event("a", "")}) },
		"commits":  func(tx *Tx, s Scope) { _, _ = s.Commits(tx.ctx()) },
		"snapshot": func(tx *Tx, s Scope) { tx.Snapshot() },
		"now":      func(tx *Tx, s Scope) { s.Now() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{Turn: time.Hour})
			w.put("k", "1")
			mine, err := w.queue.enter(t.Context(), newHotKey(w.scope.Record, index, "k"))
			require.NoError(t, err)
			_, err = w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
				s := tx.Scope(w.scope)
				look(tx, s)
				before := tx.snapshot
				w.put("later", "1")
				_, err := s.Get(t.Context(), index, "k")
				require.Equal(t, before, tx.snapshot)
				return err
			})
			require.NoError(t, err)
			require.True(t, w.queue.leave(mine))
			requireCold(t, w.Manager)
		})
	}
	w := newWorld(t, Config{Turn: time.Hour})
	mine, err := w.queue.enter(t.Context(), newHotKey(w.scope.Record, index, "k"))
	require.NoError(t, err)
	_, s := w.begin(Options{})
	_, err = s.Get(t.Context(), index, "k")
	require.NoError(t, err)
	require.True(t, w.queue.leave(mine))
}

// ctx keeps the table above short.
func (t *Tx) ctx() context.Context { return context.Background() }

// A transaction whose new beginning fails is what it was: it ends, and gives its pin back once.
func TestFirstReadThatCannotBeginAnew(t *testing.T) {
	w := newWorld(t, Config{})
	k := newHotKey(w.scope.Record, index, "k")
	w.queue.announce(k)
	_, err := w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		w.stub.begin = backend.ErrClosed
		_, err := tx.Scope(w.scope).Get(t.Context(), index, "k")
		return err
	})
	require.ErrorIs(t, err, backend.ErrClosed)
	w.queue.arrive(k)
	requireCold(t, w.Manager)
	require.Equal(t, int64(1), w.stub.releases.Load())
}

// A retry has its turn at the first key that it lost, and others wait for it.
func TestARetryTakesATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept := make(chan time.Duration, 1)
		var m *Manager
		var run *backend.Scope
		m, run = modelManager(t, Config{Sleep: func(_ context.Context, d time.Duration) error {
			require.True(t, m.queue.isHot(newHotKey(run.Record, codec.Cells, "a")))
			slept <- d
			return nil
		}})
		ctx, direct, calls := t.Context(), m.Scope(run), 0
		var order []string
		add := func(s Scope) error {
			return errors.Join(increment(ctx, s, "b"), increment(ctx, s, "a"))
		}
		done := make(chan struct{})
		_, err := m.Update(ctx, run, Options{}, func(tx *Tx) error {
			s := tx.Scope(run)
			if err := add(s); err != nil {
				return err
			}
			if calls++; calls == 1 { // lose both keys
				_, err := direct.Atomic(ctx, add)
				return err
			}
			require.Len(t, slept, 1, "a retry waits as ever")
			require.Equal(t, 1, m.queue.verify(t))
			require.True(t, m.queue.isHot(newHotKey(run.Record, codec.Cells, "a")))
			go func() {
				defer close(done)
				_, err := direct.AtomicOn(ctx, codec.Cells, "a", add)
				if err != nil {
					t.Error(err)
				}
				order = append(order, "other")
			}()
			synctest.Wait()
			order = append(order, "retry")
			return nil
		})
		require.NoError(t, err)
		<-done
		require.Equal(t, []string{"retry", "other"}, order)
		require.Equal(t, uint64(3), number(t, direct, "a"))
		require.Equal(t, uint64(1), m.Stats().Retries)
		requireCold(t, m)
	})
}
