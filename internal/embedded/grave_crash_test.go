package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
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

// A crash at every file system operation of a workload that deletes runs (R194, E90, E91). After
// each the run is whole, as it was when it was deleted, or gone for everybody; if it is gone, its
// space is freed in the end; the run that is not deleted is as it was; and a run that was begun
// again under the same id sees nothing of the old one.
func TestR194CrashAtEveryStepOfADeletion(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		for _, kept := range keptShares() {
			for _, keys := range []int{5, 2 * fewKeys} {
				name := fmt.Sprintf("%s/kept=%d/keys=%d", mode, kept, keys)
				t.Run(name, func(t *testing.T) { crashWhileDeleting(t, mode, kept, keys) })
			}
		}
	}
}

// lives are the deletions of a workload, by scope number: each scope with what it held.
type lives struct {
	mu      sync.Mutex
	scopes  []*backend.Scope // guarded by mu; those of one id follow each other
	deleted map[codec.Scope]bool
}

func (l *lives) begin(s *backend.Scope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scopes = append(l.scopes, s)
}

func (l *lives) end(s *backend.Scope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deleted[s.Number] = true
}

func (l *lives) clone() (scopes []*backend.Scope, deleted map[codec.Scope]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	deleted = map[codec.Scope]bool{}
	for n := range l.deleted {
		deleted[n] = true
	}
	return append(scopes, l.scopes...), deleted
}

// deletionPoint is the disk at one moment, and what was acknowledged as durable then.
type deletionPoint struct {
	fs      *disktest.Disk
	scopes  []*backend.Scope
	deleted map[codec.Scope]bool
	op      string
}

func crashWhileDeleting(t *testing.T, mode Mode, kept, keys int) {
	mem := disktest.New()
	rng := rand.New(rand.NewPCG(uint64(kept), uint64(mode)))
	known := &lives{deleted: map[codec.Scope]bool{}}
	var points []deletionPoint
	var mu sync.Mutex
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			scopes, deleted := known.clone()
			points = append(points, deletionPoint{scopes: scopes, deleted: deleted,
				fs: mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng}),
				op: fmt.Sprintf("%v %s", op.Kind, op.Path)})
		}
		return nil
	})
	o := memOptions()
	o.Mode, o.FS, o.SweepInterval, o.WriteBuffer = mode, errorfs.Wrap(mem, crash), -1, 64<<10
	all := deletingWorkload(t, o, known, keys)
	t.Logf("%d crash points", len(points))
	require.Greater(t, len(points), 50)
	step := 1 + len(points)/70
	if testing.Short() {
		step = 1 + len(points)/12
	}
	for i := rng.IntN(step); i < len(points); i += step {
		o.FS = points[i].fs
		checkDeletions(t, o, points[i], all, keys)
		if t.Failed() {
			t.Fatalf("crash %d, before %s", i, points[i].op)
		}
	}
}

// deletingWorkload lives through several runs of one id, beside one that stays.
func deletingWorkload(t *testing.T, o Options, known *lives, keys int) []*backend.Scope {
	db, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, db, 1)
	fillRun(t, db, s, keys)
	require.NoError(t, db.Flush(ctx))
	known.begin(s)
	all := []*backend.Scope{s}
	for life := range 4 {
		s := newScope(t, db, 2)
		all = append(all, s)
		fillRun(t, db, s, keys)
		require.NoError(t, db.Flush(ctx))
		known.begin(s)
		r := deletion(s)
		if life%2 == 0 {
			r.Durability = backend.Durable
		}
		_, err := db.Commit(ctx, r)
		require.NoError(t, err)
		if life%2 == 0 || o.Mode == Strict {
			known.end(s)
		}
		switch life {
		case 1:
			require.NoError(t, settle(ctx, db))
			require.NoError(t, db.Flush(ctx))
			require.NoError(t, db.flushTables())
		case 2:
			require.NoError(t, db.Close())
			db, err = Open(ctx, o)
			require.NoError(t, err)
		}
	}
	require.NoError(t, db.Close())
	return all
}

// fillRun gives a run keys with deadlines, an event, an index entry of its record: the same
// whenever it is called.
func fillRun(t *testing.T, db *DB, s *backend.Scope, keys int) {
	for i := range keys {
		w := put(s, fmt.Sprint("key-", i), fmt.Sprint("value ", i))
		w.Expiry = 1 << 62
		r := &backend.Request{Writes: []backend.Write{w}}
		if i == 0 {
			payload := []byte{0xf6}
			r.Writes = append(r.Writes, entryOf(s))
			r.Appends = []backend.Append{{Scope: s, Type: "step", Payload: payload,
				Digest: codec.PayloadDigest(payload)}}
		}
		_, err := db.Commit(ctx, r)
		require.NoError(t, err)
	}
}

// checkDeletions looks at what a crash has left, frees, and looks again, then after another open.
func checkDeletions(
	t *testing.T, o Options, p deletionPoint, all []*backend.Scope, keys int,
) {
	db, err := Open(ctx, o)
	require.NoError(t, err)
	alive := lookAtRuns(t, db, p, all, keys)
	require.NoError(t, settle(ctx, db))
	require.Equal(t, alive, lookAtRuns(t, db, p, all, keys))
	for _, s := range all {
		r := remainsOf(t, db, s)
		require.Zero(t, r.notes)
		if !alive[s.Number] {
			require.Zero(t, r.keys+r.deadlines, "scope %d", s.Number)
		}
	}
	require.NoError(t, db.Close())
	db, err = Open(ctx, o)
	require.NoError(t, err)
	require.Equal(t, alive, lookAtRuns(t, db, p, all, keys))
	fresh, err := beginScope(db, 2)
	require.NoError(t, err)
	require.Zero(t, countKeys(t, db, fresh), "a run of the same id is empty")
	require.NoError(t, db.Close())
}

// lookAtRuns demands that every run is whole or gone, and tells which are there.
func lookAtRuns(
	t *testing.T, db *DB, p deletionPoint, all []*backend.Scope, keys int,
) map[codec.Scope]bool {
	t.Helper()
	alive := map[codec.Scope]bool{}
	complete := map[codec.Scope]bool{}
	for _, s := range p.scopes {
		complete[s.Number] = true // all that was put was on stable storage
	}
	looked := map[codec.Scope]bool{}
	for _, s := range append(all, p.scopes...) {
		looked[s.Number] = true
		s = &backend.Scope{Number: s.Number, Record: s.Record}
		_, err := db.Get(ctx, s, codec.KV, "key-0", db.Published())
		if errors.Is(err, backend.ErrScopeGone) {
			require.False(t, complete[s.Number] && s.Record == scopeName(1), "this one is not deleted")
			continue
		}
		require.NoError(t, err)
		require.False(t, p.deleted[s.Number], "its deletion was on stable storage")
		alive[s.Number] = true
		if complete[s.Number] {
			require.Equal(t, keys, countKeys(t, db, s), "scope %d is not whole", s.Number)
			c, err := db.Commits(ctx, s, db.Published())
			require.NoError(t, err)
			require.Equal(t, uint64(keys), c.Count)
			require.Equal(t, keys, remainsOf(t, db, s).deadlines)
		}
	}
	requireTail(t, db)
	for c, err := range db.Tail(ctx, 0) {
		require.NoError(t, err)
		for _, x := range c.Scopes {
			require.Equal(t, looked[x.Scope] && !alive[x.Scope], x.Gone)
		}
	}
	return alive
}

// The disk fails while a run is deleted and freed: nothing hangs or panics, Close returns, readers
// find the run gone once its deletion was acknowledged, and the next open goes on with the freeing.
func TestR194DiskFailsWhileFreeing(t *testing.T) {
	kinds := []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData,
		errorfs.OpCreate, errorfs.OpRename, errorfs.OpFileFlush}
	for _, mode := range []Mode{Strict, Batched} {
		for n := int64(1); n < 60; n += step(t, n) {
			mem := disktest.New()
			b := &breaker{kinds: kinds, at: n, forGood: true, err: syscall.EIO}
			b.off.Store(true)
			o := memOptions()
			o.Mode, o.SweepInterval, o.WriteBuffer = mode, -1, 64<<10
			o.FS, o.SyncInterval = errorfs.Wrap(mem, b), time.Millisecond
			db, err := Open(ctx, o)
			require.NoError(t, err)
			s := newScope(t, db, 2)
			keys := 3 + 2*fewKeys*int(n%2)
			fillRun(t, db, s, keys)
			require.NoError(t, db.Flush(ctx))
			b.off.Store(false)
			_, err = db.Commit(ctx, deletion(s))
			if err == nil {
				wantUnreadable(t, db, s)
			}
			failed := err != nil
			for i := 0; i < 50 && !failed; i++ { // the fault comes sooner or later
				_, err := beginScope(db, byte(3+i))
				failed = err != nil
			}
			_ = db.Close() // its error is what failed
			acknowledged := err == nil && mode == Strict
			o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
			checkDeletions(t, o, deletionPoint{scopes: []*backend.Scope{s},
				deleted: map[codec.Scope]bool{s.Number: acknowledged}}, nil, keys)
			if t.Failed() {
				t.Fatalf("%s: failure at operation %d", mode, n)
			}
		}
	}
}

// Runs come and go while others read, scan, tail and write; nobody ever sees a part of a run.
func TestR194DeletionUnderLoad(t *testing.T) {
	for _, eager := range []bool{false, true} {
		t.Run(fmt.Sprintf("spilling=%t", eager), func(t *testing.T) { deleteUnderLoad(t, eager) })
	}
}

func deleteUnderLoad(t *testing.T, eager bool) {
	o := memOptions()
	o.SweepInterval, o.evictEagerly, o.WriteBuffer = time.Millisecond, eager, 64<<10
	db := mustOpen(t, o)
	const keys = 2 * fewKeys
	var current atomic.Pointer[backend.Scope]
	next := func(n byte) *backend.Scope {
		s := newScope(t, db, n)
		w := make([]backend.Write, keys)
		for i := range w {
			w[i] = put(s, fmt.Sprintf("%03d", i), "value")
			if i%3 == 0 {
				w[i].Expiry = time.Now().Add(time.Duration(i) * time.Millisecond).UnixNano()
			}
		}
		commit(t, db, w...)
		return s
	}
	current.Store(next(1))
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !done.Load() && !t.Failed() {
				lookAtOne(t, db, current.Load(), keys)
			}
		})
	}
	wg.Go(func() {
		for !done.Load() && !t.Failed() {
			for c, err := range db.Tail(ctx, 0) {
				if err != nil || len(c.Scopes) != len(c.CommitRecord.Scopes) {
					t.Errorf("commit %d: %v", c.Version, err)
				}
			}
		}
	})
	for i := range 60 {
		old := current.Load()
		fresh := next(byte(2 + i%3))
		current.Store(fresh)
		_, err := db.Commit(ctx, deletion(old))
		require.NoError(t, err)
	}
	done.Store(true)
	wg.Wait()
	require.NoError(t, settle(ctx, db))
	require.Equal(t, uint64(60), db.Stats().Freed)
}

// lookAtOne scans a run that may be deleted meanwhile: it is there with all its keys, or gone.
// (What the sweeper takes from a run that lives does not count.)
func lookAtOne(t *testing.T, db *DB, s *backend.Scope, keys int) {
	handle := &backend.Scope{Number: s.Number, Record: s.Record}
	extent, err := db.Commits(ctx, handle, db.Published())
	if errors.Is(err, backend.ErrScopeGone) {
		return
	}
	if err != nil || extent.Count == 0 {
		t.Errorf("extent %+v, %v", extent, err)
		return
	}
	c := db.Scan(ctx, handle, codec.KV, backend.Range{}, extent.First)
	defer c.Close()
	n := 0
	for c.Next() {
		n++
	}
	if err := c.Err(); err == nil && n != keys || err != nil && !errors.Is(err, backend.ErrScopeGone) {
		t.Errorf("%d keys, %v", n, err)
	}
	rec, err := db.Get(ctx, handle, codec.KV, "001", extent.First)
	if err == nil && !rec.Exists() || err != nil && !errors.Is(err, backend.ErrScopeGone) {
		t.Errorf("record %+v, %v", rec, err)
	}
}
