package embedded

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// dump is all that the store holds at or below a version: every key of Pebble's with its value, but
// for the notes of the graveyard.
func dump(t *testing.T, db *DB, upTo uint64) map[string]string {
	t.Helper()
	require.NoError(t, db.handover.push())
	it, err := db.store.NewIter(nil)
	require.NoError(t, err)
	all := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		_, p, _, version, err := codec.DecodeKey(it.Key())
		if commit, isCommit := codec.DecodeCommitKey(it.Key()); isCommit == nil {
			version, err = commit, nil
		}
		require.NoError(t, err)
		value, err := it.ValueAndErr()
		require.NoError(t, err)
		if version <= upTo && p != codec.Graveyard {
			all[string(it.Key())] = string(value)
		}
	}
	require.NoError(t, it.Close())
	return all
}

// openCopy opens a checkpoint, which must be clean and at the version.
func openCopy(t *testing.T, o Options, dir string, version uint64) *DB {
	t.Helper()
	o.Dir = dir
	db := mustOpen(t, o)
	r := db.Recovery()
	require.True(t, r.Clean)
	require.False(t, r.Created)
	require.Equal(t, version, r.Last)
	require.Equal(t, version+1, r.Next)
	requireTail(t, db)
	return db
}

// R120, R121, R136: a checkpoint on demand is a closed database of its own at the version that it
// says, with an id of its own, and has what its source has.
func TestR120CheckpointIsACopy(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched, Async} {
		t.Run(mode.String(), func(t *testing.T) {
			o := memOptions()
			o.Mode, o.SweepInterval = mode, -1
			db := mustOpen(t, o)
			s := newScope(t, db, 1)
			for i := range 200 {
				commit(t, db, put(s, fmt.Sprintf("key-%d", i%50), strings.Repeat("x", i*20)))
			}
			info, err := db.Checkpoint(ctx, "copy")
			require.NoError(t, err)
			require.Equal(t, db.Published(), info.Version)
			require.Equal(t, db.Durable(), info.Version)
			_, err = o.FS.Stat("copy.partial")
			require.ErrorIs(t, err, fs.ErrNotExist)
			source, err := readSentinel(o.FS, "db")
			require.NoError(t, err)
			target, err := readSentinel(o.FS, "copy")
			require.NoError(t, err)
			require.NotEqual(t, source.ID, target.ID)
			require.Greater(t, target.Boot, source.Boot, "whoever was at work is not at work there")

			c := openCopy(t, o, "copy", info.Version)
			require.Equal(t, dump(t, db, info.Version), dump(t, c, info.Version))
			// Both go their own way.
			there := &backend.Scope{Number: s.Number, Record: s.Record}
			commit(t, c, put(there, "only", "copy"))
			commit(t, db, put(s, "only", "source"))
			require.Equal(t, "copy", value(t, c, there, "only", c.Published()))
			require.Equal(t, "source", value(t, db, s, "only", db.Published()))
			require.NotEqual(t, s.Number, newScope(t, c, 2).Number)
		})
	}
}

// R122: checkpoints beside writers are exactly what the source was at their version, and writers go
// on.
func TestR122CheckpointBesideWriters(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		t.Run(mode.String(), func(t *testing.T) {
			o := memOptions()
			o.Mode, o.SweepInterval, o.WriteBuffer = mode, -1, 64<<10
			db := mustOpen(t, o)
			var scopes []*backend.Scope
			for i := range 4 {
				scopes = append(scopes, newScope(t, db, byte(i+1)))
			}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			var commits atomic.Int64
			for i, s := range scopes {
				wg.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
						}
						commits.Add(1)
						w := put(s, fmt.Sprintf("k%d", n%97), fmt.Sprintf("%d %s", n, strings.Repeat("y", i*300)))
						if _, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{w}}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			versions := map[string]uint64{}
			for n := range 8 {
				before, at := commits.Load(), db.Published()
				name := fmt.Sprintf("copy-%d", n)
				info, err := db.Checkpoint(ctx, name)
				require.NoError(t, err)
				require.GreaterOrEqual(t, info.Version, at)
				require.LessOrEqual(t, info.Version, db.Durable())
				versions[name] = info.Version
				t.Logf("version %d, %d commits meanwhile, %d bytes, held %v", info.Version,
					commits.Load()-before, info.Bytes, info.Held)
			}
			close(stop)
			wg.Wait()
			for name, v := range versions {
				c := openCopy(t, o, name, v)
				require.Equal(t, dump(t, db, v), dump(t, c, v), name)
			}
		})
	}
}

// R123, R124: a crash at every file operation of a checkpoint: the source has everything, and the
// place has the whole checkpoint or nothing; what lies beside it is no database, and does not keep
// the next checkpoint from being made there.
func TestR123CrashAtEveryStepOfACheckpoint(t *testing.T) {
	for _, kept := range keptShares() {
		t.Run(fmt.Sprintf("kept=%d", kept), func(t *testing.T) { crashInCheckpoint(t, kept) })
	}
}

func crashInCheckpoint(t *testing.T, kept int) {
	var mu sync.Mutex
	mem := disktest.New()
	var points []crashPoint
	var taking atomic.Bool
	rng := rand.New(rand.NewPCG(uint64(kept), 1))
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || !taking.Load() {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
		points = append(points, crashPoint{op: fmt.Sprintf("%v %s", op.Kind, op.Path), fs: clone})
		return nil
	})
	o := memOptions()
	o.Mode, o.SweepInterval, o.WriteBuffer = Strict, -1, 64<<10
	o.FS = errorfs.Wrap(mem, crash)
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	for i := range 60 {
		commit(t, db, put(s, fmt.Sprintf("key-%d", i%7), strings.Repeat("x", 100*i)))
	}
	version, want := db.Published(), dump(t, db, db.Published())
	taking.Store(true)
	info, err := db.Checkpoint(ctx, "copy")
	require.NoError(t, err)
	taking.Store(false)
	require.Equal(t, version, info.Version)
	mu.Lock() // Pebble may be at work in the background
	taken := slices.Clone(points)
	after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
	mu.Unlock()
	require.Greater(t, len(taken), 20)
	_, err = after.Stat("copy")
	require.NoError(t, err, "it is told, and not on stable storage")
	taken = append(taken, crashPoint{op: "the end", fs: after})
	made := 0
	for i, p := range taken {
		ok := t.Run(fmt.Sprint(i), func(t *testing.T) {
			o := o
			o.FS = p.fs
			source := mustOpen(t, o)
			require.Equal(t, version, source.Published())
			require.Equal(t, want, dump(t, source, version))
			requireNoDatabase(t, o, "copy.partial/db")
			if _, err := p.fs.Stat("copy"); err == nil {
				made++
				require.Equal(t, want, dump(t, openCopy(t, o, "copy", version), version))
				return
			}
			again, err := source.Checkpoint(ctx, "copy")
			require.NoError(t, err)
			require.Equal(t, want, dump(t, openCopy(t, o, "copy", again.Version), version))
			_, err = p.fs.Stat("copy.partial")
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
		require.True(t, ok, "crash before %s", p.op)
	}
	require.Less(t, made, len(taken))
}

// requireNoDatabase demands that a directory that holds files of a store is not opened.
func requireNoDatabase(t *testing.T, o Options, dir string) {
	t.Helper()
	names, err := o.FS.List(dir)
	if err != nil || len(names) == 0 {
		return
	}
	if _, err := readSentinel(o.FS, dir); err == nil {
		return // it is whole
	}
	o.Dir = dir
	_, err = Open(ctx, o)
	require.ErrorIs(t, err, codec.ErrCorrupt, "%v", names)
}

// A checkpoint whose disk fails, at whatever operation, leaves nothing in the place, and the
// database goes on.
func TestCheckpointOntoAFailingDisk(t *testing.T) {
	operations, _ := checkpointFailingAt(t, -1)
	require.Greater(t, operations, int64(20))
	for n := int64(1); n <= operations; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel() // Pebble takes its time to give up where a flush fails
			_, err := checkpointFailingAt(t, n)
			if err != nil { // some failures do no harm
				require.ErrorIs(t, err, syscall.EIO)
				require.ErrorIs(t, err, backend.ErrStorage)
			}
		})
	}
}

// checkpointFailingAt makes a checkpoint whose nth operation fails, and tells how many there were.
func checkpointFailingAt(t *testing.T, n int64) (operations int64, err error) {
	o := memOptions()
	o.Mode, o.SweepInterval = Strict, -1
	var count atomic.Int64
	broken := &fs.PathError{Op: "change", Path: "copy", Err: syscall.EIO}
	o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.HasPrefix(op.Path, "copy") &&
			op.Kind != errorfs.OpRemoveAll && count.Add(1) == n {
			return broken
		}
		return nil
	}))
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	for i := range 30 {
		commit(t, db, put(s, fmt.Sprintf("key-%d", i%7), strings.Repeat("x", 100*i)))
	}
	info, err := db.Checkpoint(ctx, "copy")
	operations = count.Load()
	require.NoError(t, db.fault.err())
	commit(t, db, put(s, "still", "works"))
	if err == nil {
		openCopy(t, o, "copy", info.Version)
	} else {
		_, failed := o.FS.Stat("copy")
		require.ErrorIs(t, failed, fs.ErrNotExist)
		_, failed = db.Checkpoint(ctx, "copy")
		require.NoError(t, failed, "the next one")
	}
	return operations, err
}

// A checkpoint that is called off at any of its operations leaves nothing behind.
func TestCheckpointCalledOff(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	var after, count atomic.Int64
	var cancel atomic.Pointer[context.CancelFunc]
	o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "copy") && count.Add(1) == after.Load() {
			(*cancel.Load())()
		}
		return nil
	}))
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	for i := range 30 {
		commit(t, db, put(s, fmt.Sprintf("key-%d", i%7), strings.Repeat("x", 100*i)))
	}
	off := 0
	for n := int64(1); ; n++ {
		ctx, stop := context.WithCancel(ctx)
		cancel.Store((*context.CancelFunc)(&stop))
		count.Store(0)
		after.Store(n)
		_, err := db.Checkpoint(ctx, "copy")
		after.Store(0)
		reached := count.Load() >= n
		stop()
		if err == nil { // too late
			require.NoError(t, o.FS.RemoveAll("copy"))
			if !reached {
				break
			}
			continue
		}
		off++
		require.ErrorIs(t, err, context.Canceled)
		for _, name := range []string{"copy", "copy.partial"} {
			_, err = o.FS.Stat(name)
			require.ErrorIs(t, err, fs.ErrNotExist, "%s after operation %d", name, n)
		}
	}
	require.Greater(t, off, 20)
	commit(t, db, put(s, "still", "works"))
}

// Places that are no good are refused, and nothing is made.
func TestCheckpointPlaces(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir + "/db", SweepInterval: -1}
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	v := commit(t, db, put(s, "k", "v"))
	for _, place := range []string{"", dir, dir + "/db", dir + "/db/copy", dir + "/db/INMEM"} {
		_, err := db.Checkpoint(ctx, place)
		require.ErrorIs(t, err, codec.ErrInvalidArgument, place)
	}
	require.NoError(t, vfs.Default.MkdirAll(dir+"/empty", 0o755))
	for _, place := range []string{dir + "/new", dir + "/a/b/c/new", dir + "/empty", dir + "/db2"} {
		info, err := db.Checkpoint(ctx, place)
		require.NoError(t, err, place)
		require.Equal(t, v, info.Version)
		openCopy(t, Options{SweepInterval: -1}, place, v)
	}
	lock, err := vfs.Default.Lock(mustMkdir(t, dir+"/busy.partial") + "/LOCK")
	require.NoError(t, err)
	_, err = db.Checkpoint(ctx, dir+"/busy")
	require.ErrorIs(t, err, backend.ErrLocked)
	require.NoError(t, lock.Close())
	_, err = db.Checkpoint(ctx, dir+"/busy")
	require.NoError(t, err)
}

func mustMkdir(t *testing.T, dir string) string {
	t.Helper()
	require.NoError(t, vfs.Default.MkdirAll(dir, 0o755))
	return dir
}

// While the logs are copied nothing goes into them, and it is not for long: the tables are linked
// before.
func TestCheckpointHoldsOnlyTheLog(t *testing.T) {
	o := memOptions()
	o.Mode, o.SweepInterval = Strict, -1
	var db atomic.Pointer[DB]
	var held, free atomic.Int64
	o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		d := db.Load()
		if d == nil || !strings.HasPrefix(op.Path, "copy") || d.fs.outside.Load() == nil {
			return nil
		}
		isHeld := !d.logGate.TryRLock()
		if !isHeld {
			d.logGate.RUnlock()
			free.Add(1)
		}
		if isLog(op.Path) {
			require.True(t, isHeld, "%v", op)
			held.Add(1)
		} else if strings.HasSuffix(op.Path, ".sst") {
			require.False(t, isHeld, "%v", op)
		}
		return nil
	}))
	d := mustOpen(t, o)
	db.Store(d)
	s := newScope(t, d, 1)
	commit(t, d, put(s, "k", "v"))
	info, err := d.Checkpoint(ctx, "copy")
	require.NoError(t, err)
	require.Positive(t, held.Load())
	require.Positive(t, free.Load())
	require.Positive(t, info.Held)
	require.True(t, d.logGate.TryLock())
	d.logGate.Unlock()
}

// BenchmarkCheckpoint shows what a checkpoint costs beside the size of the database, and how long
// commits are held.
func BenchmarkCheckpoint(b *testing.B) {
	for _, keys := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			dir := b.TempDir()
			db := mustOpen(b, Options{Dir: dir + "/db", SweepInterval: -1})
			s := newScope(b, db, 1)
			for i := 0; i < keys; i += 100 {
				var w []backend.Write
				for j := range 100 {
					w = append(w, put(s, fmt.Sprintf("key-%08d", i+j), strings.Repeat("v", 100)))
				}
				commit(b, db, w...)
			}
			require.NoError(b, db.flushTables())
			var held int64
			b.ResetTimer()
			for i := range b.N {
				commit(b, db, put(s, "n", fmt.Sprint(i)))
				info, err := db.Checkpoint(ctx, fmt.Sprintf("%s/copy-%d", dir, i))
				require.NoError(b, err)
				held += int64(info.Held)
			}
			b.ReportMetric(float64(held)/float64(b.N), "held-ns/op")
		})
	}
}
