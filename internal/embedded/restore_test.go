package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// checkpointed makes a database with a checkpoint in the directory "db" of a file system of its
// own, and an older one of the same database. Part of it is in tables and part in the log.
func checkpointed(t *testing.T) (now, before image, version uint64, want map[string]string) {
	t.Helper()
	o := memOptions()
	o.Mode, o.SweepInterval, o.WriteBuffer = Strict, -1, 64<<10
	var late atomic.Pointer[func()] // the log is not empty if something comes while tables are linked
	o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "copy") && strings.Contains(op.Path, "OPTIONS") {
			if do := late.Swap(nil); do != nil {
				(*do)()
			}
		}
		return nil
	}))
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	take := func() image {
		comes := func() { commit(t, db, put(s, "late", "comer")) }
		late.Store(&comes)
		info, err := db.Checkpoint(ctx, "copy")
		require.NoError(t, err)
		require.Nil(t, late.Load())
		version, want = info.Version, dump(t, db, info.Version)
		require.Equal(t, db.Published(), version)
		image := loadDir(t, o.FS, "copy")
		require.NoError(t, o.FS.RemoveAll("copy"))
		return image
	}
	known := &ledger{}
	damageWork(t, db, s, known, 60)
	before = take()
	damageWork(t, db, s, known, 90)
	now = take()
	return now, before, version, want
}

func loadDir(t *testing.T, vfsys vfs.FS, dir string) image {
	t.Helper()
	to := vfs.NewMem()
	ok, err := vfs.Clone(vfsys, to, dir, "db")
	require.NoError(t, err)
	require.True(t, ok)
	return loadImage(t, to)
}

// A restored checkpoint is a clean database that holds what its source held, and the checkpoint is
// as it was.
func TestRestore(t *testing.T) {
	now, _, version, want := checkpointed(t)
	store := now.store(t)
	var told [][2]int64
	r, err := Restore(ctx, RestoreOptions{From: "db", To: "deep/down/new", FS: store,
		Progress: func(done, total int64) { told = append(told, [2]int64{done, total}) }})
	require.NoError(t, err)
	require.Equal(t, version, r.Version)
	require.Equal(t, now, loadImage(t, store), "a checkpoint was changed")
	require.Len(t, told, r.Files)
	for i, at := range told {
		require.Equal(t, r.Bytes, at[1])
		require.True(t, i == 0 || at[0] >= told[i-1][0])
	}
	require.Equal(t, r.Bytes, told[len(told)-1][0])
	a, err := readSentinel(store, "db")
	require.NoError(t, err)
	b, err := readSentinel(store, "deep/down/new")
	require.NoError(t, err)
	require.NotEqual(t, a.ID, b.ID)
	o := memOptions()
	o.FS, o.SweepInterval = store, -1
	require.Equal(t, want, dump(t, openCopy(t, o, "deep/down/new", version), version))
	_, err = store.Stat("deep/down/new.partial")
	require.ErrorIs(t, err, fs.ErrNotExist)

	// What was restored, used and closed can be restored again.
	db, err := Open(ctx, Options{Dir: "other", FS: store, SweepInterval: -1})
	require.NoError(t, err)
	s := newScope(t, db, 9)
	last := commit(t, db, put(s, "k", "v"))
	require.NoError(t, db.Close())
	r, err = Restore(ctx, RestoreOptions{From: "other", To: "again", FS: store})
	require.NoError(t, err)
	require.Equal(t, last, r.Version)
	openCopy(t, o, "again", last)
}

// R125, R129: damage anywhere in a checkpoint is found before there is anything in the place, or it
// does no harm. A table has no byte that could change unseen.
func TestR125RestoreFindsDamage(t *testing.T) {
	now, before, version, want := checkpointed(t)
	c := &damageCase{now: now, before: before}
	refused, harmless := 0, 0
	for _, file := range now.names() {
		for _, how := range damages(file, c) {
			spoilt := now.with(file, how.make(bytes.Clone(now[file])))
			name := file + "/" + how.name
			store := spoilt.store(t)
			_, err := Restore(ctx, RestoreOptions{From: "db", To: "new", FS: store})
			require.Equal(t, spoilt, loadImage(t, store), name)
			if err == nil {
				harmless++
				require.NotContains(t, name, ".sst", name)
				o := memOptions()
				o.FS, o.SweepInterval = store, -1
				require.Equal(t, want, dump(t, openCopy(t, o, "new", version), version), name)
				continue
			}
			refused++
			require.True(t, errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrFormat),
				"%s: %v", name, err)
			for _, dir := range []string{"new", "new.partial"} {
				_, err = store.Stat(dir)
				require.ErrorIs(t, err, fs.ErrNotExist, name)
			}
		}
	}
	t.Logf("%d refused, %d harmless", refused, harmless)
	require.Greater(t, refused, 30)
}

// The bytes of a table are all covered: one flipped bit anywhere is found.
func TestR125EveryByteOfATable(t *testing.T) {
	now, _, _, _ := checkpointed(t)
	rng, checked := rand.New(rand.NewPCG(1, 2)), 0
	for _, file := range now.names() {
		if !strings.HasSuffix(file, ".sst") {
			continue
		}
		step := 1 + len(now[file])/500
		c := newDB(Options{Dir: "db", FS: vfs.NewMem()})
		for at := rng.IntN(step); at < len(now[file]); at += step {
			spoilt := bytes.Clone(now[file])
			spoilt[at] ^= byte(1 << rng.IntN(8))
			c.opts.FS = image{file: spoilt}.store(t)
			err := c.verifyTable(ctx, "db/"+file)
			require.ErrorIs(t, err, codec.ErrCorrupt, "%s: byte %d of %d", file, at, len(spoilt))
			checked++
		}
	}
	require.Greater(t, checked, 400)
}

// A crash at every file operation of a restore leaves nothing in the place, or all; and what lies
// beside it does not keep the next one from succeeding.
func TestCrashAtEveryStepOfARestore(t *testing.T) {
	now, _, version, want := checkpointed(t)
	for _, kept := range keptShares() {
		mem := disktest.New()
		ok, err := vfs.Clone(now.store(t), mem, "db", "db", vfs.CloneSync)
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, syncDir(mem, "/"))
		var points []crashPoint
		rng := rand.New(rand.NewPCG(uint64(kept), 3))
		inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
				points = append(points, crashPoint{op: fmt.Sprintf("%v %s", op.Kind, op.Path), fs: clone})
			}
			return nil
		})
		ro := RestoreOptions{From: "db", To: "new", FS: errorfs.Wrap(mem, inject)}
		_, err = Restore(ctx, ro)
		require.NoError(t, err)
		require.Greater(t, len(points), 15)
		after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
		_, err = after.Stat("new")
		require.NoError(t, err, "it is told, and not on stable storage")
		points = append(points, crashPoint{op: "the end", fs: after})
		made := 0
		for _, p := range points {
			o := memOptions()
			o.FS, o.SweepInterval = p.fs, -1
			requireNoDatabase(t, o, "new.partial/db")
			if _, err := p.fs.Stat("new"); err == nil {
				made++
			} else {
				_, err := Restore(ctx, RestoreOptions{From: "db", To: "new", FS: p.fs})
				require.NoError(t, err, "crash before %s", p.op)
			}
			require.Equal(t, want, dump(t, openCopy(t, o, "new", version), version), p.op)
		}
		require.Less(t, made, len(points))
	}
}

// What cannot be restored is refused for what it is, and nothing is made.
func TestRestoreRefuses(t *testing.T) {
	now, _, _, _ := checkpointed(t)
	store := now.store(t)
	require.NoError(t, store.MkdirAll("nothing", 0o755))
	require.NoError(t, store.MkdirAll("full/of", 0o755))
	refused := func(from, to string, want error) {
		t.Helper()
		_, err := Restore(ctx, RestoreOptions{From: from, To: to, FS: store})
		require.ErrorIs(t, err, want, "%s to %s", from, to)
		require.ErrorContains(t, err, from)
	}
	for _, from := range []string{"missing", "nothing", "db/INMEM", ""} {
		refused(from, "new", codec.ErrInvalidArgument)
	}
	for _, to := range []string{"", "full", "db", "db/new", "db/INMEM"} {
		refused("db", to, codec.ErrInvalidArgument)
	}
	_, err := Restore(ctx, RestoreOptions{From: "db", To: "full", FS: store})
	require.ErrorIs(t, err, fs.ErrExist)

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Restore(canceled, RestoreOptions{From: "db", To: "new", FS: store})
	require.ErrorIs(t, err, context.Canceled)

	o := Options{Dir: "live", FS: store, SweepInterval: -1}
	db, err := Open(ctx, o)
	require.NoError(t, err)
	refused("live", "new", backend.ErrLocked)
	require.NoError(t, db.Close())
	for _, dir := range []string{"new", "new.partial"} {
		_, err = store.Stat(dir)
		require.ErrorIs(t, err, fs.ErrNotExist, dir)
	}
	_, err = Restore(ctx, RestoreOptions{From: "live", To: "new", FS: store})
	require.NoError(t, err)

	// A database whose process died must be opened and closed first: its log ends anywhere.
	s, err := readSentinel(store, "new")
	require.NoError(t, err)
	s.State = stateOpen
	require.NoError(t, writeSentinel(store, "new", s))
	refused("new", "newer", codec.ErrInvalidArgument)
}
