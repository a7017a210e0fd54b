package citizentest

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

var background = context.Background()

// size is how much of something to make: in long forms, otherwise, and in short ones.
func size(long, otherwise, short int) int {
	switch {
	case os.Getenv("INMEM_LONG") != "":
		return long
	case testing.Short():
		return short
	}
	return otherwise
}

func open(t *testing.T, dir string, o *inmem.Options) *inmem.DB {
	t.Helper()
	db, err := inmem.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func begin(t *testing.T, db *inmem.DB) *inmem.Run {
	t.Helper()
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	return run
}

func put(t *testing.T, k inmem.KV, key, text string) uint64 {
	t.Helper()
	v, err := k.Put(t.Context(), key, inmem.String(text))
	require.NoError(t, err)
	return v
}

func get(t *testing.T, k inmem.KV, key string) string {
	t.Helper()
	v, _, err := inmem.Get[string](t.Context(), k, key)
	require.NoError(t, err)
	return v
}

// heap is what lives on the heap.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one has finalized
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
