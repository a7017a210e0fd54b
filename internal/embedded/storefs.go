package embedded

import (
	"errors"
	"io"
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
//	          and of the MANIFEST are kept from Pebble, which would panic or come apart; the commit
//	          path asks the fault instead.
//	faulted   the image on disk is frozen: writes to log and MANIFEST go nowhere, deletions are not
//	          carried out, every other change is refused. Reads go on. In its memory Pebble may
//	          move on to tables that were written before; on disk nothing names them.
type storeFS struct {
	vfs.FS
	fault   *fault
	onFault func(op string, err error)
	onSync  func(took time.Duration) // of a log
	serving atomic.Bool
	// openFailed is closed by the first failure before serving, which is openError.
	openFailed chan struct{}
	openError  error
	openOnce   sync.Once
	// synced is how much of the MANIFEST written last is on stable storage.
	synced atomic.Pointer[syncedFile]
	// outside is the copy of the store that is being made; nil: none is.
	outside atomic.Pointer[outside]

	mu struct {
		sync.Mutex
		held   bool     // deletions are put off
		putOff []string // in the order asked for
	}
}

func newStoreFS(
	fs vfs.FS, f *fault, onFault func(string, error), onSync func(time.Duration),
) *storeFS {
	s := &storeFS{
		FS: fs, fault: f, onFault: onFault, onSync: onSync, openFailed: make(chan struct{}),
	}
	s.mu.held = true
	return s
}

// syncedFile is a file and how many bytes of it are on stable storage.
type syncedFile struct {
	name string // without the directory
	size uint64
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
		s.openOnce.Do(func() {
			s.openError = err
			close(s.openFailed)
		})
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

// isSilent tells of which files Pebble does not get to see failures: the log, the MANIFEST, and the
// marker that names it. When the MANIFEST is written, half of its update has taken effect in
// Pebble's memory, so there is no way back from a failure; forward there is.
func (s *storeFS) isSilent(name string) bool {
	base := s.FS.PathBase(name)
	return isLog(base) || strings.HasPrefix(base, manifestPrefix) ||
		strings.HasPrefix(base, markerPrefix)
}

// change runs fn unless the image is frozen. A failing change of a silent file yields a file that
// goes nowhere: the fault is set, and Pebble must not see the error.
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
		if s.isSilent(name) && s.serving.Load() {
			return lostFile{name: name}, nil
		}
		return nil, err
	}
	return &storeFile{File: f, fs: s, name: name, silent: s.isSilent(name)}, nil
}

func (s *storeFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if o := s.outsideOf(name); o != nil {
		return o.create(name, c)
	}
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
	if err != nil || s.outsideOf(name) != nil {
		return f, err
	}
	return &storeFile{File: f, fs: s, name: name, dir: true}, nil
}

func (s *storeFS) Link(oldname, newname string) error {
	if o := s.outsideOf(newname); o != nil {
		if err := o.err(); err != nil {
			return err
		}
		return s.FS.Link(oldname, newname)
	}
	if err := s.refuse(); err != nil {
		return err
	}
	return s.failed("link "+newname, s.FS.Link(oldname, newname))
}

func (s *storeFS) Rename(oldname, newname string) error {
	if s.outsideOf(newname) != nil {
		return s.FS.Rename(oldname, newname)
	}
	if err := s.refuse(); err != nil {
		return err
	}
	return s.failed("rename "+newname, s.FS.Rename(oldname, newname))
}

func (s *storeFS) Remove(name string) error {
	if s.outsideOf(name) != nil {
		return s.FS.Remove(name)
	}
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
	if s.outsideOf(name) != nil {
		return s.FS.RemoveAll(name)
	}
	if s.refuse() != nil {
		return nil
	}
	return s.FS.RemoveAll(name)
}

// Lock implements vfs.FS: the directory is locked already, by us (owner.go).
func (s *storeFS) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// Unwrap implements vfs.FS.
func (s *storeFS) Unwrap() vfs.FS { return s.FS }
