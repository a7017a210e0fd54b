package embedded

import (
	"sync"
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
