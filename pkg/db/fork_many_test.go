package inmem_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// manyForks is how many forks live at once in a test.
func manyForks() int {
	switch {
	case os.Getenv("INMEM_LONG") != "":
		return 10_000
	case testing.Short():
		return 400
	}
	return 2000
}

// R211: thousands of live forks of one run, each with a write of its own: the last one costs what
// the first did, all show the parent and themselves, and so they do after a reopen.
func TestR211ManyLiveForks(t *testing.T) {
	ctx, n, dir := t.Context(), manyForks(), t.TempDir()
	d, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	run, err := d.BeginRun(ctx, inmem.RunOptions{Tenant: "t", App: "a", Agent: "x"})
	require.NoError(t, err)
	for i := range 10 {
		_, err := run.KV().Put(ctx, fmt.Sprint("common", i), inmem.Int(int64(i)))
		require.NoError(t, err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	forks := make([]*inmem.Run, n)
	logged, kept := make([]int64, n), make([]int64, n)
	last := d.Metrics()
	for i := range forks {
		forks[i], err = run.Fork(ctx, inmem.ForkOptions{})
		require.NoError(t, err)
		_, err = forks[i].KV().Put(ctx, "mine", inmem.Int(int64(i)))
		require.NoError(t, err)
		m := d.Metrics()
		logged[i] = int64(m.BytesLogged - last.BytesLogged)
		kept[i], last = m.MemoryKeys-last.MemoryKeys, m
	}
	each := (float64(heap()) - float64(before)) / float64(n)
	t.Logf("%d live forks: %.0f bytes of memory each, %d bytes logged", n, each, median(logged))
	first, end := logged[:n/4], logged[n-n/4:]
	require.InDelta(t, median(first), median(end), 40, "versions differ in length")
	require.Equal(t, median(kept[:n/4]), median(kept[n-n/4:]))
	require.Less(t, each, 32e3)

	_, err = run.KV().Put(ctx, "common3", inmem.Int(-1))
	require.NoError(t, err)
	shows := func(fork *inmem.Run, i int) {
		for key, want := range map[string]int{"mine": i, "common3": 3, "common9": 9} {
			v, ok, err := fork.KV().Get(ctx, key)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, inmem.Int(int64(want)), v)
		}
	}
	for i, fork := range forks {
		shows(fork, i)
	}
	require.NoError(t, d.Close())
	d, err = inmem.Open(dir, nil)
	require.NoError(t, err)
	for i := 0; i < n; i += n / 50 {
		fork, err := d.Run(ctx, forks[i].ID())
		require.NoError(t, err)
		shows(fork, i)
	}
	require.NoError(t, d.Close())
}

func median(of []int64) int64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// R210: a promotion while everybody writes to the forks and deletes some of them, under a parent
// that takes no writes any more: the winner keeps what it was told to, the others are gone, and
// nobody is told anything else.
func TestR210PromoteAmongWritersAndDeleters(t *testing.T) {
	for _, parent := range []inmem.Status{inmem.Paused, inmem.Archived} {
		t.Run(parent.String(), func(t *testing.T) {
			onEngines(t, func(t *testing.T, e engine) { promoteAmong(t, newWorld(t, e, nil), parent) })
		})
	}
}

func promoteAmong(t *testing.T, w *world, parent inmem.Status) {
	ctx := w.ctx()
	w.put("common", "of the parent")
	if parent == inmem.Paused {
		require.NoError(t, w.run.Record().Pause(ctx))
	} else {
		require.NoError(t, w.run.End(ctx, inmem.Completed))
		require.NoError(t, w.run.Record().Archive(ctx))
	}
	forks := make([]*inmem.Run, 40)
	for i := range forks {
		forks[i] = w.fork(w.run, inmem.ForkOptions{})
	}
	winner := forks[11]
	written := make([]int, len(forks))
	var writers, others, begun sync.WaitGroup
	begun.Add(len(forks))
	stop := make(chan struct{})
	for i, f := range forks {
		writers.Go(func() {
			for j := 1; ; j++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := f.KV().Put(ctx, "mine", inmem.Int(int64(j)))
				if j == 1 {
					begun.Done()
				}
				if err != nil {
					if f == winner || !errors.Is(err, inmem.ErrRunNotFound) {
						t.Errorf("fork %d: %v", i, err)
					}
					return
				}
				written[i] = j
			}
		})
	}
	begun.Wait()
	for i := 0; i < len(forks); i += 3 { // the winner is none of them
		others.Go(func() {
			err := w.DeleteRun(ctx, forks[i].ID())
			if err != nil && !errors.Is(err, inmem.ErrRunNotFound) {
				t.Error(err)
			}
		})
	}
	_, err := w.Promote(ctx, winner, inmem.PromoteOptions{})
	require.NoError(t, err)
	others.Wait()
	close(stop)
	writers.Wait()
	require.Equal(t, []string{winner.ID()}, idsOf(t, w.Runs(), inmem.RunQuery{Parent: w.run.ID()}))
	v, _, err := winner.KV().Get(ctx, "mine")
	require.NoError(t, err)
	require.Equal(t, inmem.Int(int64(written[11])), v)
	require.Equal(t, "of the parent", text(t, winner.KV(), "common"))
	require.Equal(t, "of the parent", text(t, w.run.KV(), "common"))
	for i, f := range forks {
		if f != winner {
			_, err := f.KV().Put(ctx, "mine", inmem.Int(0))
			require.ErrorIs(t, err, inmem.ErrRunNotFound, "fork %d", i)
		}
	}
	requireIndex(t, w.DB)
}

// Version 0 of a run that was deleted is no view: deletion wins over all versions.
func TestNoViewOfADeletedRun(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		w.put("k", "v")
		at := w.Version()
		empty, err := w.run.At(w.ctx(), 0)
		require.NoError(t, err)
		require.NoError(t, empty.Close())
		require.NoError(t, w.DeleteRun(w.ctx(), w.run.ID()))
		for _, version := range []uint64{0, at, w.Version()} {
			_, err := w.run.At(w.ctx(), version)
			require.ErrorIs(t, err, inmem.ErrRunNotFound, "version %d", version)
		}
	})
}
