package inmem_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// All faults of the options are named at once, and nothing is touched.
func TestOptionsFaults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	_, err := inmem.Open(dir, &inmem.Options{
		Durability: 9, SyncInterval: -1, SyncCommits: -2, MaxTxnBytes: -3, MaxTxnWrites: -4,
		MemoryBudget: -5, CacheSize: -6, MinFreeSpace: -7,
		Retry: &inmem.Retry{Max: -8, Base: -9, Cap: -10},
	})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	for _, fault := range []string{
		"Durability(9)", "SyncInterval -1ns", "SyncCommits -2", "MaxTxnBytes -3",
		"MaxTxnWrites -4", "MemoryBudget -5", "CacheSize -6", "MinFreeSpace -7",
		"Retry.Max -8", "Retry.Base -9ns", "Retry.Cap -10ns",
	} {
		require.ErrorContains(t, err, fault)
	}
	require.NoDirExists(t, dir)

	_, err = inmem.Open(dir, &inmem.Options{MaxTxnBytes: 1<<30 + 1, MemoryBudget: 1<<20 - 1})
	require.ErrorContains(t, err, "MaxTxnBytes 1073741825 is over the limit of 1073741824 (1 GiB)")
	require.ErrorContains(t, err, "MemoryBudget 1048575 is under the least of 1048576 (1 MiB)")

	_, err = inmem.Open("", nil)
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	require.ErrorContains(t, err, "path is empty")
}

// The bounds themselves are fine, and a policy that its owner changes later is the database's no
// more.
func TestOptionsAtTheirBounds(t *testing.T) {
	retry := &inmem.Retry{Max: 1, Base: math.MaxInt64, Cap: math.MaxInt64}
	w := newWorld(t, engines[0], &inmem.Options{
		MaxTxnBytes: 1 << 30, MemoryBudget: 1 << 20, Retry: retry,
	})
	retry.Max = 0
	attempts := 0
	_, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
		attempts++
		text(t, tx.KV(), "k")
		if attempts == 1 {
			w.put("k", "v")
		}
		_, err := tx.KV().Put(w.ctx(), "k", inmem.Int(1))
		return err
	})
	require.NoError(t, err)
	require.Equal(t, 2, attempts)
	require.Equal(t, []time.Duration{math.MaxInt64 - 1}, w.waits)
}

// A write to a run that ended names its status.
func TestRunStatusError(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	require.NoError(t, w.run.End(w.ctx(), inmem.Failed))
	_, err := w.run.KV().Put(w.ctx(), "k", inmem.Int(1))
	var refused *inmem.RunStatusError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, inmem.Failed, refused.Status)
	require.ErrorIs(t, err, inmem.ErrRunNotActive)
}

// The caller's struct stays as it is.
func TestOptionsAreCopied(t *testing.T) {
	o := inmem.Options{Durability: inmem.None}
	db, err := inmem.Open("", &o)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.Equal(t, inmem.Options{Durability: inmem.None}, o)
}

// R002, R003, R005, R006: each mode opens a directory that is not there, keeps what was written
// when it is closed, and opens it again; closing twice is nothing.
func TestR003ModesKeepDataOverClose(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "deep", "down")
			db, err := inmem.Open(dir, &inmem.Options{Durability: mode})
			require.NoError(t, err)
			require.Equal(t, dir, db.Path())
			require.True(t, db.Recovery().Created)
			run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
			require.NoError(t, err)
			v, err := run.KV().Put(t.Context(), "k", inmem.String("v"))
			require.NoError(t, err)
			_, err = run.KV().PutWithTTL(t.Context(), "ttl", inmem.Int(1), time.Hour)
			require.NoError(t, err)
			before, err := run.KV().GetVersioned(t.Context(), "ttl")
			require.NoError(t, err)
			last := db.Version()
			require.NoError(t, db.Close())
			require.NoError(t, db.Close())

			db, err = inmem.Open(dir, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			require.True(t, db.Recovery().Clean)
			require.False(t, db.Recovery().Created)
			require.GreaterOrEqual(t, db.Recovery().Version, last)
			again, err := db.Run(t.Context(), run.ID())
			require.NoError(t, err)
			e, err := again.KV().GetVersioned(t.Context(), "k")
			require.NoError(t, err)
			require.Equal(t, inmem.String("v"), e.Value)
			require.Equal(t, v, e.Version)
			after, err := again.KV().GetVersioned(t.Context(), "ttl")
			require.NoError(t, err)
			require.Equal(t, before, after, "R145: the deadline is not armed anew")
			w, err := again.KV().Put(t.Context(), "k", inmem.Null())
			require.NoError(t, err)
			require.Greater(t, w, last)
		})
	}
}

// R007: two databases in one process do not know each other.
func TestR007TwoDatabases(t *testing.T) {
	open := func(name string) *inmem.Run {
		db, err := inmem.Open(filepath.Join(t.TempDir(), name), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
		require.NoError(t, err)
		_, err = run.KV().Put(t.Context(), "name", inmem.String(name))
		require.NoError(t, err)
		return run
	}
	a, b := open("a"), open("b")
	require.Equal(t, "a", text(t, a.KV(), "name"))
	require.Equal(t, "b", text(t, b.KV(), "name"))
	viewErr := b.View(t.Context(), func(v *inmem.View) error {
		_, _, err := v.On(a).KV().Get(t.Context(), "name")
		return err
	})
	require.ErrorIs(t, viewErr, inmem.ErrInvalidArgument)
	require.ErrorContains(t, viewErr, "another one")
}

// None leaves nothing behind and needs no path.
func TestNoneTouchesNoDisk(t *testing.T) {
	t.Chdir(t.TempDir())
	db, err := inmem.Open("name", &inmem.Options{Durability: inmem.None})
	require.NoError(t, err)
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	_, err = run.KV().Put(t.Context(), "k", inmem.Int(1))
	require.NoError(t, err)
	require.NoError(t, db.Flush(t.Context()))
	require.Equal(t, db.Version(), db.DurableVersion())
	require.NoError(t, db.Close())
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, files)
}

// A transaction can ask for more durability than the database gives, not for less.
func TestTxOptions(t *testing.T) {
	for _, c := range []struct {
		mode, tx inmem.Durability
		ok       bool
	}{
		{inmem.Batched, 0, true}, {inmem.Batched, inmem.Batched, true},
		{inmem.Batched, inmem.Strict, true}, {inmem.Batched, inmem.Async, false},
		{inmem.Batched, inmem.None, false}, {inmem.Async, inmem.Batched, false},
		{inmem.Async, inmem.Strict, true}, {inmem.Strict, inmem.Strict, true},
		{inmem.Strict, inmem.Batched, false}, {inmem.None, inmem.Strict, false},
		{inmem.None, inmem.None, true}, {inmem.Batched, 9, false},
	} {
		w := newWorld(t, engines[0], &inmem.Options{Durability: c.mode})
		_, err := w.run.UpdateWith(w.ctx(), inmem.TxOptions{Durability: c.tx},
			func(*inmem.Tx) error { return nil })
		_, beginErr := w.Begin(w.ctx(), inmem.TxOptions{Durability: c.tx})
		if c.ok {
			require.NoError(t, err, "%+v", c)
			require.NoError(t, beginErr, "%+v", c)
			continue
		}
		require.ErrorIs(t, err, inmem.ErrInvalidArgument, "%+v", c)
		require.ErrorIs(t, beginErr, inmem.ErrInvalidArgument, "%+v", c)
	}
	w := newWorld(t, engines[0], nil)
	for _, o := range []inmem.TxOptions{
		{Isolation: 7}, {Retry: &inmem.Retry{Max: -1}}, {Retry: &inmem.Retry{Cap: -1}},
	} {
		_, err := w.run.Begin(w.ctx(), o)
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	}
}

// A Strict transaction in a database that syncs rarely is durable when it returns.
func TestStrictTransaction(t *testing.T) {
	db, err := inmem.Open(t.TempDir(), &inmem.Options{
		Durability: inmem.Async, SyncInterval: time.Hour,
	})
	require.NoError(t, err)
	defer db.Close()
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	v, err := run.UpdateWith(t.Context(), inmem.TxOptions{Durability: inmem.Strict},
		func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(t.Context(), "k", inmem.Int(1))
			return err
		})
	require.NoError(t, err)
	require.GreaterOrEqual(t, db.DurableVersion(), v)
	v, err = run.KV().Put(t.Context(), "k", inmem.Int(2))
	require.NoError(t, err)
	require.NoError(t, db.Flush(t.Context()))
	require.NoError(t, db.WaitDurable(t.Context(), v))
	require.ErrorIs(t, db.WaitDurable(t.Context(), v+1e6), inmem.ErrInvalidArgument)
}
