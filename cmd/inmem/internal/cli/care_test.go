package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A sound database is said to be sound, and mended by nothing.
func TestCareOfASoundDatabase(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	w.do("verify")
	require.Zero(t, w.code, w.err)
	require.Contains(t, w.out, "3 runs")
	require.Contains(t, w.out, "no problems at version")
	w.do("verify", planned, "--json")
	require.Zero(t, w.code, w.err)
	var doc inmem.VerifyReport
	require.NoError(t, json.Unmarshal([]byte(w.out), &doc))
	require.Equal(t, 1, doc.Runs)
	w.do("repair")
	require.Equal(t, "3 runs: index entries added 0, removed 0\n", w.out)
	w.do("stats", "--runs", "1")
	require.Zero(t, w.code, w.err)
	require.Contains(t, w.out, "2 runs, the largest 1") // the fork holds nothing of its own
	w.do("tool", "db", "lsm", w.dir())
	require.Zero(t, w.code, w.err)
	require.Contains(t, w.out, "level | tables")
}

// A damaged one is said to be damaged, with the exit code for that; and what is left is saved.
func TestCareOfADamagedDatabase(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	tables, err := filepath.Glob(filepath.Join(w.dir(), "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	data, err := os.ReadFile(tables[0])
	require.NoError(t, err)
	data[10] ^= 1
	require.NoError(t, os.WriteFile(tables[0], data, 0o600))
	w.do("verify")
	require.Equal(t, exitCorrupt, w.code, w.out)
	require.NotEmpty(t, w.out+w.err)
	manifests, err := filepath.Glob(filepath.Join(w.dir(), "MANIFEST-*"))
	require.NoError(t, err)
	for _, m := range manifests {
		require.NoError(t, os.Remove(m))
	}
	w.do("verify")
	require.Equal(t, exitCorrupt, w.code, w.out)
	require.Contains(t, w.err, "salvage")
	w.do("salvage", w.dir(), w.tmp+"/saved")
	require.Contains(t, w.out, "in "+w.tmp+"/saved")
	w.do("verify", "--db", w.tmp+"/saved")
	require.Zero(t, w.code, w.err)
}

// A database that another process has open is looked at through a checkpoint, which is said; if it
// lets nobody, it is said what to do.
func TestLookAtADatabaseInUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sockets in directories")
	}
	w := newWorld(t)
	fixture(t, w.dir())
	d, err := inmem.Open(w.dir(), &inmem.Options{Inspect: inmem.InspectBySocket})
	require.NoError(t, err)
	w.do("runs")
	require.Zero(t, w.code, w.err)
	require.Contains(t, w.out, planned)
	require.Contains(t, w.err, "this is a checkpoint of it, at version")
	require.Equal(t, 1, strings.Count(w.err, "\n"))
	w.do("put", forking, "k", "1")
	require.Equal(t, exitConflict, w.code)
	require.NoError(t, d.Close())
	d, err = inmem.Open(w.dir(), nil)
	require.NoError(t, err)
	w.do("runs")
	require.Equal(t, exitConflict, w.code)
	require.Contains(t, w.err, "InspectBySocket")
	require.NoError(t, d.Close())
}
