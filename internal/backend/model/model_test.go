package model

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/pkg/codec"
)

func systemPut(key string) backend.Write {
	return backend.Write{Scope: &backend.Scope{Number: codec.SystemScope}, Primitive: codec.Meta,
		Key: key, Op: backend.Put, Value: []byte{0xf6}}
}

// R096: the version counter does not wrap.
func TestR096VersionCounterRunsOut(t *testing.T) {
	ctx := context.Background()
	b := New(backendtest.NewClock().Now)
	b.published = math.MaxUint64 - 1
	out, err := b.Commit(ctx, &backend.Request{Writes: []backend.Write{systemPut("a")}})
	require.NoError(t, err)
	require.Equal(t, uint64(math.MaxUint64), out.Version)
	_, err = b.Commit(ctx, &backend.Request{Writes: []backend.Write{systemPut("b")}})
	require.ErrorIs(t, err, backend.ErrReadOnly)
	require.Equal(t, uint64(math.MaxUint64), b.Published())
}

func TestScopeNumbersRunOut(t *testing.T) {
	ctx := context.Background()
	b := New(backendtest.NewClock().Now)
	b.scopes = codec.MaxScope - 1
	n, err := b.AllocateScope(ctx)
	require.NoError(t, err)
	require.Equal(t, codec.MaxScope, n)
	_, err = b.AllocateScope(ctx)
	require.ErrorIs(t, err, backend.ErrReadOnly)
}

// The model is strict where an authority may trust its caller, so that tests above the seam notice.
func TestMalformedRequestsAreRefused(t *testing.T) {
	ctx := context.Background()
	system := &backend.Scope{Number: codec.SystemScope}
	for name, r := range map[string]*backend.Request{
		"read without a pin": {Reads: []backend.Read{{Scope: system, Primitive: codec.Meta}}},
		"two writes of a key": {
			Writes: []backend.Write{systemPut("a"), systemPut("a")}},
		"digest of another payload": {
			Appends: []backend.Append{{Scope: system, Type: "step", Payload: []byte{0xf6}}}},
		"no such primitive": {
			Writes: []backend.Write{{Scope: system, Primitive: 0, Op: backend.Put}}},
	} {
		b := New(backendtest.NewClock().Now)
		_, err := b.Commit(ctx, r)
		require.ErrorIs(t, err, codec.ErrInvalidArgument, name)
		require.Zero(t, b.Published(), name)
		require.Equal(t, uint64(1), b.Stats().Refused, name)
	}
}

func TestReopenClosesTheOldHandle(t *testing.T) {
	ctx := context.Background()
	old := New(backendtest.NewClock().Now)
	_, err := old.Commit(ctx, &backend.Request{Writes: []backend.Write{systemPut("a")}})
	require.NoError(t, err)
	b := old.Reopen()
	_, err = old.Begin()
	require.ErrorIs(t, err, backend.ErrClosed)
	require.Equal(t, uint64(1), b.Published())
	require.Zero(t, b.Stats().Commits, "counters start anew")
}
