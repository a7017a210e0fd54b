package embedded

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A crash at every file system operation of a workload that forks, forks forks, flattens and
// deletes what was forked (R211). After each, every run that is there shows at every version what
// it showed before, and so it does when what was begun is brought to its end.
func TestR211CrashAtEveryStepOfForks(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		for _, kept := range keptShares() {
			t.Run(fmt.Sprintf("%s/kept=%d", mode, kept), func(t *testing.T) {
				crashWhileForking(t, mode, kept)
			})
		}
	}
}

// lineageLife is what an observer of the workload knows.
type lineageLife struct {
	mu     sync.Mutex
	runs   []forked                           // all that ever were
	alive  map[uint64][]codec.Scope           // after the commit of a version
	shown  map[codec.Scope]map[uint64]string  // at a version
	record map[uint64]map[codec.Scope]*forked // as of a version
}

// note looks at everything after a commit.
func (l *lineageLife) note(t testing.TB, db *DB, alive ...*forked) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	v := db.Published()
	l.record[v] = map[codec.Scope]*forked{}
	for _, f := range alive {
		l.alive[v] = append(l.alive[v], f.Number)
		known := *f
		l.record[v][f.Number] = &known
		if l.shown[f.Number] == nil {
			l.shown[f.Number] = map[uint64]string{}
			l.runs = append(l.runs, *f)
		}
		l.shown[f.Number][v] = shown(t, db, f.Scope, v)
	}
}

func crashWhileForking(t *testing.T, mode Mode, kept int) {
	mem := disktest.New()
	rng := rand.New(rand.NewPCG(uint64(kept), uint64(mode)))
	var points []*disktest.Disk
	var names []string
	var mu sync.Mutex
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			points = append(points,
				mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng}))
			names = append(names, fmt.Sprintf("%v %s", op.Kind, op.Path))
		}
		return nil
	})
	o := memOptions()
	o.Mode, o.FS, o.SweepInterval, o.WriteBuffer = mode, errorfs.Wrap(mem, crash), -1, 64<<10
	life := forkingWorkload(t, o)
	require.Greater(t, len(points), 50)
	step := 1 + len(points)/60
	if testing.Short() {
		step = 1 + len(points)/15
	}
	for i := rng.IntN(step); i < len(points); i += step {
		o.FS = points[i]
		checkForks(t, o, life)
		if t.Failed() {
			t.Fatalf("crash %d, before %s", i, names[i])
		}
	}
}

// forkingWorkload makes a line of forks, writes to all of them, and flattens and deletes from the
// root on.
func forkingWorkload(t *testing.T, o Options) *lineageLife {
	l := &lineageLife{
		alive: map[uint64][]codec.Scope{}, shown: map[codec.Scope]map[uint64]string{},
		record: map[uint64]map[codec.Scope]*forked{},
	}
	db, err := Open(ctx, o)
	require.NoError(t, err)
	root := run(newScope(t, db, 1), 1)
	l.note(t, db, &root)
	for i := range 40 {
		commit(t, db, put(root.Scope, fmt.Sprintf("key/%03d", i%30), strings.Repeat("x", 40*i)))
		if i%8 == 0 {
			appendTo(t, db, root.Scope, "step")
		}
		l.note(t, db, &root)
	}
	middle := fork(t, db, root, db.Published()-5)
	l.note(t, db, &root, &middle)
	commit(t, db, put(middle.Scope, "key/000", "middle"), put(root.Scope, "key/001", "later"))
	l.note(t, db, &root, &middle)
	appendTo(t, db, middle.Scope, "middle")
	leaf := fork(t, db, middle, db.Published())
	l.note(t, db, &root, &middle, &leaf)
	commit(t, db, put(leaf.Scope, "key/002", "leaf"),
		backend.Write{Scope: leaf.Scope, Primitive: codec.KV, Key: "key/003", Op: backend.Delete})
	l.note(t, db, &root, &middle, &leaf)
	require.NoError(t, db.Flush(ctx))
	flattened(t, db, &middle)
	l.note(t, db, &root, &middle, &leaf)
	commit(t, db, root.removal())
	l.note(t, db, &middle, &leaf)
	appendTo(t, db, leaf.Scope, "leaf")
	l.note(t, db, &middle, &leaf)
	require.NoError(t, db.Flush(ctx))
	require.NoError(t, settle(ctx, db))
	flattened(t, db, &leaf)
	l.note(t, db, &middle, &leaf)
	commit(t, db, middle.removal())
	l.note(t, db, &leaf)
	require.NoError(t, db.Close())
	return l
}

// checkForks opens what a crash has left.
func checkForks(t *testing.T, o Options, l *lineageLife) {
	db, err := Open(ctx, o)
	require.NoError(t, err)
	known := db.Published()
	for ; known > 0 && l.alive[known] == nil; known-- {
	}
	want := func() {
		t.Helper()
		for _, n := range l.alive[known] {
			s := &backend.Scope{Number: n, Record: l.record[known][n].Record}
			for v, text := range l.shown[n] {
				if v <= known {
					require.Equal(t, text, shown(t, db, s, v), "scope %d at %d of %d", n, v, known)
				}
			}
		}
	}
	want()
	// What was begun is brought to its end: every fork stands on its own, and nothing else is left.
	for _, n := range l.alive[known] {
		f := *l.record[known][n]
		f.Scope = &backend.Scope{Number: n, Record: f.Record}
		if f.rec.ForkVersion != 0 && !f.rec.Flattened {
			flattened(t, db, &f)
		}
	}
	want()
	if alive := l.alive[known]; len(alive) > 1 {
		for _, n := range alive[:len(alive)-1] {
			commit(t, db, l.record[known][n].removal())
		}
		require.NoError(t, settle(ctx, db))
		require.NoError(t, db.Close())
		db, err = Open(ctx, o)
		require.NoError(t, err)
		n := alive[len(alive)-1]
		s := &backend.Scope{Number: n, Record: l.record[known][n].Record}
		for v, text := range l.shown[n] {
			if v <= known {
				require.Equal(t, text, shown(t, db, s, v), "alone: scope %d at %d of %d", n, v, known)
			}
		}
	}
	require.NoError(t, db.Close())
}
