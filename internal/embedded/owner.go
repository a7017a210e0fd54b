package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/internal/backend"
)

// ownerName is the file in which the process that holds the lock leaves its pid. It says nothing by
// itself: the lock decides. (It cannot be the lock file: closing a second descriptor of that one
// would give the lock up.)
const ownerName = "OWNER"

// lockName is Pebble's name for it: the stock tool must not open what we have open.
const lockName = "LOCK"

// acquireOwner locks a directory for this process. It is our lock and not Pebble's (storeFS hands
// Pebble a dummy), so that Close gives it up also when Pebble cannot be closed any more.
func acquireOwner(vfsys vfs.FS, dir string) (io.Closer, error) {
	lock, err := vfsys.Lock(vfsys.PathJoin(dir, lockName))
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return nil, fmt.Errorf("%w: lock: %w", backend.ErrStorage, err)
		}
		return nil, fmt.Errorf("%w by process %s: close it there, or wait until it ends (%v)",
			backend.ErrLocked, readOwner(vfsys, dir), err)
	}
	if err := writeOwner(vfsys, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", backend.ErrStorage, err), lock.Close())
	}
	return lock, nil
}

func writeOwner(vfsys vfs.FS, dir string) error {
	f, err := vfsys.Create(vfsys.PathJoin(dir, ownerName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	return errors.Join(err, f.Close())
}

// readOwner is the pid in the file, or "unknown".
func readOwner(vfsys vfs.FS, dir string) string {
	const unknown = "unknown"
	f, err := vfsys.Open(vfsys.PathJoin(dir, ownerName))
	if err != nil {
		return unknown
	}
	data, err := io.ReadAll(io.LimitReader(f, 64))
	if err = errors.Join(err, f.Close()); err != nil {
		return unknown
	}
	if pid := strings.TrimSpace(string(data)); pid != "" {
		return pid
	}
	return unknown
}

// releaseOwner gives the lock up. The file goes first, so that it never names a process that has
// let go while another one holds the lock.
func releaseOwner(vfsys vfs.FS, dir string, lock io.Closer) error {
	err := vfsys.Remove(vfsys.PathJoin(dir, ownerName))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, lock.Close())
}
