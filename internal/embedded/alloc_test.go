package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/invariants"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The hot paths do not allocate: what they would allocate comes from pools, or lives in the arena.
// (The race detector and the assertions allocate for themselves.)
func TestHotPathsDoNotAllocate(t *testing.T) {
	if invariants.Race || invariants.Enabled {
		t.Skip("this build allocates for its own checks")
	}
	o := memOptions()
	o.Mode, o.SweepInterval, o.WriteBuffer = None, -1, 64<<20
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	commit(t, db, put(s, "key", "value"))
	at := db.Published()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := db.Get(ctx, s, codec.KV, "key", at); err != nil {
			t.Fatal(err)
		}
	}), "get")
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := db.Get(ctx, s, codec.KV, "no such key", at); err != nil {
			t.Fatal(err)
		}
	}), "get of what does not exist")
	r := &backend.Request{Writes: []backend.Write{put(s, "key", "another value")}}
	// Pebble's pools lose a batch now and then: less than one is as good as none.
	require.Less(t, testing.AllocsPerRun(1000, func() {
		if _, err := db.Commit(ctx, r); err != nil {
			t.Fatal(err)
		}
	}), 1.0, "put")
	payload := r.Writes[0].Value
	r = &backend.Request{Appends: []backend.Append{{Scope: s, Type: "tool_call",
		Payload: payload, Digest: codec.PayloadDigest(payload)}}}
	require.Less(t, testing.AllocsPerRun(1000, func() {
		if _, err := db.Commit(ctx, r); err != nil {
			t.Fatal(err)
		}
	}), 2.0, "append: the outcome's list")
}
