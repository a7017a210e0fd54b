package inmem_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// kindsOf are the kinds of problems in a report.
func kindsOf(r *inmem.VerifyReport) map[inmem.ProblemKind]int {
	kinds := map[inmem.ProblemKind]int{}
	for _, p := range r.Problems {
		kinds[p.Kind]++
	}
	return kinds
}

// A damaged block is named, by its file and by what lies in it, and the rest is verified; files
// that are changed under an open database are noticed.
func TestVerifyNamesDamagedFiles(t *testing.T) {
	w := newWreck(t)
	largest, size := "", 0
	for name, data := range content(t, w.dir) {
		if strings.HasSuffix(name, ".sst") && len(data) > size {
			largest, size = filepath.Join(w.dir, name), len(data)
		}
	}
	data, err := os.ReadFile(largest)
	require.NoError(t, err)
	data[size/2] ^= 1
	require.NoError(t, os.WriteFile(largest, data, 0o600))
	d, err := inmem.Open(w.dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	report, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	kinds := kindsOf(report)
	require.Equal(t, 1, kinds[inmem.ProblemTable])
	require.Positive(t, kinds[inmem.ProblemUnreadable])
	require.Less(t, report.Found, 8, "what cannot be read is told once: %v", report.Problems)
	require.Greater(t, report.Events, uint64(100))
	var damaged []string
	for _, p := range report.Problems {
		if p.Kind == inmem.ProblemTable {
			require.Contains(t, p.Text, filepath.Base(largest))
		}
		if p.Run != "" {
			damaged = append(damaged, p.Run)
		}
	}
	for id := range w.hashes { // runs of which nothing was told are sound
		if strings.Contains(strings.Join(damaged, " "), id) {
			continue
		}
		one, err := d.Verify(t.Context(), inmem.VerifyOptions{Runs: []string{id}})
		require.NoError(t, err)
		require.Empty(t, one.Problems)
		require.Zero(t, one.Tables)
		require.Equal(t, 1, one.Runs)
	}
}

// The file that guards the database is held to what the process that has it open wrote.
func TestVerifyGuard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	d, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	_, err = d.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "INMEM"), []byte("in-mem database\n"), 0o600))
	report, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Equal(t, map[inmem.ProblemKind]int{inmem.ProblemGuard: 1}, kindsOf(report))
}

// Verify ends with its context, and with Close; and of a run that is not there it says so.
func TestVerifyEnds(t *testing.T) {
	d, err := inmem.Open(filepath.Join(t.TempDir(), "db"), nil)
	require.NoError(t, err)
	_, err = d.Verify(t.Context(), inmem.VerifyOptions{Runs: []string{"nobody"}})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	require.NoError(t, d.Close())
	_, err = d.Verify(t.Context(), inmem.VerifyOptions{})
	require.ErrorIs(t, err, inmem.ErrClosed)
	_, err = d.Sizes(t.Context(), inmem.SizesOptions{})
	require.ErrorIs(t, err, inmem.ErrClosed)
}
