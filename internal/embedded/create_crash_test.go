package embedded

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded/disktest"
)

// A crash while a database is created, and another one right behind the open that follows: it can
// be opened again, whatever was there. (Pebble goes on with the MANIFEST of the first open, and the
// sentinel did not name it.)
func TestTwoCrashesInARowAtTheBeginning(t *testing.T) {
	mem := disktest.New()
	var points []*disktest.Disk
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}
	o := memOptions()
	o.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			points = append(points, mem.CrashClone(all))
		}
		return nil
	}))
	db, err := Open(ctx, o)
	require.NoError(t, err)
	opened := len(points)
	require.NoError(t, db.Close())
	for i, p := range points[:opened] {
		o.FS = p
		db, err := Open(ctx, o)
		require.NoError(t, err, i)
		require.NotEmpty(t, db.keeper.says().Manifest, i)
		again := p.CrashClone(all)
		require.NoError(t, db.Close())
		o.FS = again
		db, err = Open(ctx, o)
		require.NoError(t, err, i)
		require.NoError(t, db.Close())
	}
}
