package embedded

import (
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeFile reports failed writes and syncs to its file system.
type storeFile struct {
	vfs.File
	fs          *storeFS
	name        string
	silent, dir bool
	written     atomic.Uint64
}

// settle decides what Pebble gets to see of a failure.
func (f *storeFile) settle(op string, err error) error {
	if err == nil {
		return nil
	}
	if err = f.fs.failed(op+" "+f.name, err); f.silent && f.fs.serving.Load() {
		return nil
	}
	return err
}

func (f *storeFile) Write(p []byte) (int, error) {
	if err := f.fs.refuse(); err != nil {
		if f.silent {
			return len(p), nil
		}
		return 0, err
	}
	n, err := f.File.Write(p)
	if err = f.settle("write", err); err == nil {
		n = len(p)
	}
	f.written.Add(uint64(n))
	return n, err
}

func (f *storeFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.refuse(); err != nil {
		if f.silent {
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

// sync runs one of the sync calls. On a frozen image a silent file and its directory pretend, so
// that Pebble comes to rest; the commit path never acknowledges anything then.
func (f *storeFile) sync(fn func() error) error {
	if err := f.fs.refuse(); err != nil {
		if f.silent || f.dir {
			return nil
		}
		return err
	}
	written, w := f.written.Load(), startWatch()
	err := fn()
	base := f.fs.PathBase(f.name)
	if err == nil && strings.HasPrefix(base, manifestPrefix) {
		f.fs.synced.Store(&syncedFile{name: base, size: written})
	}
	err = f.settle("sync", err)
	if isLog(base) && f.fs.serving.Load() {
		f.fs.onSync(w.elapsed())
	}
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

// lostFile takes what is written to a silent file that could not be created. The fault is set:
// nothing that goes here is ever acknowledged.
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
