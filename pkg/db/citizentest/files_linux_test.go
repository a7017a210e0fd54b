package citizentest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// openFiles are the files and sockets that the process has open, by what they are.
func openFiles(t *testing.T) (all []string) {
	t.Helper()
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		// The one that was open to read the directory is gone by now.
		name, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil || strings.HasPrefix(name, "pipe:") {
			continue
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
