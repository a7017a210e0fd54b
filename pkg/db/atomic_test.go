package inmem_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R082, R165, R192, R301: a crash at every file operation of commits that mix all primitives leaves
// of each commit all or nothing: the key, the event, the cell, the span, the vector, every index
// entry, and the status of the run.
func TestR082CrashAtEveryStep(t *testing.T) {
	for _, kept := range []int{0, 50, 100} {
		t.Run(fmt.Sprintf("kept=%d", kept), func(t *testing.T) {
			mem := disktest.New()
			rng := rand.New(rand.NewPCG(uint64(kept), 82))
			var points []*disktest.Disk
			var mu sync.Mutex
			crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
					mu.Lock()
					defer mu.Unlock()
					points = append(points, mem.CrashClone(vfs.CrashCloneCfg{
						UnsyncedDataPercent: kept, RNG: rng,
					}))
				}
				return nil
			})
			d, close := openMem(t, errorfs.Wrap(mem, crash))
			commitMixed(t, d)
			close()
			require.Greater(t, len(points), 40)
			step := 1
			if testing.Short() {
				step = 1 + len(points)/30
			}
			seen := map[int]int{}
			for i := 0; i < len(points); i += step {
				d, close := openMem(t, points[i])
				seen[checkMixed(t, d)]++
				close()
			}
			t.Logf("%d crash points, commits found after them: %v", len(points), seen)
			require.Greater(t, len(seen), 1, "the crashes do not differ")
		})
	}
}

// openMem opens a database on a file system in memory.
func openMem(t *testing.T, fs vfs.FS) (d *inmem.DB, close func()) {
	e, err := embedded.Open(t.Context(), embedded.Options{
		Dir: "db", Mode: embedded.Batched, FS: fs, Clock: time.Now, SweepInterval: -1,
		// Large enough for one log: a crash clone beside a log that is recycled can hang the file
		// system in memory.
		WriteBuffer: 4 << 20,
	})
	require.NoError(t, err)
	d, err = inmem.OpenOn(inmem.Hooks{Backend: e}, nil)
	require.NoError(t, err)
	return d, func() { require.NoError(t, d.Close()) }
}

const (
	mixedID      = "01890000-0000-7000-8000-000000000082"
	mixedCommits = 25
)

// commitMixed makes commits of which each touches everything, and the last one ends the run.
func commitMixed(t *testing.T, d *inmem.DB) {
	ctx := t.Context()
	run, err := d.BeginRun(ctx, inmem.RunOptions{ID: mixedID})
	require.NoError(t, err)
	for i := range mixedCommits {
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			n := inmem.Int(int64(i))
			_, err := tx.KV().Put(ctx, fmt.Sprintf("key-%02d", i), n)
			require.NoError(t, err)
			_, err = tx.Events().Append(ctx, "step", n)
			require.NoError(t, err)
			_, err = tx.Cell("at").Store(ctx, n)
			require.NoError(t, err)
			_, err = tx.Traces().Record(ctx, inmem.Span{ID: fmt.Sprintf("span-%02d", i),
				Type: inmem.SpanThought, Tags: []string{"step"}})
			require.NoError(t, err)
			_, err = tx.Extension("mine").Put(ctx, "at", n)
			require.NoError(t, err)
			require.NoError(t, tx.Vectors("steps").Ensure(ctx,
				inmem.CollectionOptions{Dim: 2, Metric: inmem.L2}))
			_, err = tx.Vectors("steps").Upsert(ctx, fmt.Sprintf("%02d", i), []float32{float32(i), 1},
				inmem.Null())
			require.NoError(t, err)
			if i == mixedCommits-1 {
				return tx.Record().Complete(ctx)
			}
			return tx.Record().AddTags(ctx, fmt.Sprintf("tag-%02d", i))
		})
		require.NoError(t, err)
		if i%10 == 5 {
			require.NoError(t, d.Flush(ctx))
		}
	}
}

// checkMixed says how many of the commits are there, and demands that they are there whole.
func checkMixed(t *testing.T, d *inmem.DB) (n int) {
	ctx := t.Context()
	run, err := d.Run(ctx, mixedID)
	if err != nil {
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		return -1
	}
	n, err = run.KV().Count(ctx, inmem.ScanOptions{})
	require.NoError(t, err)
	chain, err := run.Events().Verify(ctx)
	require.NoError(t, err)
	require.True(t, chain.Valid, chain.Reason)
	require.EqualValues(t, n, chain.Length)
	typed, err := run.Events().CountType(ctx, "step")
	require.NoError(t, err)
	require.EqualValues(t, n, typed)
	cell, err := inmem.CellOf[int](run, "at").Load(ctx)
	require.NoError(t, err)
	mine, _, err := inmem.Get[int](ctx, run.Extension("mine"), "at")
	require.NoError(t, err)
	if n == 0 {
		require.False(t, cell.Exists)
	} else {
		require.Equal(t, n-1, cell.Value)
		require.Equal(t, n-1, mine)
	}
	requireSteps(t, run, n)
	for _, f := range []inmem.SpanFilter{{}, {Type: inmem.SpanThought}, {Tag: "step"}} {
		spans, err := run.Traces().Count(ctx, f)
		require.NoError(t, err)
		require.Equal(t, n, spans)
	}
	info, err := run.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, n == mixedCommits, info.Status == inmem.Completed)
	require.Len(t, info.Tags, min(n, mixedCommits-1))
	require.EqualValues(t, n, info.Commits)
	requireHealthy(t, run)
	return n
}

// requireSteps finds as many vectors as there were commits, the last one nearest.
func requireSteps(t *testing.T, run *inmem.Run, n int) {
	r, err := run.Vectors("steps").Search(t.Context(),
		inmem.SearchOptions{Vector: []float32{mixedCommits, 1}, K: 2 * mixedCommits})
	if n == 0 {
		require.ErrorIs(t, err, inmem.ErrNotFound)
		return
	}
	require.NoError(t, err)
	require.Len(t, r.Hits, n)
	require.Equal(t, fmt.Sprintf("%02d", n-1), r.Hits[0].ID)
}

// requireHealthy compares every index of a run with what it is made from.
func requireHealthy(t *testing.T, run *inmem.Run) {
	t.Helper()
	events, err := run.Events().VerifyIndex(t.Context())
	require.NoError(t, err)
	require.Zero(t, events.Missing+events.Surplus)
	spans, err := run.Traces().VerifyIndexes(t.Context())
	require.NoError(t, err)
	require.True(t, spans.Healthy(), "%+v", spans)
	record, err := run.Record().VerifyIndex(t.Context())
	require.NoError(t, err)
	require.True(t, record.Healthy(), "%+v", record)
}
