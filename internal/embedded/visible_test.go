package embedded

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// R003: in a strict database nobody sees what is not on stable storage yet, not even who asks while
// the sync is under way; once the commit is answered everybody does.
func TestStrictCommitIsSeenWhenItIsDurable(t *testing.T) {
	hold, began, held := make(chan bool, 1), make(chan bool), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	slow := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && isLog(op.Path) {
			select {
			case <-hold:
				close(began)
				<-held
			default:
			}
		}
		return nil
	})
	o := memOptions()
	o.Mode, o.SweepInterval, o.FS = Strict, -1, errorfs.Wrap(o.FS, slow)
	db := mustOpen(t, o)
	t.Cleanup(release)
	s := newScope(t, db, 1)
	commit(t, db, put(s, "key", "old"))
	before := db.Published()
	hold <- true
	answered := make(chan uint64)
	go func() {
		out, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, "key", "new")}})
		if err != nil {
			t.Error(err)
		}
		answered <- out.Version
	}()
	<-began
	require.Equal(t, before, db.Published())
	require.Equal(t, before, db.Durable())
	require.Equal(t, "old", value(t, db, s, "key", db.Published()))
	pin, err := db.Begin()
	require.NoError(t, err)
	require.Equal(t, before, pin.Version())
	pin.Release()
	release()
	version := <-answered
	require.GreaterOrEqual(t, db.Published(), version)
	require.GreaterOrEqual(t, db.Durable(), version)
	require.Equal(t, "new", value(t, db, s, "key", version))
}

// A version is published when its commit can be read, and not before. The commit here is large, so
// that Pebble begins a new log while it takes it: what readers are shown is looked at in between.
func TestPublishedIsReadable(t *testing.T) {
	var watched atomic.Pointer[DB]
	during := make(chan uint64, 100)
	look := errorfs.InjectorFunc(func(op errorfs.Op) error {
		begun := op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite
		if db := watched.Load(); db != nil && begun && isLog(op.Path) {
			during <- db.Published()
		}
		return nil
	})
	o := memOptions()
	o.SweepInterval, o.WriteBuffer, o.FS = -1, 64<<10, errorfs.Wrap(o.FS, look)
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	before := commit(t, db, put(s, "key", "old"))
	watched.Store(db)
	version := commit(t, db, put(s, "key", strings.Repeat("new", 100_000)))
	watched.Store(nil)
	require.NotEmpty(t, during, "no log was begun")
	for len(during) > 0 {
		require.Equal(t, before, <-during)
	}
	require.Equal(t, version, db.Published())
}
