package txn

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Dropped transactions are rolled back by the garbage collector: their pins go, their buffers too.
func TestAbandonedTransactionsDoNotLeak(t *testing.T) {
	w := newWorld(t, Config{})
	w.put("k", "v")
	const many = 2000
	drop := func() {
		for i := range many {
			tx, err := w.Begin(t.Context(), w.scope, Options{})
			require.NoError(t, err)
			s := tx.Scope(w.scope)
			_, err = s.Get(t.Context(), index, "k")
			require.NoError(t, err)
			_, err = s.Put(t.Context(), index, fmt.Sprint(i), make([]byte, 1000), 0)
			require.NoError(t, err)
		}
	}
	drop()
	require.Eventually(t, func() bool {
		runtime.GC()
		return w.stub.releases.Load() == many
	}, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, uint64(many), w.Stats().Abandoned)
	require.Zero(t, w.Stats().Active)
}

// The end stops the garbage collector's part: every pin is released once.
func TestPinsAreReleasedOnce(t *testing.T) {
	w := newWorld(t, Config{})
	for i := range 100 {
		tx, s := w.begin(Options{})
		if i%2 == 0 {
			_, err := s.Put(t.Context(), index, "k", nil, 0)
			require.NoError(t, err)
			_, err = tx.Commit(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, i%2 == 0, tx.Rollback() != nil)
	}
	runtime.GC()
	runtime.GC()
	time.Sleep(10 * time.Millisecond)
	require.Equal(t, int64(100), w.stub.releases.Load())
	s := w.Stats()
	require.Equal(t, [4]uint64{100, 50, 50, 0},
		[4]uint64{s.Started, s.Committed, s.RolledBack, s.Abandoned})
}

// semantics 2.14: a transaction that pins too much is told at its next operation, not only at
// commit.
func TestTooOld(t *testing.T) {
	w := newWorld(t, Config{})
	tx, s := w.begin(Options{})
	w.stub.pinErr = backend.ErrTxnTooOld
	_, err := s.Get(t.Context(), index, "k")
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
	_, err = s.Put(t.Context(), index, "k", nil, 0)
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
	c := s.Scan(t.Context(), index, Range{})
	require.False(t, c.Next())
	require.ErrorIs(t, c.Err(), backend.ErrTxnTooOld)
	c.Close()
	v, err := tx.Commit(t.Context())
	require.NoError(t, err, "what only read commits, always")
	require.Zero(t, v)
}

func TestSizeLimits(t *testing.T) {
	w := newWorld(t, Config{MaxBytes: 100, MaxWrites: 3})
	tx, s := w.begin(Options{})
	put := func(key string, n int) error {
		_, err := s.Put(t.Context(), index, key, make([]byte, n), 0)
		return err
	}
	require.NoError(t, put("a", 99))
	require.ErrorIs(t, put("b", 0), codec.ErrTooLarge, "one byte too many")
	require.NoError(t, put("a", 10), "a rewrite counts once")
	require.NoError(t, put("b", 10))
	require.NoError(t, put("c", 10))
	require.ErrorIs(t, put("d", 0), codec.ErrTooLarge, "one write too many")
	require.NoError(t, put("c", 20))
	_, err := s.Delete(t.Context(), index, "d")
	require.ErrorIs(t, err, codec.ErrTooLarge)
	for range 3 {
		_, err = s.CAS(t.Context(), index, "c", 0, nil)
		require.NoError(t, err)
	}
	_, err = s.CAS(t.Context(), index, "c", 0, nil)
	require.ErrorIs(t, err, codec.ErrTooLarge, "conditions are bounded as well")
	require.Equal(t, Counts{Puts: 3, Conditions: 3, Bytes: 26}, tx.Counts())
	_, err = tx.Commit(t.Context())
	require.NoError(t, err, "what was refused is not part of it")

	_, s = w.begin(Options{Housekeeping: true})
	require.NoError(t, put("a", 1000), "housekeeping has its own limits")
	require.ErrorIs(t, put("b", DefaultMaxBytes-1000), codec.ErrTooLarge)

	_, err = w.Scope(w.scope).Put(t.Context(), index, "a", make([]byte, 100), 0)
	require.ErrorIs(t, err, codec.ErrTooLarge, "a direct write is a transaction, too")
	long := strings.Repeat("k", codec.MaxKeySize+1)
	_, err = w.Scope(w.scope).Get(t.Context(), index, long)
	require.ErrorIs(t, err, codec.ErrTooLarge)
	_, err = w.Scope(w.scope).Delete(t.Context(), index, long)
	require.ErrorIs(t, err, codec.ErrTooLarge)
}

func TestDurabilityAndFreshBuffersReachTheAuthority(t *testing.T) {
	w := newWorld(t, Config{})
	_, err := w.Update(t.Context(), w.scope, Options{Durability: backend.Durable},
		func(tx *Tx) error {
			_, err := tx.Scope(w.scope).Put(t.Context(), index, "k", nil, 0)
			return err
		})
	require.NoError(t, err)
	require.Equal(t, backend.Durable, w.stub.requests[0].Durability)
	w.put("k", "v")
	require.Equal(t, backend.AsMode, w.stub.requests[1].Durability)
	require.Nil(t, w.stub.requests[1].Pin)
}

// R070, R075: what only read, and what was aborted, never reaches the authority.
func TestR070ReadOnlyTakesNoCommit(t *testing.T) {
	w := newWorld(t, Config{})
	w.put("k", "v")
	before := len(w.stub.requests)
	v, err := w.Update(t.Context(), w.scope, Options{Isolation: Serializable}, func(tx *Tx) error {
		s := tx.Scope(w.scope)
		_, err := s.Get(t.Context(), index, "k")
		c := s.Scan(t.Context(), index, Range{})
		defer c.Close()
		for c.Next() {
		}
		return errors.Join(err, c.Err())
	})
	require.NoError(t, err)
	require.Zero(t, v)
	require.Len(t, w.stub.requests, before)
}

// A scan that is still open at the commit counts up to where it is.
func TestSerializableScanOpenAtCommit(t *testing.T) {
	for _, c := range []struct {
		reverse bool
		key     string
		lost    bool
	}{
		{false, "a5", true}, {false, "b5", false}, {true, "c5", true}, {true, "b5", false},
	} {
		w := newWorld(t, Config{})
		for _, k := range []string{"a", "b", "c", "d"} {
			w.put(k, "v")
		}
		tx, s := w.begin(Options{Isolation: Serializable})
		cursor := s.Scan(t.Context(), index, Range{Reverse: c.reverse})
		require.True(t, cursor.Next())
		require.True(t, cursor.Next())
		_, err := s.Put(t.Context(), index, "z", nil, 0)
		require.NoError(t, err)
		w.put(c.key, "phantom")
		_, err = tx.Commit(t.Context())
		require.Equal(t, c.lost, errors.Is(err, backend.ErrConflict), "%+v: %v", c, err)
		require.False(t, cursor.Next())
		require.ErrorIs(t, cursor.Err(), ErrTxnDone)
		cursor.Close()
		cursor.Close()
	}
}

// A scan shows the transaction as it was when the scan began.
func TestScanIgnoresWritesDuringIt(t *testing.T) {
	w := newWorld(t, Config{})
	w.put("b", "below")
	_, s := w.begin(Options{})
	_, err := s.Put(t.Context(), index, "a", []byte("own"), 0)
	require.NoError(t, err)
	c := s.Scan(t.Context(), index, Range{})
	defer c.Close()
	var seen []string
	for c.Next() {
		seen = append(seen, c.Key()+"="+string(c.Entry().Value))
		_, err := s.Put(t.Context(), index, c.Key()+"+", nil, 0)
		require.NoError(t, err)
		_, err = s.Delete(t.Context(), index, c.Key())
		require.NoError(t, err)
	}
	require.NoError(t, c.Err())
	require.Equal(t, []string{"a=own", "b=below"}, seen)
}

func TestErrorsOfTheAuthority(t *testing.T) {
	w := newWorld(t, Config{})
	w.put("k", "v")
	tx, s := w.begin(Options{})
	for _, cause := range []error{backend.ErrStorage, codec.ErrCorrupt, context.Canceled} {
		w.stub.get = func(string) error { return cause }
		w.stub.next = func() error { return cause }
		for _, scope := range []Scope{s, w.Scope(w.scope)} {
			_, err := scope.Get(t.Context(), index, "k")
			require.ErrorIs(t, err, cause)
			c := scope.Scan(t.Context(), index, Range{})
			require.False(t, c.Next())
			require.ErrorIs(t, c.Err(), cause)
			require.False(t, c.Next())
			c.Close()
		}
		_, err := s.Delete(t.Context(), index, "k")
		require.ErrorIs(t, err, cause)
	}
	require.Zero(t, tx.Counts().Reads, "what failed was not read")
}

// A commit that cannot be read yet is waited for; whether it lasts can then become unknown.
func TestSettle(t *testing.T) {
	w := newWorld(t, Config{})
	w.stub.published = func(uint64) uint64 { return 0 }
	v := w.put("k", "v")
	require.Equal(t, []uint64{v}, w.stub.waited)
	w.stub.waitErr = backend.ErrStorage
	_, err := w.Scope(w.scope).Put(t.Context(), index, "k", nil, 0)
	var unknown *backend.UnknownOutcomeError
	require.ErrorAs(t, err, &unknown)
	require.ErrorIs(t, err, backend.ErrStorage)

	ctx, cancel := context.WithCancel(t.Context())
	w.stub.waitErr = context.Canceled
	tx, s := w.begin(Options{})
	_, err = s.Put(t.Context(), index, "k", nil, 0)
	require.NoError(t, err)
	w.stub.commit = func(context.Context, *backend.Request) (backend.Outcome, error) {
		cancel()
		return backend.Outcome{Version: 77}, nil
	}
	v, err = tx.Commit(ctx)
	require.NoError(t, err, "the outcome is known")
	require.Equal(t, uint64(77), v)
}

func TestScopesThatCannotBeUsed(t *testing.T) {
	w := newWorld(t, Config{})
	a := &backend.Scope{Number: 1, Record: "a"}
	b := &backend.Scope{Number: 2, Record: "b"}
	one, err := w.Begin(t.Context(), a, Options{})
	require.NoError(t, err)
	several, err := w.Begin(t.Context(), nil, Options{})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		s    Scope
		text string
	}{
		"zero":                  {Scope{}, "not made by an open database"},
		"foreign run":           {one.Scope(b), "belongs to run a"},
		"no run in transaction": {several.Scope(nil), "names each run"},
		"no run in view":        {w.newView().Scope(nil), "names each run"},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(err error) {
				t.Helper()
				require.ErrorIs(t, err, codec.ErrInvalidArgument)
				require.ErrorContains(t, err, c.text)
			}
			_, err := c.s.Get(t.Context(), codec.KV, "k")
			check(err)
			_, err = c.s.Put(t.Context(), codec.KV, "k", nil, 0)
			check(err)
			_, err = c.s.Delete(t.Context(), codec.KV, "k")
			check(err)
			_, err = c.s.CAS(t.Context(), codec.KV, "k", 0, nil)
			check(err)
			_, err = c.s.Deadline(time.Second)
			check(err)
			_, err = c.s.CommitTime(t.Context(), 1)
			check(err)
			_, err = c.s.Snapshot().Get(t.Context(), codec.KV, "k")
			check(err)
			cursor := c.s.Scan(t.Context(), codec.KV, Range{})
			require.False(t, cursor.Next())
			check(cursor.Err())
			cursor.Close()
			require.NotEmpty(t, c.s.Name())
		})
	}
	require.NoError(t, one.Rollback())
	require.NoError(t, several.Rollback())
}
