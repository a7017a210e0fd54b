package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// staging is where a database directory is made that must be there whole or not at all: a
// checkpoint, or what is restored from one.
//
// It is made beside its place, in <place>.partial/db, and moves there by one rename when all of it
// is on stable storage. Its sentinel is written last, so that what a crash leaves is no database.
// A lock in <place>.partial keeps two that want the same place apart; what a killed one left is
// removed by the next.
type staging struct {
	fs    vfs.FS
	place string
	work  string // <place>.partial
	dir   string // <place>.partial/db
	lock  io.Closer
}

const (
	stagingSuffix = ".partial"
	stagingDir    = "db"
)

// newStaging prepares to make a directory, and its parents if they do not exist.
func newStaging(vfsys vfs.FS, place string) (*staging, error) {
	s := &staging{fs: vfsys, place: place, work: place + stagingSuffix}
	s.dir = vfsys.PathJoin(s.work, stagingDir)
	if err := s.free(); err != nil {
		return nil, err
	}
	if err := makeDir(vfsys, s.work); err != nil {
		return nil, placeFailed(err)
	}
	var err error
	if s.lock, err = vfsys.Lock(vfsys.PathJoin(s.work, lockName)); err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return nil, placeFailed(err)
		}
		return nil, fmt.Errorf("%w: a checkpoint or restore to %s is under way: %w",
			backend.ErrLocked, place, err)
	}
	if err := vfsys.RemoveAll(s.dir); err != nil {
		return nil, errors.Join(placeFailed(err), s.lock.Close())
	}
	return s, nil
}

// free makes sure that there is nothing in the place: no directory, or an empty one.
func (s *staging) free() error {
	info, err := s.fs.Stat(s.place)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return placeFailed(err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s exists and is no directory: %w",
			codec.ErrInvalidArgument, s.place, fs.ErrExist)
	}
	names, err := s.fs.List(s.place)
	if err != nil {
		return placeFailed(err)
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: directory %s exists and is not empty: %w",
			codec.ErrInvalidArgument, s.place, fs.ErrExist)
	}
	return nil
}

// finish moves what was made to its place. REQUIRES: all of it is synced.
func (s *staging) finish() error {
	if err := s.free(); err != nil {
		return err
	}
	err := s.fs.Remove(s.place) // an empty directory
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = s.fs.Rename(s.dir, s.place)
	}
	if err == nil {
		err = syncDir(s.fs, s.fs.PathDir(s.place))
	}
	return placeFailed(err)
}

// close removes what is left beside the place. Until then the lock is held, so that nobody else
// works there; where a file that is open cannot be removed, it goes with what is empty by then.
func (s *staging) close() error {
	err := s.fs.RemoveAll(s.work)
	unlocked := s.lock.Close()
	if err != nil {
		err = s.fs.RemoveAll(s.work)
	}
	return errors.Join(placeFailed(err), unlocked)
}

// makeDir makes a directory with its parents, and puts their names on stable storage.
func makeDir(vfsys vfs.FS, dir string) error {
	if _, err := vfsys.Stat(dir); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent := vfsys.PathDir(dir)
	if parent != dir && parent != "." {
		if err := makeDir(vfsys, parent); err != nil {
			return err
		}
	}
	if err := vfsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncDir(vfsys, parent)
}

// placeFailed names a failure of the disk that something is copied to. It says nothing about the
// database's own disk.
func placeFailed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", backend.ErrNoSpace, err)
	case errors.Is(err, codec.ErrInvalidArgument), errors.Is(err, codec.ErrCorrupt),
		errors.Is(err, codec.ErrFormat), errors.Is(err, backend.ErrStorage),
		errors.Is(err, backend.ErrClosed), errors.Is(err, backend.ErrLocked), isContext(err):
		return err
	}
	return fmt.Errorf("%w: %w", backend.ErrStorage, err)
}

// absolute gives a path a name that outlives a change of the working directory.
func absolute(vfsys vfs.FS, path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%w: no directory is named", codec.ErrInvalidArgument)
	}
	if vfsys != vfs.Default {
		return path, nil // a file system of a test: names are what they are
	}
	abs, err := filepath.Abs(path)
	return abs, placeFailed(err)
}

// within tells whether a path is a directory, or lies below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || os.IsPathSeparator(rest[0]))
}
