package txn

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// What a transaction's buffers held is gone with it: the next one that has them begins with
// nothing, however large the first was, and who keeps a transaction beyond its end does not get at
// them.
func TestBuffersForget(t *testing.T) {
	for _, n := range []int{1, firstWrites + 1, 2 * keptWrites, 2 * keptReads} {
		w := newWorld(t, Config{})
		old, s := w.begin(Options{})
		lent := old.lent
		for i := range n {
			key := fmt.Sprint("key-", i)
			_, err := s.Get(t.Context(), index, key)
			require.NoError(t, err)
			_, err = s.Put(t.Context(), index, key, []byte("x"), 0)
			require.NoError(t, err)
		}
		require.NoError(t, old.Rollback())
		require.Nil(t, old.lent)
		require.Empty(t, lent.reads)
		require.Empty(t, lent.writes)
		require.LessOrEqual(t, cap(lent.reads), keptReads)
		require.LessOrEqual(t, cap(lent.writes), keptWrites)
		for _, r := range lent.reads[:cap(lent.reads)] {
			require.Zero(t, r)
		}
		for i := range lent.writes[:cap(lent.writes)] {
			require.Zero(t, lent.writes[:i+1][i])
		}

		next, _ := w.begin(Options{})
		_, err := s.Put(t.Context(), index, "late", []byte("x"), 0)
		require.ErrorIs(t, err, ErrTxnDone)
		require.Zero(t, next.Counts())
		version, err := next.Commit(t.Context())
		require.NoError(t, err)
		require.Zero(t, version)
	}
}

// Nobody ends a transaction while another goroutine commits it: what the authority looks at is
// handed to nobody else.
func TestBuffersOfACommitThatIsToBeEnded(t *testing.T) {
	w := newWorld(t, Config{})
	tx, s := w.begin(Options{})
	_, err := s.Put(t.Context(), index, "mine", []byte("x"), 0)
	require.NoError(t, err)
	w.stub.commit = func(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
		w.stub.commit = nil
		_, err := tx.Commit(ctx)
		require.ErrorIs(t, err, ErrTxnDone)
		require.ErrorIs(t, tx.Rollback(), ErrTxnDone)
		for i := range 20 {
			other, o := w.begin(Options{})
			_, err := o.Put(ctx, index, fmt.Sprint("other-", i), []byte("y"), 0)
			require.NoError(t, err)
			require.NoError(t, other.Rollback())
		}
		require.Len(t, r.Writes, 1)
		require.Equal(t, "mine", r.Writes[0].Key)
		return w.stub.Commit(ctx, r)
	}
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	e, err := w.Scope(w.scope).Get(t.Context(), index, "mine")
	require.NoError(t, err)
	require.True(t, e.Exists)
	_, err = tx.Commit(t.Context())
	require.ErrorIs(t, err, ErrTxnDone)
}

// What the authority has taken away is given back once, and a commit after that still has what it
// needs to be refused.
func TestBuffersOfATransactionThatIsTooOld(t *testing.T) {
	w := newWorld(t, Config{})
	tx, s := w.begin(Options{})
	w.stub.pinErr = backend.ErrTxnTooOld
	_, err := s.Get(t.Context(), index, "key")
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
	require.Nil(t, tx.lent)
	tx.CreateScope(w.scope)
	w.stub.commit = func(_ context.Context, r *backend.Request) (backend.Outcome, error) {
		require.Len(t, r.CreateScopes, 1)
		return backend.Outcome{}, r.Pin.Err()
	}
	_, err = tx.Commit(t.Context())
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
	require.Nil(t, tx.lent)
}

// An authority may return while its own goroutines still look at values: those are never handed on.
func TestBuffersLeaveValuesAlone(t *testing.T) {
	w := newWorld(t, Config{})
	var kept []byte
	w.stub.commit = func(_ context.Context, r *backend.Request) (backend.Outcome, error) {
		kept = r.Writes[0].Value
		return backend.Outcome{}, nil
	}
	for i := range 3 {
		value := []byte{byte(i)}
		tx, s := w.begin(Options{})
		_, err := s.Put(t.Context(), index, "key", value, 0)
		require.NoError(t, err)
		_, err = tx.Commit(t.Context())
		require.NoError(t, err)
		require.Equal(t, value, kept)
		require.Same(t, &value[0], &kept[0])
	}
}

// A rollback beside a commit, soon written as one by a timer, comes too late: the snapshot that the
// authority validates from stays the transaction's, or a phantom would pass.
func TestRollbackDuringACommit(t *testing.T) {
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			m, run := open(t, Config{})
			inner := m.b
			put := func(key string) {
				_, err := m.Scope(run).Put(t.Context(), index, key, []byte("x"), 0)
				require.NoError(t, err)
			}
			put("key-1")
			tx, err := m.Begin(t.Context(), run, Options{Isolation: Serializable})
			require.NoError(t, err)
			c := tx.Scope(run).Scan(t.Context(), index, PrefixRange("key-"))
			for c.Next() {
			}
			require.NoError(t, c.Err())
			c.Close()
			_, err = tx.Scope(run).Put(t.Context(), index, "sum", []byte("1"), 0)
			require.NoError(t, err)

			hook := &stub{Backend: inner}
			hook.commit = func(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
				m.b = inner
				require.ErrorIs(t, tx.Rollback(), ErrTxnDone)
				put("key-2")
				other, err := m.Begin(ctx, run, Options{}) // may have what was given back
				require.NoError(t, err)
				defer func() { _ = other.Rollback() }()
				return inner.Commit(ctx, r)
			}
			m.b = hook
			_, err = tx.Commit(t.Context())
			require.ErrorIs(t, err, backend.ErrConflict)
			require.ErrorIs(t, tx.Rollback(), ErrTxnDone)
		})
	}
}
