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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// allOf asks for one horizon for everything that can be pruned.
func allOf(upTo uint64) backend.PruneOptions {
	var o backend.PruneOptions
	for _, p := range backend.Prunable() {
		o.Upto = append(o.Upto, backend.Horizon{Primitive: p, Version: upTo})
	}
	return o
}

// seen is what a scope shows at a version.
type seen struct {
	pairs []string
	hot   backend.Record
}

// show reads a scope at a version.
func show(db *DB, s *backend.Scope, at uint64) (x seen, err error) {
	for _, p := range []codec.Primitive{codec.KV, codec.Cells, codec.Traces.Index(), codec.Events} {
		c := db.Scan(ctx, s, p, backend.Range{}, at)
		for c.Next() {
			r := c.Record()
			x.pairs = append(x.pairs, fmt.Sprintf("%s %q %d %x", p, c.Key(), r.Version, r.Value))
		}
		c.Close()
		if p != codec.Events && c.Err() != nil {
			return x, c.Err()
		}
	}
	x.hot, err = db.Get(ctx, s, codec.KV, "hot", at)
	x.hot.Hint = 0
	return x, err
}

// keptHistory is a run with a past, and what it showed at some versions.
type keptHistory struct {
	scope *backend.Scope
	at    map[uint64]seen
	last  uint64
}

// live gives a run a past: a hot key, deletions, deadlines, index entries, events.
func live(t *testing.T, db *DB, n byte, commits int) *keptHistory {
	h := &keptHistory{scope: newScope(t, db, n), at: map[uint64]seen{}}
	for i := range commits {
		r := &backend.Request{}
		add := func(p codec.Primitive, key string, op backend.Op) {
			w := put(h.scope, key, fmt.Sprint("value ", i))
			w.Primitive, w.Op = p, op
			if op == backend.Delete {
				w.Value = nil
			} else if i%3 == 0 && p == codec.KV {
				w.Expiry = 1 << 62
			}
			r.Writes = append(r.Writes, w)
		}
		add(codec.KV, "hot", backend.Put)
		switch i % 7 {
		case 0:
			add(codec.Cells, "cell", backend.Put)
			add(codec.Traces.Index(), fmt.Sprint("by/", i%5), backend.Put)
		case 2:
			add(codec.KV, fmt.Sprint("key ", i%4), backend.Put)
		case 4:
			add(codec.KV, fmt.Sprint("key ", i%4), backend.Delete)
		case 5:
			payload := []byte{0xf6}
			r.Appends = []backend.Append{{Scope: h.scope, Type: "step", Payload: payload,
				Digest: codec.PayloadDigest(payload)}}
		}
		out, err := db.Commit(ctx, r)
		require.NoError(t, err)
		h.last = out.Version
		if i%(1+commits/12) == 0 || i >= commits-2 {
			h.note(t, db, out.Version)
		}
	}
	return h
}

func (h *keptHistory) note(t *testing.T, db *DB, at uint64) {
	t.Helper()
	x, err := show(db, h.scope, at)
	require.NoError(t, err)
	h.at[at] = x
}

// want demands that what can be read is as it was, and that the rest is refused. It returns the
// horizon.
func (h *keptHistory) want(t *testing.T, db *DB) uint64 {
	t.Helper()
	s := &backend.Scope{Number: h.scope.Number, Record: h.scope.Record}
	list, err := db.Horizons(ctx, s)
	require.NoError(t, err)
	horizon := list.Newest()
	require.Equal(t, horizon, list.Of(codec.Journal))
	for at, before := range h.at {
		if at > db.Published() {
			continue
		}
		now, err := show(db, s, at)
		if at < horizon {
			require.ErrorIs(t, err, backend.ErrPruned)
			continue
		}
		require.NoError(t, err, "at %d, horizon %d", at, horizon)
		require.Equal(t, before, now, "at %d, horizon %d", at, horizon)
		_, err = db.Commits(ctx, s, at)
		require.NoError(t, err)
	}
	return horizon
}

// prunePoint is the disk at one moment of a Prune.
type prunePoint struct {
	fs   *disktest.Disk
	step int
	op   string
}

// R214: a crash at every file system operation of prunings. After each every read at or above the
// horizons that were found is as it was before, every read below is refused, another run is as it
// was, and the next Prune comes to its end.
func TestR214CrashAtEveryStepOfAPrune(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		for _, kept := range keptShares() {
			t.Run(fmt.Sprintf("%s/kept=%d", mode, kept), func(t *testing.T) {
				crashWhilePruning(t, mode, kept)
			})
		}
	}
}

func crashWhilePruning(t *testing.T, mode Mode, kept int) {
	mem := disktest.New()
	rng := rand.New(rand.NewPCG(uint64(kept), uint64(mode)))
	var mu sync.Mutex
	var points []prunePoint
	step := 0 // guarded by mu; 0: not yet
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if step > 0 && len(points) < 500 && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			points = append(points, prunePoint{step: step, op: fmt.Sprintf("%v %s", op.Kind, op.Path),
				fs: mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})})
		}
		return nil
	})
	o := memOptions()
	o.Mode, o.FS, o.SweepInterval, o.WriteBuffer = mode, errorfs.Wrap(mem, crash), -1, 64<<10
	o.readGrace = -1
	db, err := Open(ctx, o)
	require.NoError(t, err)
	h, other := live(t, db, 1, 700), live(t, db, 2, 20)
	require.NoError(t, db.Flush(ctx))
	acknowledged := map[int]uint64{} // horizon, by step, that must be found after it
	middle := h.last - 200
	for i, upTo := range []uint64{middle, h.last} {
		mu.Lock()
		step++
		mu.Unlock()
		stop := syncBeside(t, db, other)
		asked := allOf(upTo)
		asked.Rate = 5000 // so slow that most of it is seen step by step
		r, err := db.Prune(ctx, h.scope, asked)
		stop()
		require.NoError(t, err)
		require.Greater(t, r.Versions, uint64(150), "several batches in all")
		_, err = db.Reclaim(ctx)
		require.NoError(t, err)
		require.NoError(t, db.Flush(ctx))
		mu.Lock()
		step++
		mu.Unlock()
		acknowledged[step] = upTo
		if i == 0 { // commits go on in between
			commit(t, db, put(other.scope, "key", "between"))
			require.NoError(t, db.Flush(ctx))
		}
	}
	require.NoError(t, db.Close())
	t.Logf("%d crash points", len(points))
	require.Greater(t, len(points), 30)
	every := 1 + len(points)/60
	if testing.Short() {
		every = 1 + len(points)/30
	}
	for i := rng.IntN(every); i < len(points); i += every {
		p := points[i]
		o.FS = p.fs
		checkPruned(t, o, h, other, acknowledged[p.step])
		if t.Failed() {
			t.Fatalf("crash %d in step %d, before %s", i, p.step, p.op)
		}
	}
}

// syncBeside has commits of another run bring to the disk what a Prune does, step by step.
func syncBeside(t *testing.T, db *DB, other *keptHistory) (stop func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			_, err := db.Commit(ctx, &backend.Request{Durability: backend.Durable,
				Writes: []backend.Write{put(other.scope, "key", "beside")}})
			assert.NoError(t, err)
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() {
		done.Store(true)
		wg.Wait()
	}
}

// checkPruned looks at what a crash has left, prunes, looks again, then after another open.
func checkPruned(t *testing.T, o Options, h, other *keptHistory, acknowledged uint64) {
	t.Helper()
	db, err := Open(ctx, o)
	require.NoError(t, err)
	found := h.want(t, db)
	require.GreaterOrEqual(t, found, acknowledged)
	require.Zero(t, other.want(t, db))
	s := &backend.Scope{Number: h.scope.Number, Record: h.scope.Record}
	r, err := db.Prune(ctx, s, allOf(h.last))
	require.NoError(t, err)
	require.Equal(t, h.last, r.After.Newest())
	require.Equal(t, h.last, h.want(t, db))
	r, err = db.PlanPrune(ctx, s, allOf(h.last))
	require.NoError(t, err)
	require.Zero(t, r.Versions+r.Commits, "nothing is left below the horizon")
	require.Equal(t, 1, storedVersions(t, db, s, codec.KV, "hot"))
	require.LessOrEqual(t, remainsOf(t, db, s).deadlines, 3, "of keys that are there")
	commit(t, db, put(s, "after", "it goes on"))
	require.NoError(t, db.Close())
	db, err = Open(ctx, o)
	require.NoError(t, err)
	require.Equal(t, h.last, h.want(t, db))
	require.Zero(t, other.want(t, db))
	require.Equal(t, "it goes on", value(t, db, s, "after", db.Published()))
	require.NoError(t, db.Close())
}

// storedVersions counts the versions of a key in the store.
func storedVersions(
	t *testing.T, db *DB, s *backend.Scope, p codec.Primitive, key string,
) (n int) {
	t.Helper()
	require.NoError(t, db.handover.push())
	prefix, err := codec.AppendKey(nil, s.Number, p, key)
	require.NoError(t, err)
	it, err := db.store.NewIter(nil)
	require.NoError(t, err)
	for ok := it.SeekPrefixGE(prefix); ok; ok = it.Next() {
		n++
	}
	require.NoError(t, it.Close())
	return n
}

// The disk fails while a run is pruned: nothing hangs or panics, reads go on, and after the next
// open all that can be read is as it was.
func TestR214DiskFailsWhilePruning(t *testing.T) {
	kinds := []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData,
		errorfs.OpCreate, errorfs.OpRename, errorfs.OpFileFlush}
	for n := int64(1); n < 40; n += 2 * step(t, n) {
		mem := disktest.New()
		b := &breaker{kinds: kinds, at: n, forGood: true, err: syscall.EIO}
		b.off.Store(true)
		o := memOptions()
		o.Mode, o.SweepInterval, o.WriteBuffer, o.readGrace = Batched, -1, 64<<10, -1
		o.FS, o.SyncInterval = errorfs.Wrap(mem, b), time.Millisecond
		db, err := Open(ctx, o)
		require.NoError(t, err)
		h, other := live(t, db, 1, 300), live(t, db, 2, 10)
		require.NoError(t, db.Flush(ctx))
		b.off.Store(false)
		_, err = db.Prune(ctx, h.scope, allOf(h.last))
		if err == nil {
			_, err = db.Reclaim(ctx)
		}
		if err != nil {
			require.ErrorIs(t, err, backend.ErrStorage)
			var pruned *backend.PrunedError
			require.False(t, errors.As(err, &pruned))
		}
		h.want(t, db)
		_ = db.Close() // its error is what failed
		o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
		checkPruned(t, o, h, other, 0)
		if t.Failed() {
			t.Fatalf("failure at operation %d", n)
		}
	}
}
