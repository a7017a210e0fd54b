package citizentest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A thousand watchers, of the database and of runs, fast and slow: each is told every commit once
// and in order; the library needs no goroutine for any of them, and little memory; when they are
// cancelled they are gone, and the database never noticed.
func TestManyWatchers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	many, commits := size(1000, 1000, 200), 50
	db := open(t, t.TempDir(), &inmem.Options{SyncInterval: 5 * time.Millisecond})
	runs := []*inmem.Run{begin(t, db), begin(t, db)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before, goroutines := heap(), runtime.NumGoroutine()
	told := make([][]uint64, many)
	var wg, caughtUp sync.WaitGroup
	written := make(chan struct{})
	for i := range many {
		caughtUp.Add(1)
		wg.Go(func() {
			w, want := db.Watch(ctx, inmem.WatchOptions{}), 2*commits
			if i%2 == 0 {
				w, want = runs[i/2%2].Watch(ctx, inmem.WatchOptions{Values: inmem.NoValues}), commits
			}
			for c, err := range w {
				if err != nil {
					if !errors.Is(err, inmem.ErrCanceled) {
						t.Error(err)
					}
					return
				}
				if told[i] = append(told[i], c.Version); len(told[i]) == want {
					caughtUp.Done()
				}
				if i%100 == 1 {
					<-written // it stands still at the first until all is written
				}
			}
		})
	}
	var versions [2][]uint64
	var whole []uint64
	for i := range 2 * commits {
		v := put(t, runs[i%2].KV(), fmt.Sprint(i%7), fmt.Sprint(i))
		versions[i%2] = append(versions[i%2], v)
		whole = append(whole, v)
	}
	close(written)
	caughtUp.Wait()
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+many+8)
	require.Less(t, heap(), before+int64(many)*64<<10+16<<20)
	cancel()
	wg.Wait()
	for i := range told {
		want := whole
		if i%2 == 0 {
			want = versions[i/2%2]
		}
		require.Equal(t, want, told[i], "watcher %d", i)
	}
	put(t, runs[0].KV(), "k", "after")
	require.NoError(t, db.Close())
}

// A line of a thousand forks of forks: the last one shows what every one before it wrote, and a
// look for what nobody wrote costs no more than a few reads, because long lines are flattened.
func TestDeepForks(t *testing.T) {
	levels := size(1000, 1000, 100)
	db := open(t, t.TempDir(), &inmem.Options{MemoryBudget: 1 << 20})
	run := begin(t, db)
	first := run
	for i := range levels {
		require.NoError(t, only(run.Update(t.Context(), func(tx *inmem.Tx) error {
			return errors.Join(
				only(tx.KV().Put(t.Context(), fmt.Sprintf("%04d", i), inmem.Int(int64(i)))),
				only(tx.Events().Append(t.Context(), "level", inmem.Int(int64(i)))),
				only(tx.Cell("level").Store(t.Context(), inmem.Int(int64(i)))))
		})))
		fork, err := run.Fork(t.Context(), inmem.ForkOptions{})
		require.NoError(t, err)
		run = fork
	}
	check := func() {
		n, err := run.KV().Count(t.Context(), inmem.ScanOptions{})
		require.NoError(t, err)
		require.Equal(t, levels, n)
		chain, err := run.Events().Verify(t.Context())
		require.NoError(t, err)
		require.True(t, chain.Valid, chain.Reason)
		require.EqualValues(t, levels, chain.Length)
		for i := range levels {
			v, ok, err := inmem.Get[int](t.Context(), run.KV(), fmt.Sprintf("%04d", i))
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, i, v)
		}
		state, err := inmem.CellOf[int](run, "level").Load(t.Context())
		require.NoError(t, err)
		require.Equal(t, levels-1, state.Value)
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, levels, info.Commits)
		ancestors := 0
		for _, err := range run.Record().Ancestors(t.Context()) {
			require.NoError(t, err)
			ancestors++
		}
		require.Equal(t, levels, ancestors)
	}
	check()
	require.Eventually(t, func() bool {
		reads := db.Metrics().StoreReads
		ok, err := run.KV().Exists(t.Context(), fmt.Sprint("nobody wrote it", reads))
		require.NoError(t, err)
		require.False(t, ok)
		return db.Metrics().StoreReads-reads < 64
	}, time.Minute, 10*time.Millisecond, "reads go through the whole line")
	check()
	require.ErrorIs(t, db.DeleteRun(t.Context(), first.ID()), inmem.ErrHasForks)
	report, err := db.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}
