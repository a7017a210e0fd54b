package embedded

import (
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeFS stands between Pebble and the file system, because Pebble answers some failures with the
// end of the process and some with a false acknowledgement (architecture.md, sharp edges 1 and 3).
//
// It goes through three phases:
//
//	opening   errors pass through to Pebble, deletions are put off: if the checks after opening
//	          find damage, nothing has been deleted. release carries them out.
//	serving   the first failed write, sync or directory change sets the fault. Failures of the log
//	          are kept from Pebble, which would panic; the commit path asks the fault instead.
//	faulted   the image on disk is frozen: log writes go nowhere, deletions are not carried out,
//	          every other change is refused. Reads go on.
type storeFS struct {
	vfs.FS
	fault   *fault
	onFault func(op string, err error)
	serving atomic.Bool
	// openFailed is closed by the first failure before serving.
	openFailed chan struct{}
	openOnce   sync.Once

	mu struct {
		sync.Mutex
		held   bool     // deletions are put off
		putOff []string // in the order asked for
	}
}

func newStoreFS(fs vfs.FS, f *fault, onFault func(string, error)) *storeFS {
	s := &storeFS{FS: fs, fault: f, onFault: onFault, openFailed: make(chan struct{})}
	s.mu.held = true
	return s
}

// release ends the opening phase: deletions that were put off are carried out.
func (s *storeFS) release() error {
	s.mu.Lock()
	names := s.mu.putOff
	s.mu.held, s.mu.putOff = false, nil
	s.mu.Unlock()
	s.serving.Store(true)
	for _, name := range names {
		if err := s.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// failed notes an error of a change to the file system and passes it on.
func (s *storeFS) failed(op string, err error) error {
	switch {
	case err == nil:
	case !s.serving.Load():
		s.openOnce.Do(func() { close(s.openFailed) })
	case s.fault.set(op, err):
		s.onFault(op, err)
	}
	return err
}

// refuse answers changes once the image is frozen.
func (s *storeFS) refuse() error {
	if !s.serving.Load() {
		return nil
	}
	return s.fault.err()
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// change runs fn unless the image is frozen. A failing change of a log file yields a file that goes
// nowhere: the fault is set, and Pebble must not see the error.
func (s *storeFS) change(op, name string, fn func() (vfs.File, error)) (vfs.File, error) {
	err := s.refuse()
	var f vfs.File
	if err == nil {
		f, err = fn()
		if errors.Is(err, os.ErrNotExist) {
			return nil, err // the caller asked for a file that is not there: no failure of the disk
		}
		err = s.failed(op+" "+name, err)
	}
	if err != nil {
		if isLog(name) && s.serving.Load() {
			return lostFile{name: name}, nil
		}
		return nil, err
	}
	return &storeFile{File: f, fs: s, name: name, log: isLog(name)}, nil
}

func (s *storeFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return s.change("create", name, func() (vfs.File, error) {
		if strings.HasPrefix(s.FS.PathBase(name), "marker.") {
			// A marker names a file that was created just before. Pebble syncs the directory only
			// after both, and a crash may keep the marker and lose the file.
			if err := syncDir(s.FS, s.FS.PathDir(name)); err != nil {
				return nil, err
			}
		}
		return s.FS.Create(name, c)
	})
}

func (s *storeFS) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	return s.change("open", name, func() (vfs.File, error) {
		return s.FS.OpenReadWrite(name, c, opts...)
	})
}

func (s *storeFS) ReuseForWrite(
	oldname, newname string, c vfs.DiskWriteCategory,
) (vfs.File, error) {
	return s.change("reuse", newname, func() (vfs.File, error) {
		return s.FS.ReuseForWrite(oldname, newname, c)
	})
}

func (s *storeFS) OpenDir(name string) (vfs.File, error) {
	f, err := s.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &storeFile{File: f, fs: s, name: name, dir: true}, nil
}

func (s *storeFS) Link(oldname, newname string) error {
	if err := s.refuse(); err != nil {
		return err
	}
	return s.failed("link "+newname, s.FS.Link(oldname, newname))
}

func (s *storeFS) Rename(oldname, newname string) error {
	if err := s.refuse(); err != nil {
		return err
	}
	return s.failed("rename "+newname, s.FS.Rename(oldname, newname))
}

func (s *storeFS) Remove(name string) error {
	s.mu.Lock()
	if s.mu.held && !strings.HasPrefix(s.FS.PathBase(name), "temporary.") {
		s.mu.putOff = append(s.mu.putOff, name)
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	if s.refuse() != nil {
		return nil // frozen: what is there stays
	}
	// A file that cannot be deleted costs space and loses nothing.
	return s.FS.Remove(name)
}

func (s *storeFS) RemoveAll(name string) error {
	if s.refuse() != nil {
		return nil
	}
	return s.FS.RemoveAll(name)
}

// Unwrap implements vfs.FS.
func (s *storeFS) Unwrap() vfs.FS { return s.FS }

// storeFile reports failed writes and syncs to its file system.
type storeFile struct {
	vfs.File
	fs       *storeFS
	name     string
	log, dir bool
}

// settle decides what Pebble gets to see of a failure.
func (f *storeFile) settle(op string, err error) error {
	if err == nil {
		return nil
	}
	if err = f.fs.failed(op+" "+f.name, err); f.log && f.fs.serving.Load() {
		return nil
	}
	return err
}

func (f *storeFile) Write(p []byte) (int, error) {
	if err := f.fs.refuse(); err != nil {
		if f.log {
			return len(p), nil
		}
		return 0, err
	}
	n, err := f.File.Write(p)
	if err = f.settle("write", err); err == nil {
		n = len(p)
	}
	return n, err
}

func (f *storeFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.refuse(); err != nil {
		if f.log {
			return len(p), nil
		}
		return 0, err
	}
	n, err := f.File.WriteAt(p, off)
	if err = f.settle("write", err); err == nil {
		n = len(p)
	}
	return n, err
}

// sync runs one of the sync calls. On a frozen image a log and its directory pretend, so that
// Pebble comes to rest; the commit path never acknowledges anything then.
func (f *storeFile) sync(fn func() error) error {
	if err := f.fs.refuse(); err != nil {
		if f.log || f.dir {
			return nil
		}
		return err
	}
	err := f.settle("sync", fn())
	if err != nil && f.dir && f.fs.serving.Load() {
		return nil
	}
	return err
}

func (f *storeFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *storeFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *storeFile) SyncTo(length int64) (full bool, err error) {
	err = f.sync(func() error {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *storeFile) Preallocate(offset, length int64) error {
	if f.fs.refuse() != nil {
		return nil
	}
	return f.settle("preallocate", f.File.Preallocate(offset, length))
}

func (f *storeFile) Close() error { return f.settle("close", f.File.Close()) }

// lostFile takes what is written to a log that could not be created. The fault is set: nothing that
// goes here is ever acknowledged.
type lostFile struct {
	vfs.File
	name string
}

func (lostFile) Close() error                           { return nil }
func (lostFile) Write(p []byte) (int, error)            { return len(p), nil }
func (lostFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (lostFile) Preallocate(_, _ int64) error           { return nil }
func (lostFile) Sync() error                            { return nil }
func (lostFile) SyncData() error                        { return nil }
func (lostFile) SyncTo(int64) (bool, error)             { return true, nil }
func (lostFile) Prefetch(int64, int64) error            { return nil }
func (lostFile) Fd() uintptr                            { return vfs.InvalidFd }
func (f lostFile) Stat() (vfs.FileInfo, error)          { return lostInfo{name: f.name}, nil }

// lostInfo describes a lostFile: nothing is in it.
type lostInfo struct{ name string }

func (i lostInfo) Name() string         { return i.name }
func (lostInfo) Size() int64            { return 0 }
func (lostInfo) Mode() os.FileMode      { return 0 }
func (lostInfo) ModTime() time.Time     { return time.Time{} }
func (lostInfo) IsDir() bool            { return false }
func (lostInfo) Sys() any               { return nil }
func (lostInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
