package measure

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A copy is the same, and where a file has only zeros it takes nothing of the disk.
func TestCopyTreeKeepsHoles(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	const size = 64<<20 + 17
	require.NoError(t, os.Mkdir(filepath.Join(from, "sub"), 0o700))
	name := filepath.Join("sub", "file")
	f, err := os.Create(filepath.Join(from, name))
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("begin"), 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("middle"), 1<<20-3)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size))
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(filepath.Join(from, "empty"), nil, 0o600))

	require.NoError(t, CopyTree(to, from))
	want, err := os.ReadFile(filepath.Join(from, name))
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(to, name))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	require.FileExists(t, filepath.Join(to, "empty"))
	if blocks, ok := blocksOf(t, filepath.Join(to, name)); ok {
		require.Less(t, blocks, int64(size/512/4))
	}
}
