package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded/disktest"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// tree is a growing and shrinking tree of forks. Every run writes one key of its own, once, and is
// forked at that version: so what it has to show are the keys of its line.
type tree struct {
	t    testing.TB
	d    *inmem.DB
	mu   sync.Mutex
	born int
	runs []*treeRun
}

type treeRun struct {
	*inmem.Run
	keys    []string // its own is the last one
	version uint64
	deleted bool
}

// grow makes a run that writes its key; nil forks nothing.
func (tr *tree) grow(ctx context.Context, from *treeRun) error {
	tr.mu.Lock()
	tr.born++
	r := &treeRun{keys: []string{fmt.Sprintf("%06d", tr.born)}}
	tr.mu.Unlock()
	var err error
	if from == nil {
		r.Run, err = tr.d.BeginRun(ctx, inmem.RunOptions{Tags: []string{"tree"}})
	} else {
		r.keys = append(slices.Clone(from.keys), r.keys...)
		r.Run, err = from.Fork(ctx, inmem.ForkOptions{At: from.version, Tags: []string{"tree"}})
	}
	if err != nil {
		return err
	}
	r.version, err = r.KV().Put(ctx, r.keys[len(r.keys)-1], inmem.Bytes(make([]byte, 100)))
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.runs = append(tr.runs, r)
	return err
}

func (tr *tree) pick(r *rand.Rand) *treeRun {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.runs) == 0 {
		return nil
	}
	return tr.runs[r.IntN(len(tr.runs))]
}

func (tr *tree) gone(r *treeRun) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	r.deleted = true
	if i := slices.Index(tr.runs, r); i >= 0 {
		tr.runs = slices.Delete(tr.runs, i, i+1)
	}
}

// check compares what a run shows with what it has to.
func (tr *tree) check(ctx context.Context, r *treeRun) error {
	var keys []string
	for key, err := range r.KV().List(ctx, inmem.ScanOptions{}) {
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	if !slices.Equal(keys, r.keys) {
		return fmt.Errorf("run %s shows %q, not %q", r.ID(), keys, r.keys)
	}
	for _, key := range keys {
		if _, ok, err := r.KV().Get(ctx, key); err != nil || !ok {
			return fmt.Errorf("get %s: %v, %w", key, ok, err)
		}
	}
	return nil
}

// act does something to a run that was picked.
func (tr *tree) act(ctx context.Context, r *treeRun, dice int) error {
	switch {
	case dice < 5:
		return tr.grow(ctx, r)
	case dice < 7:
		err := tr.d.DeleteRun(ctx, r.ID())
		if err == nil {
			tr.gone(r)
		}
		if errors.Is(err, inmem.ErrHasForks) {
			return nil
		}
		return err
	case dice < 9:
		err := tr.d.DeleteRunWith(ctx, r.ID(), inmem.DeleteOptions{Forks: inmem.FlattenForks})
		if err == nil {
			tr.gone(r)
		}
		return err
	}
	return tr.check(ctx, r)
}

// R211: forks, deletions of both kinds, reads, and the keeper, all at once: a run either is gone,
// or shows exactly what its line has written.
func TestR211ForksAndDeletionsRace(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		d, err := inmem.OpenOn(inmem.Hooks{Backend: staying{w.b}, Depth: 2}, nil)
		require.NoError(t, err)
		ctx := w.ctx()
		tr := &tree{t: t, d: d}
		rounds := 300
		if testing.Short() {
			rounds = 100
		}
		require.NoError(t, tr.grow(ctx, nil))
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 211))
				for range rounds {
					r := tr.pick(rng)
					var err error
					if r == nil {
						err = tr.grow(ctx, nil)
					} else {
						err = tr.act(ctx, r, rng.IntN(14))
					}
					if err != nil && !errors.Is(err, inmem.ErrRunNotFound) {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		for _, r := range tr.runs {
			require.NoError(t, tr.check(ctx, r))
		}
		t.Logf("%d of %d runs are left", len(tr.runs), tr.born)
		requireIndex(t, d)
		require.NoError(t, d.Close())
	})
}

// R211: a crash at every file operation, while forks are made, flattened, promoted and deleted,
// leaves every run whole or not at all; and what was begun can be finished.
func TestR211CrashWhileForking(t *testing.T) {
	mem := disktest.New()
	rng := rand.New(rand.NewPCG(1, 211))
	var points []*disktest.Disk
	var mu sync.Mutex
	var armed atomic.Bool
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
			points = append(points, clone)
		}
		return nil
	})
	d, closed := reopen(t, errorfs.Wrap(mem, crash))
	ctx := t.Context()
	tr := &tree{t: t, d: d}
	require.NoError(t, tr.grow(ctx, nil))
	root := tr.runs[0]
	for range 6 {
		require.NoError(t, tr.grow(ctx, root))
	}
	require.NoError(t, d.Flush(ctx))
	armed.Store(true)
	all := slices.Clone(tr.runs)
	step := func(err error) {
		require.NoError(t, err)
		require.NoError(t, d.Flush(ctx))
	}
	line := all[1]
	for range 12 { // the keeper flattens
		step(tr.grow(ctx, line))
		line = tr.runs[len(tr.runs)-1]
		all = append(all, line)
	}
	step(d.DeleteRunWith(ctx, all[7].ID(), inmem.DeleteOptions{Forks: inmem.FlattenForks}))
	_, err := d.Promote(ctx, all[1].Run, inmem.PromoteOptions{Parent: inmem.DeleteParent})
	step(err)
	closed()
	armed.Store(false)
	require.Greater(t, len(points), 20)
	left := map[int]bool{}
	for i := 0; i < len(points); i += 1 + len(points)/40 {
		left[afterCrash(t, points[i], all)] = true
	}
	require.Greater(t, len(left), 3, "the crashes do not differ: %v", left)
}

// afterCrash looks at what a crash has left, tidies up, and returns how many runs there were.
func afterCrash(t *testing.T, fs vfs.FS, all []*treeRun) int {
	d, closed := reopen(t, fs)
	defer closed()
	ctx := t.Context()
	requireIndex(t, d)
	tr := &tree{t: t, d: d}
	left := idsOf(t, d.Runs(), inmem.RunQuery{Tags: []string{"tree"}})
	for _, was := range all {
		if !slices.Contains(left, was.ID()) {
			continue
		}
		run, err := d.Run(ctx, was.ID())
		require.NoError(t, err)
		r := &treeRun{Run: run, keys: was.keys}
		if wrote, err := run.KV().Exists(ctx, r.keys[len(r.keys)-1]); err == nil && !wrote {
			r.keys = r.keys[:len(r.keys)-1] // the crash came before
		}
		tr.runs = append(tr.runs, r)
		require.NoError(t, tr.check(ctx, r))
	}
	for _, r := range slices.Clone(tr.runs) {
		err := d.DeleteRunWith(ctx, r.ID(), inmem.DeleteOptions{Forks: inmem.FlattenForks})
		require.NoError(t, err)
		tr.gone(r)
		for _, other := range tr.runs {
			require.NoError(t, tr.check(ctx, other))
		}
	}
	requireIndex(t, d)
	return len(left)
}
