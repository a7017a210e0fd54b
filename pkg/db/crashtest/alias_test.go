package crashtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A second handle of the same process is refused by whatever name it calls the directory. (Pebble's
// table of locks in a process goes by the name as given, and the system's locks are per process:
// two handles would write to one directory.)
func TestSecondHandleByAnotherName(t *testing.T) {
	parent := t.TempDir()
	dir, link := filepath.Join(parent, "db"), filepath.Join(parent, "link")
	open(t, dir, nil)
	require.NoError(t, os.Symlink(dir, link))
	t.Chdir(parent)
	for _, name := range []string{"db", "./x/../db", link} {
		second, err := inmem.Open(name, nil)
		if err == nil {
			_ = second.Close()
		}
		require.ErrorIs(t, err, inmem.ErrLocked, name)
	}
}
