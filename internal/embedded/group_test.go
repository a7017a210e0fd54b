package embedded

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// Concurrent strict commits share syncs: with 16 committers a sync carries three commits or more,
// so they reach at least three times the rate of one, whatever a sync takes. Syncs are counted and
// not timed; each is made slow enough for the committers to come together.
func TestStrictCommitsShareSyncs(t *testing.T) {
	syncs := map[string]int{}
	var mu sync.Mutex
	slow := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && isLog(op.Path) {
			time.Sleep(2 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			syncs["log"]++
		}
		return nil
	})
	o := memOptions()
	o.Mode, o.SweepInterval, o.FS = Strict, -1, errorfs.Wrap(o.FS, slow)
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	count := func() int { mu.Lock(); defer mu.Unlock(); return syncs["log"] }

	const committers, each = 16, 20
	before := count()
	var wg sync.WaitGroup
	for g := range committers {
		wg.Go(func() {
			for i := range each {
				r := &backend.Request{Writes: []backend.Write{put(s, fmt.Sprint(g), fmt.Sprint(i))}}
				if _, err := db.Commit(ctx, r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	together := count() - before
	require.NotZero(t, together)
	require.GreaterOrEqual(t, committers*each, 3*together, "%d syncs", together)

	before = count()
	for i := range each {
		commit(t, db, put(s, "alone", fmt.Sprint(i)))
	}
	require.GreaterOrEqual(t, count()-before, each, "a lone strict commit returns before its sync")
}

// More data than any of Pebble's limits, in small commits: back pressure must let go again.
func TestBackPressureLetsGo(t *testing.T) {
	for _, buffer := range []uint64{0, 128 << 10} {
		t.Run(fmt.Sprint(buffer), func(t *testing.T) {
			o := memOptions()
			o.SweepInterval, o.WriteBuffer = -1, buffer
			db := mustOpen(t, o)
			s := newScope(t, db, 1)
			for round := range 12 {
				keys := load(t, db, s, 2000)
				require.Len(t, keys, 2000)
				require.NotZero(t, db.Published(), "round %d", round)
			}
		})
	}
}

// A table that cannot be read blocks compaction for good. Commits then end with an error that says
// so; without one they would wait for ever.
func TestFaultBlockedCompactionRefusesCommits(t *testing.T) {
	var bad atomic.Bool
	unreadable := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if bad.Load() && op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".sst") {
			return fmt.Errorf("%s: %w", op.Path, syscall.EIO)
		}
		return nil
	})
	o := memOptions()
	o.SweepInterval, o.WriteBuffer, o.FS = -1, 64<<10, errorfs.Wrap(o.FS, unreadable)
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	bad.Store(true)
	var failed error
	for i := 0; i < 5000 && failed == nil; i++ {
		w := put(s, fmt.Sprintf("key-%04d", i*7919%5000), strings.Repeat("x", 2000))
		_, failed = db.Commit(ctx, &backend.Request{Writes: []backend.Write{w}})
	}
	require.ErrorIs(t, failed, backend.ErrStorage)
	require.ErrorContains(t, failed, "compaction is blocked")
	bad.Store(false)
	require.Eventually(t, func() bool {
		_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, "a", "b")}})
		return err == nil
	}, 30*time.Second, 10*time.Millisecond, "it is no fault: commits go on when tables can be read")
}
