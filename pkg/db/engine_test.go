package inmem_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R005: Close leaves no goroutine behind.
func TestR005CloseLeavesNoGoroutines(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async, inmem.None} {
		db, err := inmem.Open(t.TempDir(), &inmem.Options{Durability: mode})
		require.NoError(t, err)
		run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
		require.NoError(t, err)
		_, err = run.KV().Put(t.Context(), "k", inmem.Int(1))
		require.NoError(t, err)
		for range run.KV().Scan(t.Context(), inmem.ScanOptions{}) {
			break
		}
		_, err = run.Begin(t.Context(), inmem.TxOptions{})
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	_, err = inmem.Open(dir, nil)
	require.ErrorIs(t, err, inmem.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.NoError(t, db.Close())
	db, err = inmem.Open(dir, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// A path that cannot be a directory.
func TestOpenOnAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	_, err := inmem.Open(file, nil)
	require.ErrorIs(t, err, inmem.ErrStorage)
	require.ErrorContains(t, err, file)
}

func TestNoSpace(t *testing.T) {
	dir := t.TempDir()
	db, err := inmem.Open(dir, &inmem.Options{MinFreeSpace: 1 << 60})
	require.NoError(t, err)
	defer db.Close()
	_, err = db.BeginRun(t.Context(), inmem.RunOptions{})
	require.ErrorIs(t, err, inmem.ErrNoSpace)
	require.ErrorIs(t, err, inmem.ErrStorage)
}

// semantics 2.14: a transaction that would pin more than the budget is ended; a view is not.
func TestTxnTooOld(t *testing.T) {
	db, err := inmem.Open("", &inmem.Options{Durability: inmem.None, MemoryBudget: 1 << 20})
	require.NoError(t, err)
	defer db.Close()
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	_, err = run.KV().Put(t.Context(), "k", inmem.String("old"))
	require.NoError(t, err)
	tx, err := run.Begin(t.Context(), inmem.TxOptions{})
	require.NoError(t, err)
	_, err = tx.KV().Put(t.Context(), "mine", inmem.Null())
	require.NoError(t, err)
	require.Equal(t, "old", text(t, tx.KV(), "k"))
	err = run.View(t.Context(), func(v *inmem.View) error {
		value := inmem.Bytes(make([]byte, 1000))
		for i := range 20_000 {
			if _, err := run.KV().Put(t.Context(), fmt.Sprint(i), value); err != nil {
				return err
			}
		}
		_, err := run.KV().Put(t.Context(), "k", inmem.String("new"))
		require.NoError(t, err)
		require.Equal(t, "old", text(t, v.KV(), "k"))
		return nil
	})
	require.NoError(t, err)
	_, err = tx.Commit(t.Context())
	require.ErrorIs(t, err, inmem.ErrTxnTooOld)
	require.ErrorIs(t, tx.Rollback(), inmem.ErrTxnDone)
	m := db.Metrics()
	require.Equal(t, uint64(1), m.AbortedByAge)
	require.NotZero(t, m.Spilled)
}

// 1e5 transactions that were begun and dropped leave memory as it was.
func TestAbandonedTransactions(t *testing.T) {
	db, err := inmem.Open("", &inmem.Options{Durability: inmem.None})
	require.NoError(t, err)
	defer db.Close()
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	_, err = run.KV().Put(t.Context(), "k", inmem.String("v"))
	require.NoError(t, err)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const many = 100_000
	for range many {
		tx, err := run.Begin(t.Context(), inmem.TxOptions{})
		require.NoError(t, err)
		_ = text(t, tx.KV(), "k")
	}
	require.Eventually(t, func() bool {
		runtime.GC()
		m := db.Metrics()
		return m.Active == 0 && m.Abandoned == many
	}, 30*time.Second, 10*time.Millisecond)
	require.Less(t, heap(), before+8<<20)
}
