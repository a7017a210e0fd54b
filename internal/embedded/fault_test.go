package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The disk fails at the nth operation of a kind, for good or once (R094, R105, R112). The test
// demands:
//
//  1. nothing panics, hangs or ends the process;
//  2. from some commit on every commit answers ErrStorage, and it stays so (sticky);
//  3. reads go on and are right; Close returns;
//  4. after a crash at the end, no commit acknowledged as durable is lost, and none is there that
//     does not belong to a prefix.
func TestDiskFailsAtEveryStep(t *testing.T) {
	kinds := map[string][]errorfs.OpKind{
		"write":  {errorfs.OpFileWrite, errorfs.OpFileWriteAt},
		"sync":   {errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFileFlush},
		"create": {errorfs.OpCreate, errorfs.OpRename, errorfs.OpLink, errorfs.OpReuseForWrite},
		"space": {errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpCreate,
			errorfs.OpFilePreallocate},
	}
	for _, mode := range []Mode{Strict, Batched} {
		for name, kind := range kinds {
			for _, forGood := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/forgood=%t", mode, name, forGood), func(t *testing.T) {
					t.Parallel()
					failures := 0
					for n := int64(1); n < 200; n += step(t, n) {
						hit := failAt(t, mode, kind, n, forGood, name == "space")
						if !hit {
							break // the workload has no nth operation
						}
						failures++
					}
					require.Greater(t, failures, 5)
				})
			}
		}
	}
}

func step(t *testing.T, n int64) int64 {
	if testing.Short() && n > 8 {
		return 7
	}
	return 1
}

// breaker fails matching operations from the nth on.
type breaker struct {
	kinds   []errorfs.OpKind
	at      int64
	forGood bool
	err     error
	count   atomic.Int64
	off     atomic.Bool
}

func (b *breaker) MaybeError(op errorfs.Op) error {
	if b.off.Load() || op.Path == "db/"+ownerName {
		return nil
	}
	for _, k := range b.kinds {
		if op.Kind == k {
			if n := b.count.Add(1); n == b.at || (n > b.at && b.forGood) {
				return fmt.Errorf("%s: %w", op.Path, b.err)
			}
		}
	}
	return nil
}

func (b *breaker) String() string { return "breaker" }

func failAt(
	t *testing.T, mode Mode, kinds []errorfs.OpKind, n int64, forGood, space bool,
) (hit bool) {
	t.Helper()
	mem := disktest.New()
	b := &breaker{kinds: kinds, at: n, forGood: forGood, err: syscall.EIO}
	if space {
		b.err = syscall.ENOSPC
	}
	o := memOptions()
	o.Mode, o.SweepInterval, o.WriteBuffer = mode, -1, 64<<10
	o.FS, o.SyncInterval = errorfs.Wrap(mem, b), time.Millisecond
	known := &ledger{}
	db, err := Open(ctx, o)
	if err != nil {
		require.True(t, errors.Is(err, backend.ErrStorage) || errors.Is(err, codec.ErrCorrupt),
			"n=%d: %v", n, err)
	} else {
		runUntilFault(t, db, known, n)
	}
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})
	hit = b.count.Load() >= n
	o.FS = crashed
	db, err = Open(ctx, o)
	require.NoError(t, err, "n=%d: open after the failure", n)
	last := db.Published()
	require.GreaterOrEqual(t, last, known.durable, "n=%d: a durable commit is gone", n)
	if last > 0 {
		holds(t, db, known.state(last), last)
	}
	require.NoError(t, db.Close())
	return hit
}

// runUntilFault commits until the disk fails, and checks the behaviour after it.
func runUntilFault(t *testing.T, db *DB, known *ledger, n int64) {
	s, failed := beginScope(db, 1)
	want := map[string]string{}
	for i := 0; i < 60 && failed == nil; i++ {
		key, text := fmt.Sprintf("key-%d", i%7), fmt.Sprintf("%d-%s", i, strings.Repeat("x", 2000))
		out, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, key, text)}})
		var unknown *backend.UnknownOutcomeError
		switch {
		case errors.As(err, &unknown):
			known.note(entry{unknown.Version, key, text}, false)
			failed = err
		case err != nil:
			failed = err
		default:
			want[key] = text
			known.note(entry{out.Version, key, text}, db.opts.Mode == Strict)
		}
		if i%10 == 9 && failed == nil {
			if failed = db.Flush(ctx); failed == nil {
				known.note(entry{version: out.Version}, true)
			}
		}
	}
	if failed != nil {
		require.ErrorIs(t, failed, backend.ErrStorage, "n=%d", n)
		_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, "x", "y")}})
		require.ErrorIs(t, err, backend.ErrStorage, "n=%d: the fault is not sticky", n)
		require.ErrorIs(t, db.Flush(ctx), backend.ErrStorage)
		_, err = db.AllocateScope(ctx)
		require.ErrorIs(t, err, backend.ErrStorage)
	}
	at := db.Published()
	for key, text := range want {
		require.Equal(t, text, value(t, db, s, key, at), "n=%d: reads go on", n)
	}
	if err := db.Close(); err != nil {
		require.True(t, errors.Is(err, backend.ErrStorage) || failed != nil || db.fault.err() != nil ||
			errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC), "n=%d: %v", n, err)
	}
}
