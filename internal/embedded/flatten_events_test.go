package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A fork that was flattened, and is still known as a fork because an older transaction is open, had
// no event before its first one: what it was forked with says nothing about that version (see
// lineage.underEvents). A fork made of it there begins its log with event 0.
func TestEventsBelowTheFirstOneOfAFlattenedFork(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	before := commit(t, db, put(parent.Scope, "k", "v"))
	appendTo(t, db, parent.Scope, "step")
	last := appendTo(t, db, parent.Scope, "step")
	f := fork(t, db, parent, last)
	appendTo(t, db, f.Scope, "own")
	pin, err := db.Begin()
	require.NoError(t, err)
	defer pin.Release()
	flattened(t, db, &f)
	require.True(t, db.state(f.Scope).lineage.Load().isFloor(), "it is known as a fork")

	require.NoError(t, db.handover.push())
	head, err := db.eventsAt(ctx, f.Scope, before)
	require.NoError(t, err)
	require.Zero(t, head)
	head, err = db.eventsAt(ctx, f.Scope, last)
	require.NoError(t, err)
	require.Equal(t, uint64(2), head.next)

	child := fork(t, db, f, before)
	appendTo(t, db, child.Scope, "first")
	c := db.Scan(ctx, child.Scope, codec.Events, backend.Range{}, db.Published())
	defer c.Close()
	require.True(t, c.Next())
	require.Equal(t, codec.EventUserKey(0), c.Key())
	require.False(t, c.Next())
	require.NoError(t, c.Err())
}
