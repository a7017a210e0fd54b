// Package disktest is a disk in memory that can lose its power while others write to it.
//
// Pebble's own crashable file system is that disk, but for one thing: renaming a log to use it
// again, and linking a file, take the lock that a crash takes twice. A crash that arrives between
// the two waits for the first and holds up the second, for ever. Here such a step and a crash
// exclude each other from outside.
package disktest

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Disk is a file system in memory that remembers what was synced. It may be used by several
// goroutines, crashes included.
type Disk struct {
	*vfs.MemFS

	mu sync.RWMutex // held by steps that take the lock of MemFS twice, and to write by a crash
}

var _ vfs.FS = (*Disk)(nil)

// New returns an empty disk.
func New() *Disk { return &Disk{MemFS: vfs.NewCrashableMem()} }

// CrashClone is what the disk holds if the power goes now: all that was synced, and of the rest as
// much as c says. The disk itself goes on.
func (d *Disk) CrashClone(c vfs.CrashCloneCfg) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Disk{MemFS: d.MemFS.CrashClone(c)}
}

// Link is that of [vfs.FS].
func (d *Disk) Link(oldname, newname string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.Link(oldname, newname)
}

// ReuseForWrite is that of [vfs.FS].
func (d *Disk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.ReuseForWrite(oldname, newname, c)
}
