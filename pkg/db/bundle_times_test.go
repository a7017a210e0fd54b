package inmem_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// anImport is a run with a key that expires a second after its first commit, and a commit a minute
// later, imported into a database that is younger by an hour.
func anImport(t *testing.T, e engine) (w *world, run *inmem.Run, first time.Time) {
	ctx := t.Context()
	source := newWorld(t, e, nil)
	first = source.clock.now()
	_, err := source.run.KV().PutWithTTL(ctx, "fleeting", inmem.Int(1), time.Second)
	require.NoError(t, err)
	source.clock.advance(time.Minute)
	source.put("lasting", "first")
	source.clock.advance(time.Minute)
	source.put("lasting", "second")
	file, _ := exported(t, source.DB, source.run.ID(), inmem.ExportOptions{})
	w = newWorld(t, e, nil)
	w.clock.advance(time.Hour)
	w.put("before", "the import")
	return w, imported(t, w.DB, file, inmem.ImportOptions{}), first
}

// R136: what an imported run shows of its past has the times that it had.
func TestTimesOfAnImportedRun(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		ctx := t.Context()
		w, run, first := anImport(t, e)
		all := replayed(t, run)
		entry, err := run.KV().GetVersioned(ctx, "lasting")
		require.NoError(t, err)
		require.Equal(t, all[2].Version, entry.Version)
		require.True(t, entry.Written.Equal(first.Add(2*time.Minute)), "%v", entry.Written)
		var written []time.Duration
		for past, err := range run.KV().History(ctx, "lasting") {
			require.NoError(t, err)
			written = append(written, past.Written.Sub(first))
		}
		require.Equal(t, []time.Duration{2 * time.Minute, time.Minute}, written)
		for at, version := range map[time.Duration]uint64{
			-1: 0, 0: all[0].Version, time.Minute - 1: all[0].Version, time.Minute: all[1].Version,
			2 * time.Minute: all[2].Version,
		} {
			v, err := run.AtTime(ctx, first.Add(at))
			require.NoError(t, err)
			require.Equal(t, version, v.Version(), "%v", at)
			require.NoError(t, v.Close())
		}
		var told []inmem.Origin
		for c, err := range run.Watch(ctx, inmem.WatchOptions{From: 1}) {
			require.NoError(t, err)
			if told = append(told, c.Origin); len(told) == 3 {
				break
			}
		}
		require.True(t, told[0].Time.Equal(first))
		w.clock.advance(time.Hour)
		own, err := run.KV().Put(ctx, "lasting", inmem.Int(3))
		require.NoError(t, err)
		v, err := run.AtTime(ctx, w.clock.now())
		require.NoError(t, err)
		require.Equal(t, own, v.Version())
		require.True(t, v.Time().Equal(w.clock.now()), "it goes on with the times of this database")
		require.NoError(t, v.Close())
		v, err = run.AtTime(ctx, w.clock.now().Add(-1))
		require.NoError(t, err)
		require.Less(t, v.Version(), own)
		require.NoError(t, v.Close())
	})
}

// What had expired is judged by the time that the commit had, also in views of the whole database;
// a live view goes by the clock.
func TestExpiryInImportedRuns(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		ctx := t.Context()
		w, run, _ := anImport(t, e)
		check := func(run *inmem.Run) {
			t.Helper()
			all := replayed(t, run)
			for i, want := range []bool{true, false, false} {
				one, err := run.At(ctx, all[i].Version)
				require.NoError(t, err)
				whole, err := w.At(ctx, all[i].Version)
				require.NoError(t, err)
				for name, k := range map[string]inmem.KV{
					"run": one.KV(), "database": whole.On(run).KV(),
				} {
					exists, err := k.Exists(ctx, "fleeting")
					require.NoError(t, err)
					require.Equal(t, want, exists, "%s commit %d", name, i)
					n, err := k.Count(ctx, inmem.ScanOptions{Prefix: "fleeting"})
					require.NoError(t, err)
					require.Equal(t, want, n == 1, "%s commit %d", name, i)
				}
				require.NoError(t, one.Close())
				require.NoError(t, whole.Close())
			}
			exists, err := run.KV().Exists(ctx, "fleeting")
			require.NoError(t, err)
			require.False(t, exists)
		}
		check(run)
		require.NoError(t, w.sweep())
		again, err := w.Run(ctx, run.ID())
		require.NoError(t, err)
		check(again)
	})
}

// Forks of an imported run have its past, also when they are flattened, and make the same bundle.
func TestForksOfAnImportedRun(t *testing.T) {
	e := engines[1]
	ctx := t.Context()
	w, run, first := anImport(t, e)
	all := replayed(t, run)
	fork, err := run.Fork(ctx, inmem.ForkOptions{At: all[1].Version})
	require.NoError(t, err)
	hash, err := run.StateHash(ctx, all[0].Version)
	require.NoError(t, err)
	check := func(fork *inmem.Run) {
		t.Helper()
		told := replayed(t, fork)
		require.Len(t, told, 2)
		require.Equal(t, all[0].Origin, told[0].Origin)
		found, err := fork.StateHash(ctx, told[0].Version)
		require.NoError(t, err)
		require.Equal(t, hash, found)
		v, err := fork.AtTime(ctx, first)
		require.NoError(t, err)
		require.Equal(t, told[0].Version, v.Version())
		require.NoError(t, v.Close())
	}
	check(fork)
	before, _ := exported(t, w.DB, fork.ID(), inmem.ExportOptions{})
	require.NoError(t, w.DeleteRunWith(ctx, run.ID(), inmem.DeleteOptions{
		Forks: inmem.FlattenForks,
	}))
	check(fork)
	again, err := w.Run(ctx, fork.ID())
	require.NoError(t, err)
	check(again)
	after, _ := exported(t, w.DB, fork.ID(), inmem.ExportOptions{})
	require.Equal(t, before, after)
	other := newWorld(t, e, nil)
	check(imported(t, other.DB, after, inmem.ImportOptions{}))
}

// A run of which retention has removed something is not exported as if it were whole.
func TestExportOfAPrunedRun(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, engines[0], nil)
	for range 10 {
		w.put("k", "v")
	}
	w.prune(w.Version() - 2)
	_, err := w.ExportRun(ctx, w.run.ID(), io.Discard, inmem.ExportOptions{})
	require.ErrorIs(t, err, inmem.ErrPruned)
	_, err = w.ImportRun(ctx, bytes.NewReader(nil), inmem.ImportOptions{})
	require.ErrorIs(t, err, inmem.ErrCorrupt)
}

// Retention may have removed the journal of the imported commits: what is left can still be read.
func TestViewsOfAPrunedImport(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		ctx := t.Context()
		w, run, first := anImport(t, e)
		hash, err := run.StateHash(ctx, w.Version())
		require.NoError(t, err)
		last := replayed(t, run)[2].Version
		for range 3 {
			w.put("beside", "it")
		}
		w.run = run
		w.prune(last)
		v, err := w.run.At(ctx, w.Version())
		require.NoError(t, err)
		found, err := v.StateHash(ctx)
		require.NoError(t, err)
		require.Equal(t, hash, found)
		require.NoError(t, v.Close())
		for _, at := range []time.Time{first, first.Add(time.Minute)} {
			_, err = w.run.AtTime(ctx, at)
			require.ErrorIs(t, err, inmem.ErrPruned)
		}
		for _, at := range []time.Time{first.Add(2 * time.Minute), w.clock.now()} {
			v, err := w.run.AtTime(ctx, at)
			require.NoError(t, err)
			found, err := v.StateHash(ctx)
			require.NoError(t, err)
			require.Equal(t, hash, found)
			require.NoError(t, v.Close())
		}
		entry, err := w.run.KV().GetVersioned(ctx, "lasting")
		require.NoError(t, err)
		require.True(t, entry.Exists)
	})
}
