package embedded

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// manifestBreaker holds the third table back until it is told to go on, and fails the MANIFEST from
// then on.
type manifestBreaker struct {
	tables  atomic.Int64
	waiting chan struct{}
	proceed chan struct{}
}

func (b *manifestBreaker) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpCreate:
		if strings.HasSuffix(op.Path, ".sst") && b.tables.Add(1) == 3 {
			close(b.waiting)
			<-b.proceed
		}
	case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData:
		select {
		case <-b.proceed:
			if strings.Contains(op.Path, manifestPrefix) {
				return syscall.EIO
			}
		default:
		}
	}
	return nil
}

func (b *manifestBreaker) String() string { return "manifest breaker" }

// A compaction of level 0 whose end cannot be written to the MANIFEST leaves the store whole in
// memory: a flush that fails after it does not panic (with -tags invariants Pebble looks closely),
// reads go on, and Close comes to its end (R112).
func TestManifestFailsAfterACompaction(t *testing.T) {
	b := &manifestBreaker{waiting: make(chan struct{}), proceed: make(chan struct{})}
	o := memOptions()
	o.SweepInterval, o.SyncInterval, o.SyncCommits = -1, time.Hour, 1<<30
	o.FS = errorfs.Wrap(o.FS, b)
	db, err := Open(ctx, o)
	require.NoError(t, err)
	var keys [][]byte
	set := func(scope codec.Scope) {
		for _, user := range []string{"a", "b"} {
			key, err := codec.AppendKey(nil, scope, codec.KV, user)
			require.NoError(t, err)
			keys = append(keys, codec.AppendVersion(key, uint64(len(keys)+1)))
			require.NoError(t, db.store.Set(keys[len(keys)-1], []byte{0, 0xf6}, pebble.NoSync))
		}
	}
	flush := func(scope codec.Scope) {
		set(scope)
		require.NoError(t, db.store.Flush())
	}
	compactions := func() int64 { return db.store.Metrics().Compact.Count }
	flush(0x10)
	require.Eventually(t, func() bool { return compactions() == 1 }, time.Minute, time.Millisecond)
	flush(0x10) // goes into the first table; the compaction waits for its own
	<-b.waiting
	flush(0x20) // stays in level 0
	close(b.proceed)
	<-db.fault.failed
	require.Eventually(t, func() bool { return compactions() > 1 || db.fault.isStuck() },
		time.Minute, time.Millisecond)

	tried := db.store.Metrics().Flush.Count
	set(0x30)
	_, err = db.store.AsyncFlush() // fails, again and again
	require.NoError(t, err)
	require.Eventually(t, func() bool { return db.store.Metrics().Flush.Count > tried+1 },
		time.Minute, time.Millisecond)
	for _, key := range keys {
		_, closer, err := db.store.Get(key)
		require.NoError(t, err)
		require.NoError(t, closer.Close())
	}
	require.False(t, db.fault.isStuck())
	require.ErrorIs(t, db.Close(), backend.ErrStorage)
}
