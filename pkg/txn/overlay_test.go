package txn

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// What is beneath a transaction is its snapshot without its own writes, and reading it is no read.
func TestBeneath(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, Config{})
	s := w.Scope(w.scope)
	put := func(s Scope, key, value string) {
		_, err := s.Put(ctx, codec.Vectors, key, []byte(value), 0)
		require.NoError(t, err)
	}
	get := func(s Scope, key string) string {
		e, err := s.Get(ctx, codec.Vectors, key)
		require.NoError(t, err)
		return string(e.Value)
	}
	put(s, "a", "old")
	at, err := s.At()
	require.NoError(t, err)
	tx, err := w.Begin(ctx, w.scope, Options{})
	require.NoError(t, err)
	in := tx.Scope(w.scope)
	put(in, "a", "mine")
	_, err = in.Delete(ctx, codec.Vectors, "b")
	require.NoError(t, err)
	put(s, "a", "theirs")
	beneath, err := in.Beneath()
	require.NoError(t, err)
	require.Equal(t, "old", get(beneath, "a"))
	version, err := beneath.At()
	require.NoError(t, err)
	require.Equal(t, at, version)
	_, err = beneath.Put(ctx, codec.Vectors, "a", nil, 0)
	require.ErrorIs(t, err, backend.ErrReadOnly)
	var pending []string
	for key, e := range in.Pending(codec.Vectors, PrefixRange("")) {
		pending = append(pending, key+"="+string(e.Value))
	}
	require.Equal(t, []string{"a=mine", "b="}, pending)
	for range s.Pending(codec.Vectors, PrefixRange("")) {
		require.Fail(t, "nothing is pending outside of a transaction")
	}
	_, err = tx.Commit(ctx)
	require.NoError(t, err, "nothing was read")
	_, err = in.Beneath()
	require.ErrorIs(t, err, ErrTxnDone)
	for range in.Pending(codec.Vectors, PrefixRange("")) {
		require.Fail(t, "it has ended")
	}
	in.GuardRange(codec.Vectors, PrefixRange(""))
	direct, err := s.Beneath()
	require.NoError(t, err)
	require.Equal(t, "mine", get(direct, "a"))
	_, err = Scope{}.Beneath()
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	require.Same(t, w.scope, s.Handle())
}

// A guarded range admits no phantom in any isolation, one that was only read in Serializable.
func TestGuardRange(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		isolation Isolation
		tell      func(Scope, codec.Primitive, Range)
		key       string
		conflict  bool
	}{
		{Snapshot, Scope.GuardRange, "a1", true},
		{Serializable, Scope.GuardRange, "a1", true},
		{Snapshot, Scope.GuardRange, "b", false},
		{Snapshot, Scope.ReadRange, "a1", false},
		{Serializable, Scope.ReadRange, "a1", true},
		{Serializable, Scope.ReadRange, "b", false},
	} {
		w := newWorld(t, Config{})
		tx, err := w.Begin(ctx, w.scope, Options{Isolation: test.isolation})
		require.NoError(t, err)
		r := PrefixRange("a")
		r.Reverse = true
		test.tell(tx.Scope(w.scope), codec.Vectors, r)
		_, err = tx.Scope(w.scope).Put(ctx, codec.Vectors, "mine", nil, 0)
		require.NoError(t, err)
		_, err = w.Scope(w.scope).Put(ctx, codec.Vectors, test.key, nil, 0)
		require.NoError(t, err)
		_, err = tx.Commit(ctx)
		if test.conflict {
			require.ErrorIs(t, err, backend.ErrConflict, "%+v", test)
		} else {
			require.NoError(t, err, "%+v", test)
		}
	}
}
