package measure

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// blocksOf is what a file takes of the disk, in blocks of 512 bytes.
func blocksOf(t *testing.T, path string) (int64, bool) {
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(path, &st))
	return st.Blocks, true
}
