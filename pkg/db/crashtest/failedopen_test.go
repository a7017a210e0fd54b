package crashtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// An open that fails leaves neither goroutines nor the lock.
func TestDamageFailedOpenLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	db := open(t, dir, nil)
	run := begin(t, db)
	put(t, run.KV(), "k", "v")
	require.NoError(t, db.Close())
	whole := files(t, dir)
	for name := range whole {
		for _, spoil := range []func(string) error{
			os.Remove,
			func(path string) error { return os.Truncate(path, int64(len(whole[name])/2)) },
			func(path string) error { return os.WriteFile(path, []byte("rubbish"), 0o600) },
		} {
			require.NoError(t, spoil(filepath.Join(dir, name)))
			if db, err := inmem.Open(dir, nil); err == nil {
				require.NoError(t, db.Close())
			} else {
				require.True(t, errors.Is(err, inmem.ErrCorrupt) || errors.Is(err, inmem.ErrFormat), err)
			}
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			for _, e := range entries {
				require.NoError(t, os.Remove(filepath.Join(dir, e.Name())))
			}
			for n, data := range whole {
				require.NoError(t, os.WriteFile(filepath.Join(dir, n), []byte(data), 0o600))
			}
		}
	}
	db = open(t, dir, nil)
	run, err := db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	require.Equal(t, "v", get(t, run.KV(), "k"))
	require.NoError(t, db.Close())
}
