package inmem_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// aBundle is a bundle of some commits of everything.
func aBundle(t *testing.T, commits int) ([]byte, inmem.BundleInfo) {
	a := newActor(newWorld(t, engines[0], nil), 11)
	for range commits {
		a.act(a.run)
	}
	return exported(t, a.DB, a.run.ID(), inmem.ExportOptions{})
}

// wantNothing demands that nobody sees anything of an import.
func wantNothing(t testing.TB, d *inmem.DB, id string) {
	t.Helper()
	ctx := context.Background()
	_, err := d.Run(ctx, id)
	require.ErrorIs(t, err, inmem.ErrRunNotFound)
	exists, err := d.Runs().Exists(ctx, id)
	require.NoError(t, err)
	require.False(t, exists)
	for r, err := range d.Runs().All(ctx, inmem.RunQuery{IncludeArchived: true}) {
		require.NoError(t, err)
		require.NotEqual(t, id, r.ID)
	}
	require.ErrorIs(t, d.DeleteRun(ctx, id), inmem.ErrRunNotFound)
	require.ErrorIs(t, d.View(ctx, func(v *inmem.View) error {
		_, err := v.Runs().Get(ctx, id)
		return err
	}), inmem.ErrRunNotFound)
	health, err := d.Runs().Verify(ctx)
	require.NoError(t, err)
	require.Empty(t, health.Faults)
}

// While a run is imported nobody sees it, and its id is taken; nothing else disturbs it.
func TestNobodySeesAnImportUnderWay(t *testing.T) {
	file, info := aBundle(t, 12)
	onEngines(t, func(t *testing.T, e engine) {
		ctx := t.Context()
		w := newWorld(t, e, nil)
		run, err := w.ImportRun(ctx, bytes.NewReader(file), inmem.ImportOptions{
			Progress: func(p inmem.BundleProgress) {
				wantNothing(t, w.DB, info.Run.ID)
				_, err := w.BeginRun(ctx, inmem.RunOptions{ID: info.Run.ID})
				require.ErrorIs(t, err, inmem.ErrRunExists)
				if p.Commits == 3 {
					_, err = w.ImportRun(ctx, bytes.NewReader(file), inmem.ImportOptions{})
					require.ErrorIs(t, err, inmem.ErrRunExists)
					repair, err := w.Runs().Rebuild(ctx)
					require.NoError(t, err)
					require.Zero(t, repair.Added+repair.Removed)
					require.NoError(t, w.sweep())
				}
				w.put("beside", "it")
			},
		})
		require.NoError(t, err)
		hash, err := run.StateHash(ctx, w.Version())
		require.NoError(t, err)
		require.Equal(t, info.StateHash, hash)
	})
}

// An import that is called off leaves nothing behind.
func TestImportsThatAreCalledOff(t *testing.T) {
	file, info := aBundle(t, 8)
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		for stop := range info.Run.Commits {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := w.ImportRun(ctx, bytes.NewReader(file), inmem.ImportOptions{
				Progress: func(p inmem.BundleProgress) {
					if p.Commits == stop+1 {
						cancel()
					}
				},
			})
			require.ErrorIs(t, err, inmem.ErrCanceled)
			wantNothing(t, w.DB, info.Run.ID)
			cancel()
		}
		again, err := w.BeginRun(t.Context(), inmem.RunOptions{ID: info.Run.ID})
		require.NoError(t, err, "the id is free")
		require.NoError(t, w.DeleteRun(t.Context(), again.ID()))
		imported(t, w.DB, file, inmem.ImportOptions{})
	})
}

// errGone is what a process that has ended would say.
var errGone = errors.New("the process is gone")

// mortal is an authority whose process ends after some commits.
type mortal struct {
	staying
	left int
}

func (m *mortal) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	if m.left--; m.left < 0 {
		return backend.Outcome{}, errGone
	}
	return m.staying.Commit(ctx, r)
}

// Wherever the process ends, the next one finds nothing of the import, and the id is free again.
func TestImportsThatComeToNoEnd(t *testing.T) {
	file, info := aBundle(t, 8)
	onEngines(t, func(t *testing.T, e engine) {
		for left := 0; ; left++ {
			w := newWorld(t, e, nil)
			m := &mortal{staying: staying{w.b}, left: left}
			first, err := inmem.OpenOn(inmem.Hooks{Backend: m, Epoch: 2}, nil)
			require.NoError(t, err)
			_, err = first.ImportRun(t.Context(), bytes.NewReader(file), inmem.ImportOptions{})
			next, openErr := inmem.OpenOn(inmem.Hooks{Backend: staying{w.b}, Epoch: 3}, nil)
			require.NoError(t, openErr)
			if err == nil {
				require.Equal(t, int(info.Run.Commits)+2, left, "as many steps as commits, and two")
				_, err = next.Run(t.Context(), info.Run.ID)
				require.NoError(t, err)
				break
			}
			require.ErrorIs(t, err, errGone)
			wantNothing(t, next, info.Run.ID)
			if left%2 == 0 { // the next import cleans up, if no open did
				require.NoError(t, next.DropImports(t.Context()))
				r, err := next.BeginRun(t.Context(), inmem.RunOptions{ID: info.Run.ID})
				require.NoError(t, err)
				require.NoError(t, next.DeleteRun(t.Context(), r.ID()))
			}
			r := imported(t, next, file, inmem.ImportOptions{})
			hash, err := r.StateHash(t.Context(), next.Version())
			require.NoError(t, err)
			require.Equal(t, info.StateHash, hash)
		}
	})
}

// R213: a power cut at any step of an import leaves all of the run, or nothing.
func TestPowerCutsDuringImports(t *testing.T) {
	file, info := aBundle(t, 10)
	chance := rand.New(rand.NewPCG(3, 4))
	clock := newTestClock()
	open := func(fs vfs.FS) (*inmem.DB, *embedded.DB) {
		e, err := embedded.Open(t.Context(), embedded.Options{
			Dir: "db", Mode: embedded.Batched, SyncInterval: time.Hour, FS: fs, Clock: clock.now,
			SweepInterval: -1, WriteBuffer: 64 << 10,
		})
		require.NoError(t, err)
		d, err := inmem.OpenOn(inmem.Hooks{Backend: e, Epoch: e.BootEpoch()}, nil)
		require.NoError(t, err)
		return d, e
	}
	mem := disktest.New()
	d, _ := open(mem)
	cut := func(synced bool) {
		if synced {
			require.NoError(t, d.Flush(t.Context()))
		}
		after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: chance.IntN(101), RNG: chance})
		next, e := open(after)
		defer func() { require.NoError(t, next.Close()) }()
		wantNothing(t, next, info.Run.ID)
		require.NoError(t, next.DropImports(t.Context()))
		_, err := e.Sweep(t.Context())
		require.NoError(t, err)
		r := imported(t, next, file, inmem.ImportOptions{})
		hash, err := r.StateHash(t.Context(), next.Version())
		require.NoError(t, err)
		require.Equal(t, info.StateHash, hash)
	}
	r, err := d.ImportRun(t.Context(), bytes.NewReader(file), inmem.ImportOptions{
		Progress: func(p inmem.BundleProgress) { cut(p.Commits%2 == 0) },
	})
	require.NoError(t, err)
	require.NoError(t, d.Flush(t.Context()))
	after, _ := open(mem.CrashClone(vfs.CrashCloneCfg{}))
	found, err := after.Run(t.Context(), r.ID())
	require.NoError(t, err)
	wantSameStates(t, r, found)
	require.NoError(t, after.Close())
	require.NoError(t, d.Close())
}

// In every durability mode an imported run is there after a close.
func TestImportsInEveryMode(t *testing.T) {
	file, info := aBundle(t, 12)
	ctx := t.Context()
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async} {
		dir := t.TempDir()
		d, err := inmem.Open(dir, &inmem.Options{Durability: mode})
		require.NoError(t, err)
		imported(t, d, file, inmem.ImportOptions{})
		require.NoError(t, d.Close())
		d, err = inmem.Open(dir, nil)
		require.NoError(t, err)
		r, err := d.Run(ctx, info.Run.ID)
		require.NoError(t, err)
		hash, err := r.StateHash(ctx, d.Version())
		require.NoError(t, err)
		require.Equal(t, info.StateHash, hash)
		again, _ := exported(t, d, info.Run.ID, inmem.ExportOptions{})
		require.Equal(t, file, again)
		require.NoError(t, d.Close())
	}
}
