package citizentest

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// each makes all calls, in their order, and demands an error of each.
func each(t *testing.T, ctx context.Context, calls map[string]call, want error) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		err := calls[name](ctx)
		if want == nil {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorIs(t, err, want, name)
		}
	}
}

// furnished is a database with a run that has something of everything.
func furnished(t *testing.T) (*inmem.DB, *inmem.Run) {
	t.Helper()
	db := open(t, t.TempDir(), nil)
	run := begin(t, db)
	furnish(t, run)
	return db, run
}

// lookups are the calls that may be answered although their context is done: single keys, where
// they lie in memory, what a transaction's snapshot has of them, and what has nothing to do.
// Whatever walks or commits is not.
func lookups(group, name string) bool {
	return group == "tx" || name == "db.Run" || name == "db.Reclaim" ||
		slices.Contains([]string{
			"kv.Get", "kv.Get absent", "kv.GetVersioned", "kv.GetMany", "kv.Exists", "extension.Get",
			"events.Get", "events.Head", "events.Len", "cell.Get", "cell.Load", "cell.Exists",
			"cell.Machine", "cell.IsTerminal", "traces.Get", "vectors.Get", "vectors.Exists",
			"vectors.Describe", "runs.Get", "runs.Exists", "record.Tags", "record.Ancestors",
		}, name)
}

// A context that is done beforehand: every operation says so and does nothing, on the run, in a
// transaction, and in a view.
func TestCancelledEverywhere(t *testing.T) {
	db, run := furnished(t)
	entire := whole(t, db, run)
	tx, err := run.Begin(t.Context(), inmem.TxOptions{})
	require.NoError(t, err)
	view, err := run.At(t.Context(), db.Version())
	require.NoError(t, err)
	defer view.Close()
	version := db.Version()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, calls := range map[string]map[string]call{
		"run": reads(run), "writes": writes(run), "looks": looksAt(db, run, version),
		"acts": acts(db, run), "db": entire,
		"view": reads(view), "tx": reads(tx),
	} {
		t.Run(name, func(t *testing.T) {
			for _, call := range slices.Sorted(maps.Keys(calls)) {
				if err := calls[call](cancelled); err != nil || !lookups(name, call) {
					assert.ErrorIs(t, err, inmem.ErrCanceled, call)
					assert.ErrorIs(t, err, context.Canceled, call)
				}
				if err := calls[call](late); err != nil || !lookups(name, call) {
					assert.ErrorIs(t, err, inmem.ErrTimeout, call)
					assert.ErrorIs(t, err, context.DeadlineExceeded, call)
				}
			}
		})
	}
	_, err = tx.Commit(cancelled)
	require.ErrorIs(t, err, inmem.ErrCanceled)
	require.ErrorIs(t, run.End(cancelled, inmem.Completed), inmem.ErrCanceled)
	require.ErrorIs(t, db.DeleteRun(cancelled, run.ID()), inmem.ErrCanceled)
	require.Equal(t, version, db.Version())
	require.Zero(t, db.Metrics().Active)
	put(t, run.KV(), "k", "alive")
	require.ErrorIs(t, db.WaitDurable(t.Context(), db.Version()+1), inmem.ErrInvalidArgument)
}

// Handles that outlive their database answer ErrClosed to everything, and never panic.
func TestClosedHandles(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	db, run := furnished(t)
	entire := whole(t, db, run)
	version := db.Version()
	tx, err := run.Begin(t.Context(), inmem.TxOptions{})
	require.NoError(t, err)
	_, err = tx.KV().Put(t.Context(), "k", inmem.Int(1))
	require.NoError(t, err)
	view, err := run.At(t.Context(), version)
	require.NoError(t, err)
	next := run.KV().Scan(t.Context(), inmem.ScanOptions{})
	require.NoError(t, db.Close())
	require.NoError(t, db.Close())
	for name, calls := range map[string]map[string]call{
		"run": reads(run), "writes": writes(run), "looks": looksAt(db, run, version),
		"acts": acts(db, run), "db": entire, "view": reads(view),
	} {
		t.Run(name, func(t *testing.T) { each(t, t.Context(), calls, inmem.ErrClosed) })
	}
	_, err = tx.Commit(t.Context())
	require.ErrorIs(t, err, inmem.ErrClosed)
	require.ErrorIs(t, tx.Rollback(), inmem.ErrTxnDone)
	for _, err := range next {
		require.ErrorIs(t, err, inmem.ErrClosed)
	}
	require.ErrorIs(t, run.End(t.Context(), inmem.Completed), inmem.ErrClosed)
	require.ErrorIs(t, db.DeleteRun(t.Context(), run.ID()), inmem.ErrClosed)
	require.NoError(t, view.Close())
	_ = db.Metrics()
}

// A transaction that has ended, in either way, answers ErrTxnDone to everything; so does a view
// that was closed. A view takes no writes.
func TestUseAfterTheEnd(t *testing.T) {
	db, run := furnished(t)
	for name, end := range map[string]func(*inmem.Tx) error{
		"commit":   func(tx *inmem.Tx) error { return only(tx.Commit(t.Context())) },
		"rollback": (*inmem.Tx).Rollback,
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := run.Begin(t.Context(), inmem.TxOptions{})
			require.NoError(t, err)
			require.NoError(t, end(tx))
			each(t, t.Context(), reads(tx), inmem.ErrTxnDone)
			each(t, t.Context(), writes(tx), inmem.ErrTxnDone)
			_, err = tx.Commit(t.Context())
			require.ErrorIs(t, err, inmem.ErrTxnDone)
			require.ErrorIs(t, tx.Rollback(), inmem.ErrTxnDone)
		})
	}
	view, err := run.At(t.Context(), db.Version())
	require.NoError(t, err)
	each(t, t.Context(), reads(view), nil)
	each(t, t.Context(), writes(view), inmem.ErrReadOnly)
	require.NoError(t, view.Close())
	require.NoError(t, view.Close())
	each(t, t.Context(), reads(view), inmem.ErrTxnDone)
	require.Zero(t, db.Metrics().Active)
}

// A run that has ended, or pauses, takes no writes and shows everything; one that was deleted
// answers ErrRunNotFound to everything.
func TestUseAfterTheRun(t *testing.T) {
	for _, status := range []inmem.Status{
		inmem.Paused, inmem.Completed, inmem.Failed, inmem.Cancelled, inmem.Archived,
	} {
		t.Run(status.String(), func(t *testing.T) {
			db, run := furnished(t)
			tx, err := run.Begin(t.Context(), inmem.TxOptions{})
			require.NoError(t, err)
			put(t, tx.KV(), "mine", "never")
			switch status {
			case inmem.Paused:
				err = run.Record().Pause(t.Context())
			case inmem.Archived:
				err = run.Record().Archive(t.Context())
			default:
				err = run.End(t.Context(), status)
			}
			require.NoError(t, err)
			_, err = tx.Commit(t.Context())
			require.ErrorIs(t, err, inmem.ErrRunNotActive)
			require.ErrorContains(t, err, run.ID())
			version := db.Version()
			each(t, t.Context(), writes(run), inmem.ErrRunNotActive)
			require.Equal(t, version, db.Version())
			each(t, t.Context(), reads(run), nil)
		})
	}
	t.Run("deleted", func(t *testing.T) {
		db, run := furnished(t)
		version := db.Version()
		tx, err := run.Begin(t.Context(), inmem.TxOptions{})
		require.NoError(t, err)
		view, err := run.At(t.Context(), version)
		require.NoError(t, err)
		put(t, tx.KV(), "mine", "never")
		require.NoError(t, db.DeleteRun(t.Context(), run.ID()))
		_, err = tx.Commit(t.Context())
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		each(t, t.Context(), reads(view), inmem.ErrRunNotFound)
		require.NoError(t, view.Close())
		version = db.Version()
		each(t, t.Context(), reads(run), inmem.ErrRunNotFound)
		each(t, t.Context(), writes(run), inmem.ErrRunNotFound)
		each(t, t.Context(), looksAt(db, run, version), inmem.ErrRunNotFound)
		each(t, t.Context(), acts(db, run), inmem.ErrRunNotFound)
		require.ErrorIs(t, run.End(t.Context(), inmem.Completed), inmem.ErrRunNotFound)
		require.ErrorIs(t, db.DeleteRun(t.Context(), run.ID()), inmem.ErrRunNotFound)
		require.Equal(t, version, db.Version())
	})
}
