package citizentest

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Views that are opened and dropped, each at another version, with iterations begun in them, while
// others commit: memory stays flat, and once the collector has found them history may go again.
func TestAbandonedViews(t *testing.T) {
	many := size(100_000, 100_000, 10_000)
	db := open(t, t.TempDir(), &inmem.Options{MemoryBudget: 8 << 20, RetentionInterval: -1})
	run := begin(t, db)
	furnish(t, run)
	before := heap()
	for i := range many {
		view, err := run.At(t.Context(), db.Version()-uint64(i%5))
		require.NoError(t, err)
		_, err = view.KV().Exists(t.Context(), "k")
		require.NoError(t, err)
		if i%50 == 0 {
			put(t, run.KV(), "turn", fmt.Sprint(i))
			for range view.KV().Scan(t.Context(), inmem.ScanOptions{}) {
				break
			}
		}
	}
	require.Less(t, heap(), before+16<<20)
	require.NoError(t, only(db.SetRetention(t.Context(), inmem.RetentionTarget{},
		inmem.Keep{Commits: 1})))
	require.Eventually(t, func() bool {
		runtime.GC()
		report, err := db.PlanRetention(t.Context())
		require.NoError(t, err)
		for _, r := range report.Runs {
			if len(r.HeldBy) > 0 {
				return false
			}
		}
		return true
	}, 30*time.Second, 20*time.Millisecond, "a view that nobody has holds history")
	require.Eventually(t, func() bool { // Prune leaves the last half second to reads without a view
		require.NoError(t, only(db.ApplyRetention(t.Context(), nil)))
		return db.Metrics().Pruned >= uint64(many/50-10)
	}, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, fmt.Sprint((many-1)/50*50), get(t, run.KV(), "turn"))
}

// Sequences that are made and never walked, walked halfway, or walked twice hold nothing.
func TestAbandonedSequences(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	run := begin(t, db)
	furnish(t, run)
	for i := range 100 {
		put(t, run.KV(), fmt.Sprintf("%03d", i), "v")
		require.NoError(t, only(run.Events().Append(t.Context(), "e", inmem.Int(1))))
	}
	goroutines := runtime.NumGoroutine()
	before := heap()
	for range size(50_000, 5_000, 2_000) {
		_ = run.Watch(t.Context(), inmem.WatchOptions{})
		_ = run.Replay(t.Context(), inmem.ReplayOptions{})
		scan := run.KV().Scan(t.Context(), inmem.ScanOptions{})
		for range 2 {
			for _, err := range scan {
				require.NoError(t, err)
				break
			}
		}
		for _, err := range run.Events().List(t.Context(), inmem.EventOptions{}) {
			require.NoError(t, err)
			break
		}
	}
	require.Less(t, heap(), before+8<<20)
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+4)
}
