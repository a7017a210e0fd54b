package citizentest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Close in the middle of every call there is, all of them at once and again and again: each ends
// with ErrClosed at last, nothing hangs, panics or stays behind, and the database opens as it was.
func TestCloseInTheMiddleOfEverything(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched} {
		for range size(20, 2, 1) {
			closeAmong(t, mode)
		}
	}
}

func closeAmong(t *testing.T, mode inmem.Durability) {
	dir := t.TempDir()
	db := open(t, dir, &inmem.Options{
		Durability: mode, MemoryBudget: 1 << 20, SyncInterval: 5 * time.Millisecond,
		RetentionInterval: time.Millisecond,
	})
	run, other := begin(t, db), begin(t, db)
	furnish(t, run)
	furnish(t, other)
	view, err := run.At(t.Context(), db.Version())
	require.NoError(t, err)
	var wg, made sync.WaitGroup // made: every call was made once
	for group, calls := range map[string]map[string]call{
		"reads": reads(run), "writes": writes(other), "looks": looksAt(db, run, db.Version()),
		"acts": acts(db, other), "db": whole(t, db, run), "view": reads(view),
	} {
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			made.Add(1)
			wg.Go(func() {
				first := sync.OnceFunc(made.Done)
				defer first()
				for {
					// A watch has no end of its own.
					ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
					err := calls[name](ctx)
					cancel()
					first()
					if errors.Is(err, inmem.ErrClosed) {
						return
					}
					if err != nil && !harmless(err) {
						t.Errorf("%s %s: %v", group, name, err)
						return
					}
				}
			})
		}
	}
	made.Wait()
	closeAtOnce(t, db)
	wg.Wait()
	require.Zero(t, db.Metrics().Active)
	db = open(t, dir, nil)
	require.True(t, db.Recovery().Clean)
	report, err := db.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.NoError(t, db.Close())
}

// harmless tells whether an error is what calls that meet each other may get.
func harmless(err error) bool {
	for _, e := range []error{
		inmem.ErrTimeout, inmem.ErrConflict, inmem.ErrTxnTooOld, inmem.ErrExists, inmem.ErrNotFound,
		inmem.ErrRunExists, inmem.ErrSpanEnded, inmem.ErrInvalidArgument, inmem.ErrPruned,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
