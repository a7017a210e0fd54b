package embedded

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded/disktest"
)

// What the sentinel vouches for is on stable storage: a power cut between the write of a MANIFEST
// record and its sync leaves no database that is taken for a damaged one, even if the sentinel was
// written anew just then.
func TestCrashBetweenManifestWriteAndSync(t *testing.T) {
	mem := disktest.New()
	var db atomic.Pointer[DB]
	var mu sync.Mutex
	var crashes []*disktest.Disk
	hook := errorfs.InjectorFunc(func(op errorfs.Op) error {
		isSync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
		if db.Load() == nil || !isSync || !strings.Contains(op.Path, manifestPrefix) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if err := db.Load().keeper.extend(0, 0); err != nil {
			return err
		}
		crashes = append(crashes, mem.CrashClone(vfs.CrashCloneCfg{}))
		return nil
	})
	o := memOptions()
	o.FS, o.Mode, o.SweepInterval = errorfs.Wrap(mem, hook), Strict, -1
	d, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, d, 1)
	db.Store(d)
	for range 3 {
		damageWork(t, d, s, &ledger{}, 10)
		require.NoError(t, d.flushTables())
	}
	last := d.Published()
	require.NoError(t, d.Close())
	require.NotEmpty(t, crashes)
	for i, fs := range crashes {
		o.FS = fs
		d, err := Open(ctx, o)
		require.NoError(t, err, "crash %d", i)
		require.LessOrEqual(t, d.Published(), last)
		require.NoError(t, d.Close())
	}
}
