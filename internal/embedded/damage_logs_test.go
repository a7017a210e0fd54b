package embedded

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// inManyLogs is a database that was killed with its commits in several logs: nothing could be moved
// out of them into tables.
func inManyLogs(t *testing.T, proven bool) (c *logCase, logs []string, first []uint64) {
	t.Helper()
	mem := disktest.New()
	var held atomic.Bool
	release := make(chan struct{})
	o := memOptions()
	o.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if held.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			<-release
		}
		return nil
	}))
	o.Mode, o.SweepInterval, o.WriteBuffer = Strict, -1, 64<<10
	db, err := Open(ctx, o)
	require.NoError(t, err)
	known := &ledger{}
	s := newScope(t, db, 1)
	known.note(entry{version: db.Published()}, true)
	held.Store(true)
	number := db.marks.log.Load()
	for i := 0; len(logs) < 2 || i%5 != 0; i++ {
		key, text := fmt.Sprint("key-", i%17), fmt.Sprintf("%d-%s", i, strings.Repeat("z", i*37%4000))
		version := commit(t, db, put(s, key, text))
		known.note(entry{version, key, text}, true)
		if n := db.marks.log.Load(); n != number || logs == nil {
			number, first = n, append(first, version)
			logs = append(logs, fmt.Sprintf("%06d.log", n))
		}
	}
	if proven {
		require.NoError(t, db.keeper.extend(0, 0))
	}
	c = &logCase{what: known.clone(), last: db.Published(), proven: db.keeper.proven.Load()}
	c.now = loadImage(t, mem.CrashClone(vfs.CrashCloneCfg{}))
	held.Store(false)
	close(release)
	require.NoError(t, db.Close())
	return c, logs, first
}

// Only the newest log may end early. What is missing in the middle of an older one leaves a hole in
// front of the newer ones, and one that is gone does, too: an error, and never a silent loss. A cut
// of the newest one costs nothing that is in the others.
func TestDamageOlderLogsHaveNoTornEnd(t *testing.T) {
	for _, proven := range []bool{false, true} {
		c, logs, first := inManyLogs(t, proven)
		newest := len(logs) - 1
		for i, log := range logs {
			c.log = log
			data := c.now[log]
			_, _, err := c.open(t, nil)
			if i < newest || proven {
				require.ErrorIs(t, err, codec.ErrCorrupt, "%s is gone", log)
				require.ErrorContains(t, err, ".log")
			}
			for n := 0; n < len(data); n += max(1, min(9*stride(), len(data)/10)) {
				db, _, err := c.open(t, data[:n])
				if err != nil {
					require.ErrorIs(t, err, codec.ErrCorrupt, "%s cut at %d", log, n)
					require.ErrorContains(t, err, ".log", "cut at %d", n)
					continue
				}
				last := db.Published()
				if last != c.last {
					require.Equal(t, newest, i, "%s cut at %d: opens at %d of %d", log, n, last, c.last)
					require.GreaterOrEqual(t, last, max(c.proven, first[newest]-1))
				}
				holds(t, db, c.what.state(last), last)
				require.NoError(t, db.Close())
			}
		}
	}
}
