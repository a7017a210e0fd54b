package main

import (
	"bytes"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// R210, R211, R234: the example works from beginning to end: a fork costs nothing worth mentioning
// on disk, the exploration does, and after the promotion that is gone.
func TestBestOf(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, start(t.Context(), []string{"-dir", t.TempDir(), "-forks", "40"}, &out))
	t.Log("\n" + out.String())
	var sizes []float64
	lines := regexp.MustCompile(`(?m)^ *([\d.]+) MB  `)
	for _, line := range lines.FindAllStringSubmatch(out.String(), -1) {
		mb, err := strconv.ParseFloat(line[1], 64)
		require.NoError(t, err)
		sizes = append(sizes, mb)
	}
	require.Len(t, sizes, 6)
	task, forked, explored, end := sizes[0], sizes[1], sizes[2], sizes[5]
	require.Less(t, forked, task+1)
	require.Greater(t, explored, 3*task)
	require.Less(t, end, 2*task)
	require.Contains(t, out.String(), "deleted 39 others")
	require.Contains(t, out.String(), "reads 40 notes")
	require.Contains(t, out.String(), "chain valid: true. Runs in the database: 2.")
}
