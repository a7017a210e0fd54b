package embedded

import (
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// memOptions are options on a fresh file system in memory, with small buffers.
func memOptions() Options {
	return Options{Dir: "db", FS: vfs.NewMem(), WriteBuffer: 256 << 10, CacheSize: 4 << 20}
}

var ctx = context.Background()

// mustOpen opens an engine and closes it at the end of the test.
func mustOpen(t testing.TB, o Options) *DB {
	t.Helper()
	db, err := Open(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// newScope begins a run named after n.
func newScope(t testing.TB, db *DB, n byte) *backend.Scope {
	t.Helper()
	s, err := beginScope(db, n)
	require.NoError(t, err)
	return s
}

func beginScope(db *DB, n byte) (*backend.Scope, error) {
	number, err := db.AllocateScope(ctx)
	if err != nil {
		return nil, err
	}
	s := &backend.Scope{Number: number, Record: scopeName(n)}
	_, err = db.Commit(ctx, &backend.Request{
		CreateScopes: []*backend.Scope{s},
		Writes:       []backend.Write{scopeRecord(s, n, codec.Active)},
	})
	return s, err
}

func scopeName(n byte) string { return fmt.Sprintf("00000000-0000-4000-8000-0000000000%02x", n) }

// scopeRecord is the write that sets the status of a scope.
func scopeRecord(s *backend.Scope, n byte, status codec.Status) backend.Write {
	rec := codec.ScopeRecord{Number: s.Number, Status: status, Created: 1, Updated: 1}
	rec.ID[15] = n
	value, err := codec.AppendScopeRecord(nil, rec)
	if err != nil {
		panic(err)
	}
	return backend.Write{
		Scope: &backend.Scope{}, Primitive: codec.ScopeRecords, Key: s.Record, Op: backend.Put,
		Value: value,
	}
}

func put(s *backend.Scope, key, value string) backend.Write {
	v, err := codec.AppendValue(nil, codec.String(value))
	if err != nil {
		panic(err)
	}
	return backend.Write{Scope: s, Primitive: codec.KV, Key: key, Op: backend.Put, Value: v}
}

// commit commits writes and returns the version.
func commit(t testing.TB, db *DB, w ...backend.Write) uint64 {
	t.Helper()
	out, err := db.Commit(ctx, &backend.Request{Writes: w})
	require.NoError(t, err)
	return out.Version
}

// value reads a string; "" stands for absent.
func value(t testing.TB, db *DB, s *backend.Scope, key string, at uint64) string {
	t.Helper()
	rec, err := db.Get(ctx, s, codec.KV, key, at)
	require.NoError(t, err)
	if !rec.Exists() {
		return ""
	}
	v, err := codec.DecodeValue(rec.Value)
	require.NoError(t, err)
	text, err := v.AsString()
	require.NoError(t, err)
	return text
}
