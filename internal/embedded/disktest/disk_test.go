package disktest

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// Logs are used again and files linked while the power fails over and over: nobody waits for ever.
func TestCrashesBesideStepsThatLockTwice(t *testing.T) {
	d := New()
	f, err := d.Create("log", vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				d.CrashClone(vfs.CrashCloneCfg{})
			}
		}
	}()
	last := "log"
	for i := range 2000 {
		next := fmt.Sprintf("log%d", i)
		f, err := d.ReuseForWrite(last, next, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, d.Link(next, "link"+next))
		last = next
	}
	close(stop)
	<-done
}

// A crash keeps what was synced and nothing else, and the disk that failed goes on by itself.
func TestCrashKeepsWhatWasSynced(t *testing.T) {
	d := New()
	f, err := d.Create("a", vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write([]byte("synced"))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	root, err := d.OpenDir("")
	require.NoError(t, err)
	require.NoError(t, root.Sync())
	_, err = f.Write([]byte(" and not"))
	require.NoError(t, err)
	require.NoError(t, f.Close())

	size := func(fs vfs.FS) int64 {
		info, err := fs.Stat("a")
		require.NoError(t, err)
		return info.Size()
	}
	require.EqualValues(t, len("synced"), size(d.CrashClone(vfs.CrashCloneCfg{})))
	require.EqualValues(t, len("synced and not"), size(d))
}
