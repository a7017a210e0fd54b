package embedded

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// semantics 1.1: commits name the one before them, so an open after a crash finds one that is
// missing in the middle, although every checksum is right.
func TestDamageHoleInTheOrder(t *testing.T) {
	mem := disktest.New()
	o := memOptions()
	o.FS, o.SweepInterval = mem, -1
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	commit(t, db, put(s, "a", "1"))
	require.NoError(t, db.handover.push()) // what comes next has a key of its own
	missing := commit(t, db, put(s, "a", "2"))
	require.NoError(t, db.handover.push())
	last := commit(t, db, put(s, "a", "3"))
	require.NoError(t, db.Flush(ctx))
	whole := mem.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, db.store.Delete(codec.AppendCommitKey(nil, missing), pebble.Sync))
	o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	_, err := Open(ctx, o)
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.ErrorContains(t, err, "follows")
	o.FS = whole
	require.Equal(t, last, mustOpen(t, o).Recovery().Last)
}
