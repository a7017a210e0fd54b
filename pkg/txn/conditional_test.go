package txn

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A direct conditional write is one request without a pin; every lost expectation is listed, and
// nothing is written then.
func TestConditionalWritesDirectly(t *testing.T) {
	w := newWorld(t, Config{MaxBytes: 100, MaxWrites: 2})
	s := w.Scope(w.scope)
	require.True(t, s.Direct())
	a, b := w.put("a", "1"), w.put("b", "1")
	before := len(w.stub.requests)
	ifA := Expect{Primitive: index, Key: "a", Version: a}
	ifB := Expect{Primitive: index, Key: "b", Version: b}

	v, err := s.PutIf(t.Context(), index, "k", []byte("2"), ifA, ifB)
	require.NoError(t, err)
	require.Equal(t, b+1, v)
	require.Len(t, w.stub.requests, before+1)
	require.Nil(t, w.stub.requests[before].Pin)

	a2 := w.put("a", "2")
	b2 := w.put("b", "2")
	_, err = s.PutIf(t.Context(), index, "k", []byte("3"), ifA, ifB)
	var lost *ConflictError
	require.ErrorAs(t, err, &lost)
	require.ErrorIs(t, err, backend.ErrVersionMismatch)
	require.Equal(t, []ConflictKey{
		{Primitive: index, Key: "a", Expected: a, Found: a2, CAS: true},
		{Primitive: index, Key: "b", Expected: b, Found: b2, CAS: true},
	}, lost.Keys)
	_, err = s.DeleteIf(t.Context(), index, "k", ifA)
	require.ErrorIs(t, err, backend.ErrVersionMismatch)
	e, err := s.Get(t.Context(), index, "k")
	require.NoError(t, err)
	require.Equal(t, "2", string(e.Value))

	ifB.Version = b2
	existed, err := s.DeleteIf(t.Context(), index, "k", ifB)
	require.NoError(t, err)
	require.True(t, existed)
	existed, err = s.DeleteIf(t.Context(), index, "k", ifB)
	require.NoError(t, err)
	require.False(t, existed)
	_, err = s.DeleteIf(t.Context(), index, "k", ifA)
	require.ErrorIs(t, err, backend.ErrVersionMismatch, "checked also with nothing to delete")

	_, err = s.PutIf(t.Context(), index, "k", nil, ifB, ifB, ifB)
	require.ErrorIs(t, err, codec.ErrTooLarge, "more conditions than a transaction may have")
	ifB.Key = strings.Repeat("k", codec.MaxKeySize+1)
	_, err = s.PutIf(t.Context(), index, "k", nil, ifB)
	require.ErrorIs(t, err, codec.ErrTooLarge)
	_, err = s.DeleteIf(t.Context(), index, "k", ifB)
	require.ErrorIs(t, err, codec.ErrTooLarge)
}

// Inside a transaction expectations are conditions of its commit, and read nothing.
func TestConditionalWritesInATransaction(t *testing.T) {
	w := newWorld(t, Config{MaxBytes: 100, MaxWrites: 2})
	a := w.put("a", "1")
	ifA := Expect{Primitive: index, Key: "a", Version: a}
	tx, s := w.begin(Options{})
	require.False(t, s.Direct())
	v, err := s.PutIf(t.Context(), index, "k", []byte("1"), ifA)
	require.NoError(t, err)
	require.Zero(t, v)
	require.Equal(t, Counts{Puts: 1, Conditions: 1, Bytes: 3}, tx.Counts())
	existed, err := s.DeleteIf(t.Context(), index, "k", ifA)
	require.NoError(t, err)
	require.True(t, existed)
	existed, err = s.DeleteIf(t.Context(), index, "k")
	require.NoError(t, err)
	require.False(t, existed)
	_, err = s.PutIf(t.Context(), index, "k", []byte("1"), ifA)
	require.ErrorIs(t, err, codec.ErrTooLarge, "conditions are bounded as well")
	require.Equal(t, Counts{Deletes: 1, Conditions: 2, Bytes: 3}, tx.Counts())
	w.put("a", "2")
	_, err = tx.Commit(t.Context())
	require.ErrorIs(t, err, backend.ErrVersionMismatch)

	tx, s = w.begin(Options{})
	_, err = s.PutIf(t.Context(), index, "k", []byte("1"), Expect{index, "a", a + 1})
	require.NoError(t, err)
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	_, err = s.PutIf(t.Context(), index, "k", nil)
	require.ErrorIs(t, err, ErrTxnDone)
	_, err = s.DeleteIf(t.Context(), index, "k")
	require.ErrorIs(t, err, ErrTxnDone)

	err = w.View(t.Context(), func(v *View) error {
		s := v.Scope(w.scope)
		require.False(t, s.Direct())
		_, err := s.PutIf(t.Context(), index, "k", nil)
		require.ErrorIs(t, err, backend.ErrReadOnly)
		_, err = s.DeleteIf(t.Context(), index, "k")
		require.ErrorIs(t, err, backend.ErrReadOnly)
		return nil
	})
	require.NoError(t, err)
	_, err = Scope{}.PutIf(t.Context(), index, "k", nil)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
}
