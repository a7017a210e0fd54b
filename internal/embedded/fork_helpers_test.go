package embedded

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// forked is a fork in a test, and what its record says.
type forked struct {
	*backend.Scope
	rec codec.ScopeRecord
}

// run is a scope that is no fork, as a parent of forks.
func run(s *backend.Scope, n byte) forked {
	f := forked{Scope: s, rec: codec.ScopeRecord{Number: s.Number, Status: codec.Active, Created: 1}}
	f.rec.ID[6], f.rec.ID[8], f.rec.ID[15] = 0x40, 0x80, n
	return f
}

// record is the write of the fork's record.
func (f forked) record() backend.Write {
	value, err := codec.AppendScopeRecord(nil, f.rec)
	if err != nil {
		panic(err)
	}
	return backend.Write{Scope: &backend.Scope{}, Primitive: codec.ScopeRecords, Key: f.Record,
		Op: backend.Put, Value: value}
}

// removal is the write that deletes the fork.
func (f forked) removal() backend.Write {
	return backend.Write{Scope: &backend.Scope{}, Primitive: codec.ScopeRecords, Key: f.Record,
		Op: backend.Delete}
}

// newFork is a fork of a scope at a version, and the request that makes it.
func newFork(db *DB, parent forked, at uint64) (forked, *backend.Request, error) {
	number, err := db.AllocateScope(ctx)
	if err != nil {
		return forked{}, nil, err
	}
	f := run(&backend.Scope{Number: number}, 0)
	f.rec.ID[13], f.rec.ID[14], f.rec.ID[15] =
		byte(number>>16), byte(number>>8), byte(number)
	f.rec.ID[9] = 0xf0
	id := f.rec
	id.Parent = f.rec.ID
	f.Record = id.ParentKey()
	f.rec.Parent, f.rec.ParentNumber, f.rec.ForkVersion = parent.rec.ID, parent.Number, at
	if f.rec.Oldest = parent.Number; parent.rec.ForkVersion != 0 {
		f.rec.Oldest = parent.rec.Oldest
	}
	return f, &backend.Request{
		CreateScopes: []*backend.Scope{f.Scope}, Writes: []backend.Write{f.record()},
	}, nil
}

// fork makes a fork.
func fork(t testing.TB, db *DB, parent forked, at uint64) forked {
	t.Helper()
	f, r, err := newFork(db, parent, at)
	require.NoError(t, err)
	_, err = db.Commit(ctx, r)
	require.NoError(t, err)
	return f
}

// flattened flattens a fork and says so in its record.
func flattened(t testing.TB, db *DB, f *forked) uint64 {
	t.Helper()
	require.NoError(t, db.Flatten(ctx, f.Scope))
	f.rec.Flattened = true
	return commit(t, db, f.record())
}

// appendTo appends an event.
func appendTo(t testing.TB, db *DB, s *backend.Scope, typ string) uint64 {
	t.Helper()
	payload := put(s, "", typ).Value
	out, err := db.Commit(ctx, &backend.Request{Appends: []backend.Append{{
		Scope: s, Type: typ, Payload: payload, Digest: codec.PayloadDigest(payload)}}})
	require.NoError(t, err)
	return out.Version
}

// shown is all that a scope shows at a version, as text.
func shown(t testing.TB, db *DB, s *backend.Scope, at uint64) string {
	t.Helper()
	var b strings.Builder
	c, err := db.Commits(ctx, s, at)
	require.NoError(t, err)
	fmt.Fprintf(&b, "commits %d: %d-%d\n", c.Count, c.First, c.Last)
	for _, p := range []codec.Primitive{codec.KV, codec.Events, codec.Events.Index()} {
		c := db.Scan(ctx, s, p, backend.Range{}, at)
		for c.Next() {
			r := c.Record()
			fmt.Fprintf(&b, "%s %q %d %d %x\n", p, c.Key(), r.Version, r.Stamp, r.Value)
			got, err := db.Get(ctx, s, p, c.Key(), at)
			require.NoError(t, err)
			require.Equal(t, []any{r.Version, r.Stamp, r.Value}, []any{got.Version, got.Stamp, got.Value})
		}
		require.NoError(t, c.Err())
		c.Close()
	}
	return b.String()
}
