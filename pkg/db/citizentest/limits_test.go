package citizentest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The largest value and key, over a restart; what is larger is refused and harms nothing.
func TestReopenLargest(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: values of 32 MiB take hundreds of megabytes; go test ./... runs it")
	}
	dir := t.TempDir()
	o := &inmem.Options{MemoryBudget: 4 << 20}
	db := open(t, dir, o)
	run := begin(t, db)
	data := make([]byte, codec.MaxValueSize)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(data); i += 8 {
		data[i] = byte(rng.Uint32())
	}
	large, key := inmem.Bytes(data), strings.Repeat("k", codec.MaxKeySize)
	_, err := run.KV().Put(t.Context(), "big", large)
	require.NoError(t, err)
	put(t, run.KV(), key, "long key")
	_, err = run.KV().Put(t.Context(), "bigger", inmem.Bytes(make([]byte, codec.MaxValueSize+1)))
	require.ErrorIs(t, err, inmem.ErrTooLarge)
	_, err = run.KV().Put(t.Context(), key+"k", inmem.Null())
	require.ErrorIs(t, err, inmem.ErrTooLarge)
	_, _, err = run.KV().Get(t.Context(), key+"k")
	require.ErrorIs(t, err, inmem.ErrTooLarge)
	check := func() {
		v, ok, err := run.KV().Get(t.Context(), "big")
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, v.Equal(large))
		require.Equal(t, "long key", get(t, run.KV(), key))
		n, err := run.KV().Count(t.Context(), inmem.ScanOptions{})
		require.NoError(t, err)
		require.Equal(t, 2, n)
	}
	check()
	require.NoError(t, db.Close())
	db = open(t, dir, o)
	run, err = db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	check()
	require.NoError(t, db.Close())
}

// 100,000 writes in one transaction are one commit; one more is refused, and nothing of it is
// there.
func TestReopenLargestTransaction(t *testing.T) {
	const most = 100_000
	dir := t.TempDir()
	db := open(t, dir, nil)
	run := begin(t, db)
	write := func(n int) (uint64, error) {
		return run.Update(t.Context(), func(tx *inmem.Tx) error {
			for i := range n {
				if _, err := tx.KV().Put(t.Context(), fmt.Sprintf("%06d", i), inmem.Int(int64(n))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	_, err := write(most + 1)
	require.ErrorIs(t, err, inmem.ErrTooLarge)
	n, err := run.KV().Count(t.Context(), inmem.ScanOptions{})
	require.NoError(t, err)
	require.Zero(t, n)
	version, err := write(most)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	db = open(t, dir, nil)
	require.Equal(t, version, db.Version())
	run, err = db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	n, err = run.KV().Count(t.Context(), inmem.ScanOptions{})
	require.NoError(t, err)
	require.Equal(t, most, n)
	require.NoError(t, db.Close())
}

// Thousands of runs in one database, found again after a restart.
func TestReopenManyRuns(t *testing.T) {
	many := size(10_000, 3_000, 500)
	dir := t.TempDir()
	o := &inmem.Options{MemoryBudget: 2 << 20}
	db := open(t, dir, o)
	ids := make([]string, many)
	for i := range ids {
		run := begin(t, db)
		ids[i] = run.ID()
		put(t, run.KV(), "n", fmt.Sprint(i))
		if i%100 == 0 {
			require.NoError(t, run.End(t.Context(), inmem.Failed))
		}
	}
	check := func() {
		for i, id := range ids {
			run, err := db.Run(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), get(t, run.KV(), "n"))
			if i%100 == 0 {
				_, err = run.KV().Put(t.Context(), "n", inmem.Null())
				require.ErrorIs(t, err, inmem.ErrRunNotActive)
			}
		}
	}
	check()
	require.NoError(t, db.Close())
	db = open(t, dir, o)
	check()
	_, err := db.BeginRun(t.Context(), inmem.RunOptions{ID: ids[5]})
	require.ErrorIs(t, err, inmem.ErrRunExists)
	require.NoError(t, db.Close())
}

// too little free space is refused as ErrNoSpace, which is not for ever, and reads go on.
func TestReopenNoFreeSpace(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, nil)
	run := begin(t, db)
	put(t, run.KV(), "k", "v")
	require.NoError(t, db.Close())
	db = open(t, dir, &inmem.Options{MinFreeSpace: 1 << 60})
	run, err := db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	for range 3 {
		_, err = run.KV().Put(t.Context(), "k", inmem.String("w"))
		require.ErrorIs(t, err, inmem.ErrNoSpace)
		require.ErrorIs(t, err, inmem.ErrStorage)
		_, err = run.Update(t.Context(), func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(t.Context(), "k", inmem.String("w"))
			return err
		})
		require.ErrorIs(t, err, inmem.ErrNoSpace)
		require.Equal(t, "v", get(t, run.KV(), "k"))
	}
	require.NoError(t, db.Flush(t.Context()))
	require.NoError(t, db.Close())
	db = open(t, dir, nil)
	run, err = db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	put(t, run.KV(), "k", "w")
	require.NoError(t, db.Close())
}

// A function that panics, ends its goroutine, or fails leaves nothing behind.
func TestPanicInUpdate(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	run := begin(t, db)
	version := db.Version()
	boom := errors.New("boom")
	spoil := func(then func() error) error {
		_, err := run.Update(t.Context(), func(tx *inmem.Tx) error {
			if _, err := tx.KV().Put(t.Context(), "k", inmem.Int(1)); err != nil {
				return err
			}
			return then()
		})
		return err
	}
	require.PanicsWithValue(t, boom, func() { _ = spoil(func() error { panic(boom) }) })
	require.ErrorIs(t, spoil(func() error { return boom }), boom)
	var wg sync.WaitGroup
	wg.Go(func() { _ = spoil(func() error { runtime.Goexit(); return nil }) })
	wg.Wait()
	require.PanicsWithValue(t, boom, func() {
		_ = run.View(t.Context(), func(*inmem.View) error { panic(boom) })
	})
	require.Equal(t, version, db.Version())
	require.Zero(t, db.Metrics().Active)
	put(t, run.KV(), "k", "fine")
	require.NoError(t, db.Close())
}
