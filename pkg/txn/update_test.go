package txn

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// R078: the limits double up to the cap, and no attempt overflows.
func TestR078RetryLimits(t *testing.T) {
	ms := time.Millisecond
	r := DefaultRetry()
	require.Equal(t, 3, r.Max)
	for attempt, want := range []time.Duration{10 * ms, 20 * ms, 40 * ms, 80 * ms, 100 * ms} {
		require.Equal(t, want, r.Limit(attempt), "attempt %d", attempt)
	}
	for _, attempt := range []int{5, 31, 32, 62, 63, 64, 65, 1000, math.MaxInt} {
		require.Equal(t, 100*ms, r.Limit(attempt), "attempt %d", attempt)
	}
	wide := &Retry{Base: time.Nanosecond, Cap: math.MaxInt64}
	require.Equal(t, time.Duration(1)<<62, wide.Limit(62))
	require.Equal(t, time.Duration(math.MaxInt64), wide.Limit(63))
	require.Equal(t, 10*ms, (&Retry{}).Limit(0), "zero fields are the defaults")
}

// alwaysLose makes every attempt lose: a direct put comes between its read and its commit.
func (w *world) alwaysLose(ctx context.Context, calls *int) func(*Tx) error {
	return func(tx *Tx) error {
		*calls++
		if _, err := tx.Scope(w.scope).Get(ctx, index, "k"); err != nil {
			return err
		}
		w.put("k", "other")
		_, err := tx.Scope(w.scope).Put(ctx, index, "k", []byte("mine"), 0)
		return err
	}
}

// R079: attempts are retries plus one, each on a fresh snapshot; the last conflict comes back.
func TestR079AttemptsAndDelays(t *testing.T) {
	ms := time.Millisecond
	for name, c := range map[string]struct {
		retry *Retry
		calls int
		waits []time.Duration
	}{
		"default": {nil, 4, []time.Duration{10 * ms, 20 * ms, 40 * ms}},
		"never":   {&Retry{}, 1, nil},
		"own": {&Retry{Max: 5, Base: ms, Cap: 3 * ms}, 6,
			[]time.Duration{ms, 2 * ms, 3 * ms, 3 * ms, 3 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			calls := 0
			v, err := w.Update(t.Context(), w.scope, Options{Retry: c.retry},
				w.alwaysLose(t.Context(), &calls))
			require.Zero(t, v)
			var conflict *ConflictError
			require.ErrorAs(t, err, &conflict)
			require.ErrorIs(t, err, backend.ErrConflict)
			require.NotErrorIs(t, err, backend.ErrVersionMismatch)
			require.Len(t, conflict.Keys, 1)
			require.Equal(t, uint64(calls), conflict.Keys[0].Found, "the last attempt's conflict")
			require.Equal(t, c.calls, calls)
			require.Equal(t, c.waits, w.waits)
			s := w.Stats()
			require.Equal(t, uint64(calls), s.Started)
			require.Equal(t, uint64(calls), s.Conflicts)
			require.Equal(t, uint64(calls-1), s.Retries)
			require.Zero(t, s.Active)
		})
	}
}

func TestR079FullJitter(t *testing.T) {
	var asked []int64
	w := newWorld(t, Config{Int64N: func(n int64) int64 { asked = append(asked, n); return 0 }})
	calls := 0
	_, err := w.Update(t.Context(), w.scope, Options{}, w.alwaysLose(t.Context(), &calls))
	require.ErrorIs(t, err, backend.ErrConflict)
	require.Equal(t, []int64{10e6 + 1, 20e6 + 1, 40e6 + 1}, asked, "from nothing to the limit")
	require.Equal(t, []time.Duration{0, 0, 0}, w.waits)
}

// A retry waits until what it lost to can be read.
func TestRetryWaitsForPublication(t *testing.T) {
	w := newWorld(t, Config{})
	w.stub.commit = func(_ context.Context, r *backend.Request) (backend.Outcome, error) {
		if len(w.stub.requests) == 1 {
			return backend.Outcome{}, &backend.ConflictError{Keys: []backend.Conflict{
				{Key: "a", Found: 70}, {Key: "b", Found: 90}, {Key: "c", Found: 80},
			}}
		}
		return backend.Outcome{}, nil
	}
	_, err := w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		_, err := tx.Scope(w.scope).Put(t.Context(), index, "a", nil, 0)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, []uint64{90}, w.stub.waited)
}

// R079: only conflicts of the commit are retried, not what the function returns.
func TestR079FunctionErrorsAreNotRetried(t *testing.T) {
	own := errors.New("mine")
	for name, c := range map[string]struct {
		fail func(w *world) error
		is   error
	}{
		"own error": {func(*world) error { return own }, own},
		"context error of the function": {
			func(*world) error { return context.DeadlineExceeded }, context.DeadlineExceeded},
		"direct cas": {func(w *world) error {
			_, err := w.Scope(w.scope).CAS(w.t.Context(), index, "k", 99, nil)
			return err
		}, backend.ErrVersionMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			calls := 0
			var returned error
			_, err := w.Update(t.Context(), w.scope, Options{}, func(*Tx) error {
				calls++
				returned = c.fail(w)
				return returned
			})
			require.ErrorIs(t, err, c.is)
			require.True(t, err == returned, "unchanged") //nolint:errorlint
			require.Equal(t, 1, calls)
			require.Equal(t, uint64(1), w.Stats().Function)
		})
	}
}

func TestOtherErrorsAreNotRetried(t *testing.T) {
	for _, cause := range []error{
		backend.ErrTxnTooOld, backend.ErrStorage, backend.ErrClosed, backend.ErrReadOnly,
		&backend.ScopeStatusError{Record: "r"}, context.Canceled, context.DeadlineExceeded,
	} {
		w := newWorld(t, Config{})
		w.stub.commit = func(context.Context, *backend.Request) (backend.Outcome, error) {
			return backend.Outcome{}, cause
		}
		calls := 0
		_, err := w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
			calls++
			_, err := tx.Scope(w.scope).Put(t.Context(), index, "k", nil, 0)
			return err
		})
		require.ErrorIs(t, err, cause)
		require.Equal(t, 1, calls, "%v", cause)
	}
}

// R080: the deadline is checked after the function and before the commit, and names the limit.
func TestR080Timeout(t *testing.T) {
	w := newWorld(t, Config{})
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err := w.Update(ctx, w.scope, Options{}, func(*Tx) error { return nil })
	require.ErrorIs(t, err, ErrTimeout)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	ctx, cancel = context.WithCancel(t.Context())
	calls := 0
	_, err = w.Update(ctx, w.scope, Options{}, func(tx *Tx) error {
		calls++
		_, err := tx.Scope(w.scope).Put(ctx, index, "k", nil, 0)
		w.clock.Add(int64(3 * time.Second))
		cancel()
		return err
	})
	require.ErrorIs(t, err, ErrCanceled)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "ran for 3s")
	require.Equal(t, 1, calls)
	require.Empty(t, w.stub.requests, "nothing reached the authority")
	require.Equal(t, uint64(1), w.Stats().Contexts)

	own := errors.New("mine")
	ctx, cancel = context.WithCancel(t.Context())
	_, err = w.Update(ctx, w.scope, Options{}, func(*Tx) error { cancel(); return own })
	require.Equal(t, own, err, "an error of the function takes precedence")
}

func TestContextEndsTheWaitForARetry(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld(t, Config{Sleep: func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}})
	calls := 0
	_, err := w.Update(ctx, w.scope, Options{}, w.alwaysLose(t.Context(), &calls))
	require.ErrorIs(t, err, ErrCanceled)
	require.Equal(t, 1, calls)

	w.stub.waitErr = backend.ErrClosed
	w.stub.published = func(uint64) uint64 { return 0 }
	_, err = w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		calls++
		w.stub.commit = func(context.Context, *backend.Request) (backend.Outcome, error) {
			return backend.Outcome{}, &backend.ConflictError{Keys: []backend.Conflict{{Found: 5}}}
		}
		_, err := tx.Scope(w.scope).Put(t.Context(), index, "k", nil, 0)
		return err
	})
	require.ErrorIs(t, err, backend.ErrClosed)
	require.Equal(t, 2, calls)
}

// R076: a panic rolls back and goes on up; so does the end of the goroutine.
func TestR076Panic(t *testing.T) {
	w := newWorld(t, Config{})
	var kept *Tx
	require.PanicsWithValue(t, "boom", func() {
		_, _ = w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
			kept = tx
			_, err := tx.Scope(w.scope).Put(t.Context(), index, "k", nil, 0)
			require.NoError(t, err)
			panic("boom")
		})
	})
	_, err := kept.Scope(w.scope).Get(t.Context(), index, "k")
	require.ErrorIs(t, err, ErrTxnDone)

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = w.Update(t.Context(), w.scope, Options{}, func(*Tx) error {
			runtime.Goexit()
			return nil
		})
	}()
	<-ended
	s := w.Stats()
	require.Equal(t, uint64(2), s.Function)
	require.Zero(t, s.Active)
	require.Equal(t, int64(2), w.stub.releases.Load())
	require.Empty(t, w.stub.requests)

	w.put("k", "after")
	require.PanicsWithValue(t, "view", func() {
		_ = w.View(t.Context(), func(*View) error { panic("view") })
	})
}

// A function cannot end the transaction that Update ends; it may go on after trying.
func TestManagedTransactionsRefuseCommitAndRollback(t *testing.T) {
	w := newWorld(t, Config{})
	v, err := w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		_, err := tx.Commit(t.Context())
		require.Error(t, err)
		require.Error(t, tx.Rollback())
		_, err = tx.Scope(w.scope).Put(t.Context(), index, "k", nil, 0)
		return err
	})
	require.NoError(t, err)
	require.NotZero(t, v)
}

// R222: an error in validation aborts, it is never read as version 0.
func TestR222StorageErrorInValidation(t *testing.T) {
	w := newWorld(t, Config{})
	broken := errors.Join(backend.ErrStorage, errors.New("disk"))
	w.stub.commit = func(context.Context, *backend.Request) (backend.Outcome, error) {
		return backend.Outcome{}, broken
	}
	_, err := w.Scope(w.scope).CAS(t.Context(), index, "k", 0, nil)
	require.ErrorIs(t, err, backend.ErrStorage)
	require.NotErrorIs(t, err, backend.ErrConflict)
}
