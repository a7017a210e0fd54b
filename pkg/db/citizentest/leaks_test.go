package citizentest

import (
	"context"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Databases that did everything there is, some of it cut short, leave neither goroutines nor open
// files after Close; opens that fail leave none at all; and memory is what it was.
func TestNothingLeaksAfterClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	everything(t) // what the process keeps for good is there from now on
	files, before := openFiles(t), heap()
	for range size(50, 5, 2) {
		everything(t)
	}
	require.Equal(t, files, openFiles(t))
	require.Less(t, heap(), before+8<<20)
}

// everything makes every call, in a database that is opened for it and closed.
func everything(t *testing.T) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "db")
	o := &inmem.Options{MemoryBudget: 1 << 20, RetentionInterval: time.Millisecond}
	if runtime.GOOS != "windows" {
		o.Inspect = inmem.InspectBySocket
	}
	db, err := inmem.Open(dir, o)
	require.NoError(t, err)
	run := begin(t, db)
	furnish(t, run)
	require.NoError(t, only(db.SetRetention(t.Context(), inmem.RetentionTarget{},
		inmem.Keep{Commits: 3})))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, calls := range []map[string]call{
		reads(run), writes(run), looksAt(db, run, db.Version()), acts(db, run), whole(t, db, run),
	} {
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			_ = calls[name](ctx) // some are cut short
		}
	}
	_, err = inmem.Open(dir, nil)
	require.ErrorIs(t, err, inmem.ErrLocked)
	if runtime.GOOS != "windows" {
		looked, _, err := inmem.Inspect(t.Context(), dir, nil)
		require.NoError(t, err)
		require.NoError(t, looked.Close())
	}
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, only(db.Checkpoint(t.Context(), copied)))
	restored := filepath.Join(t.TempDir(), "restored")
	require.NoError(t, only(inmem.Restore(t.Context(), copied, restored)))
	// Left open: a transaction, a view, and a watch that somebody stands in.
	_, err = run.Begin(t.Context(), inmem.TxOptions{})
	require.NoError(t, err)
	_, err = run.At(t.Context(), db.Version())
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- all(db.Watch(background, inmem.WatchOptions{From: inmem.FromNow})) }()
	require.NoError(t, db.Close())
	require.ErrorIs(t, <-ended, inmem.ErrClosed)
	db, err = inmem.Open(restored, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
