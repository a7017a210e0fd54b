package citizentest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/assembly"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// badDisk is a disk that fills up, or takes no writes any more.
type badDisk struct {
	vfs.FS
	raw  *disktest.Disk
	free atomic.Uint64
	// refuse is the error of every write, if there is one.
	refuse atomic.Pointer[error]
}

func newBadDisk() *badDisk {
	d := &badDisk{raw: disktest.New()}
	d.free.Store(1 << 40)
	d.FS = errorfs.Wrap(d.raw, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if err := d.refuse.Load(); err != nil && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return *err
		}
		return nil
	}))
	return d
}

// GetDiskUsage tells what is said to be free.
func (d *badDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: 1 << 40}, nil
}

func (d *badDisk) fail(err error) {
	if err == nil {
		d.refuse.Store(nil)
		return
	}
	d.refuse.Store(&err)
}

// on opens the database that lies on a disk.
func on(t *testing.T, fs vfs.FS, mode embedded.Mode) (*inmem.DB, error) {
	t.Helper()
	e, err := embedded.Open(t.Context(), embedded.Options{
		Dir: "db", FS: fs, Mode: mode, SyncInterval: 5 * time.Millisecond, Clock: time.Now,
	})
	if err != nil {
		return nil, err
	}
	d, err := assembly.Open(assembly.Parts{Backend: e, Epoch: e.BootEpoch()}, nil)
	require.NoError(t, err)
	db := d.(*inmem.DB)
	t.Cleanup(func() { _ = db.Close() })
	return db, nil
}

// A disk that is nearly full: every write is refused with ErrNoSpace and leaves nothing, reads,
// views and Flush go on; once there is room everything works again, as if nothing had been.
func TestNearlyFullDisk(t *testing.T) {
	for _, mode := range []embedded.Mode{embedded.Strict, embedded.Batched} {
		t.Run(mode.String(), func(t *testing.T) {
			disk := newBadDisk()
			db, err := on(t, disk, mode)
			require.NoError(t, err)
			run, other := begin(t, db), begin(t, db)
			furnish(t, run)
			furnish(t, other)
			tx, err := run.Begin(t.Context(), inmem.TxOptions{})
			require.NoError(t, err)
			put(t, tx.KV(), "from before", "it was full")

			disk.free.Store(1 << 20)
			require.Eventually(t, func() bool {
				return errors.Is(only(run.KV().Put(t.Context(), "k", inmem.Int(1))), inmem.ErrNoSpace)
			}, time.Minute, 10*time.Millisecond)
			version, hash := db.Version(), stateOf(t, run)
			for _, calls := range []map[string]call{writes(run), acts(db, run)} {
				for _, name := range slices.Sorted(maps.Keys(calls)) {
					err := calls[name](t.Context())
					if name == "record.RemoveTags" && err == nil {
						continue // there were none
					}
					assert.ErrorIs(t, err, inmem.ErrNoSpace, name)
					assert.ErrorIs(t, err, inmem.ErrStorage, name)
				}
			}
			each(t, t.Context(), reads(run), nil)
			require.NoError(t, db.Flush(t.Context()))
			require.Equal(t, version, db.Version())
			require.Equal(t, hash, stateOf(t, run))

			disk.free.Store(1 << 40)
			require.Eventually(t, func() bool {
				return only(run.KV().Put(t.Context(), "k", inmem.Int(1))) == nil
			}, time.Minute, 10*time.Millisecond)
			require.NoError(t, only(tx.Commit(t.Context())))
			each(t, t.Context(), writes(other), nil)
			each(t, t.Context(), acts(db, other), nil)
			hash = stateOf(t, run)
			require.NoError(t, db.Close())
			db, err = on(t, disk, mode)
			require.NoError(t, err)
			run, err = db.Run(t.Context(), run.ID())
			require.NoError(t, err)
			require.Equal(t, hash, stateOf(t, run))
			sound(t, db)
		})
	}
}

// A disk that is full without a warning, and one that has become read-only, in the middle of a
// load: the database takes no writes from then on, says so, and shows what it has; it closes. On a
// disk that works again it opens with all that was promised.
func TestDiskThatTakesNoWrites(t *testing.T) {
	for _, mode := range []embedded.Mode{embedded.Strict, embedded.Batched} {
		for _, cause := range []error{syscall.EROFS, syscall.ENOSPC} {
			t.Run(fmt.Sprint(mode, " ", cause), func(t *testing.T) {
				disk := newBadDisk()
				db, err := on(t, disk, mode)
				require.NoError(t, err)
				run := begin(t, db)
				furnish(t, run)
				for i := range 50 {
					put(t, run.KV(), fmt.Sprintf("%02d", i), "promised")
				}
				require.NoError(t, db.Flush(t.Context()))
				disk.fail(cause)
				require.Eventually(t, func() bool {
					return only(run.KV().Put(t.Context(), "later", inmem.Int(1))) != nil
				}, time.Minute, time.Millisecond)
				each(t, t.Context(), writes(run), inmem.ErrStorage)
				require.ErrorIs(t, db.Flush(t.Context()), inmem.ErrStorage)
				each(t, t.Context(), reads(run), nil)
				require.Equal(t, "promised", get(t, run.KV(), "49"))
				if err := db.Close(); err != nil {
					require.ErrorIs(t, err, inmem.ErrStorage)
				}
				_, err = on(t, disk, mode)
				require.ErrorIs(t, err, inmem.ErrStorage)
				require.ErrorIs(t, err, cause)

				disk.fail(nil)
				db, err = on(t, disk, mode)
				require.NoError(t, err)
				run, err = db.Run(t.Context(), run.ID())
				require.NoError(t, err)
				require.Equal(t, "promised", get(t, run.KV(), "49"))
				put(t, run.KV(), "more", "works")
				sound(t, db)
				require.NoError(t, db.Close())
			})
		}
	}
}

// stateOf is the hash of what a run holds.
func stateOf(t *testing.T, run *inmem.Run) inmem.Hash {
	t.Helper()
	info, err := run.Info(context.Background())
	require.NoError(t, err)
	hash, err := run.StateHash(t.Context(), info.LastVersion)
	require.NoError(t, err)
	return hash
}

// sound demands that Verify finds nothing.
func sound(t *testing.T, db *inmem.DB) {
	t.Helper()
	report, err := db.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}
