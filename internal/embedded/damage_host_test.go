package embedded

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Storage that takes no writes: opening is refused as ErrStorage, at once, with nothing left
// running and nothing changed, whether there is a database that was killed, or none.
func TestFaultReadOnlyStorage(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	empty := image{}
	c := inOneLog(t, true)
	for name, now := range map[string]image{"empty": empty, "killed": c.now} {
		for _, errno := range []syscall.Errno{syscall.EROFS, syscall.EACCES, syscall.ENOSPC} {
			t.Run(fmt.Sprintf("%s/%v", name, errno), func(t *testing.T) {
				fs := now.store(t)
				o := memOptions()
				o.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
					if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
						return errno
					}
					return nil
				}))
				at := time.Now()
				_, err := Open(ctx, o)
				require.ErrorIs(t, err, backend.ErrStorage)
				require.ErrorIs(t, err, errno)
				require.Less(t, time.Since(at), 2*openPatience)
				left := loadImage(t, fs)
				for file, data := range now {
					require.Equal(t, data, left[file], file)
				}
				o.FS = now.store(t)
				db, err := Open(ctx, o)
				require.NoError(t, err)
				require.NoError(t, db.Close())
			})
		}
	}
}

// fullDisk is a file system whose free space a test decides.
type fullDisk struct {
	vfs.FS
	free   atomic.Uint64
	broken atomic.Bool
}

func (f *fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if f.broken.Load() {
		return vfs.DiskUsage{}, syscall.EIO
	}
	return vfs.DiskUsage{AvailBytes: f.free.Load(), TotalBytes: 1 << 40}, nil
}

func (f *fullDisk) Unwrap() vfs.FS { return f.FS }

// Too little free space refuses commits before anything fails, and passes when there is room again;
// a file system that cannot tell stops nobody.
func TestFaultNoFreeSpaceComesBack(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		disk := &fullDisk{FS: vfs.NewMem()}
		disk.free.Store(1 << 30)
		o := memOptions()
		o.FS, o.Mode, o.MinFreeSpace = disk, mode, 100<<20
		db := mustOpen(t, o)
		s := newScope(t, db, 1)
		commit(t, db, put(s, "a", "one"))
		try := func() error {
			_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, "a", "two")}})
			return err
		}
		for range 2 {
			disk.free.Store(99 << 20)
			require.Eventually(t, func() bool { return try() != nil }, 4*spaceInterval, time.Millisecond)
			err := try()
			require.ErrorIs(t, err, backend.ErrNoSpace)
			require.ErrorIs(t, err, backend.ErrStorage)
			require.NoError(t, db.Flush(ctx), "what was accepted can be made durable")
			require.NotEmpty(t, value(t, db, s, "a", db.Published()))
			disk.free.Store(100 << 20)
			require.Eventually(t, func() bool { return try() == nil }, 4*spaceInterval, time.Millisecond)
		}
		disk.broken.Store(true)
		time.Sleep(spaceInterval)
		require.NoError(t, try())
	}
}

// R222: an error of the disk while a commit is validated fails the commit. It is never taken for
// "the key is not there": a create-only CAS on a key that exists, and a delete of it, do not go
// through, and the database is as usable afterwards as before.
func TestFaultReadErrorInValidation(t *testing.T) {
	mem := vfs.NewMem()
	var broken atomic.Bool
	o := memOptions()
	o.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		isRead := op.Kind == errorfs.OpFileRead || op.Kind == errorfs.OpFileReadAt
		if broken.Load() && isRead && strings.HasSuffix(op.Path, ".sst") {
			return syscall.EIO
		}
		return nil
	}))
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	for i := range 500 {
		commit(t, db, put(s, fmt.Sprintf("key-%04d", i), strings.Repeat("v", 2000)))
	}
	require.NoError(t, db.Close())
	db = mustOpen(t, o)
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	commit(t, db, put(s, "other", "x")) // the scope's record is known from here on
	broken.Store(true)
	failed := 0
	for i := range 500 {
		key := fmt.Sprintf("key-%04d", i)
		w := put(s, key, "stolen")
		cas := backend.Request{
			Writes:     []backend.Write{w},
			Conditions: []backend.Condition{{Scope: s, Primitive: codec.KV, Key: key}},
		}
		_, err := db.Commit(ctx, &cas)
		require.Error(t, err, "%s was created a second time", key)
		if _, err := db.Get(ctx, s, codec.KV, key, db.Published()); err != nil {
			require.ErrorIs(t, err, backend.ErrStorage)
			failed++
		}
		out, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{
			{Scope: s, Primitive: codec.KV, Key: key + "?", Op: backend.Delete},
		}})
		if err == nil {
			require.Zero(t, out.Version, "a delete of what never was")
		}
	}
	require.NotZero(t, failed)
	broken.Store(false)
	for i := range 500 {
		require.Len(t, value(t, db, s, fmt.Sprintf("key-%04d", i), db.Published()), 2000)
	}
	commit(t, db, put(s, "other", "y"))
}
