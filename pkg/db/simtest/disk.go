package simtest

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/internal/embedded/disktest"
)

// The kinds of file operations that can be made to fail.
const (
	opRead = 1 << iota
	opWrite
	opSync
	opCreate
	opRename // rename, link, remove and use again
)

// disk is a disk that does what the simulation has drawn: one operation fails, there is no space,
// syncs take long, the power goes in the middle of an action. It is safe for concurrent use.
type disk struct {
	vfs.FS // the crashable disk
	raw    *disktest.Disk

	mu        sync.Mutex
	kinds     int // which operations fail
	countdown int // the how many-th of them from now; 0: none
	err       error
	fired     bool
	full      bool
	power     int                    // the power goes behind so many changes; 0: it stays
	lost      *rand.Rand             // of what was not synced
	share     int                    // how much of it stays, percent
	after     *disktest.Disk         // what was there when the power went
	slow      chan struct{}          // closed when syncs may go on; nil: they may
	forget    func(file string) bool // a sync of this file is forgotten: planted
}

func newDisk(raw *disktest.Disk) *disk { return &disk{FS: raw, raw: raw} }

// arm makes the n-th operation of these kinds fail, once. It does nothing if another one has failed
// already, and says so.
func (d *disk) arm(kinds, n int, err error) (fired bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.fired {
		d.kinds, d.countdown, d.err = kinds, n, err
	}
	return d.fired
}

// disarm makes everything work again, and says whether something has failed.
func (d *disk) disarm() (fired bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fired = d.fired
	d.countdown, d.fired = 0, false
	return fired
}

// hasFired reports whether an armed operation has failed.
func (d *disk) hasFired() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fired
}

// cut has the power go behind the n-th operation that changes something.
func (d *disk) cut(n, share int, rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.power, d.share, d.lost, d.after = n, share, rng, nil
}

// wreck is what was left when the power went, nil if it has not.
func (d *disk) wreck() *disktest.Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.after
}

// fill says whether the disk is nearly full.
func (d *disk) fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// patience bounds what a slow sync takes: somebody may wait for it who cannot be told.
const patience = 20 * time.Millisecond

// slowly holds up syncs until hurry.
func (d *disk) slowly() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slow == nil {
		d.slow = make(chan struct{})
	}
}

func (d *disk) hurry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slow != nil {
		close(d.slow)
		d.slow = nil
	}
}

// op is what every operation asks before it is done.
func (d *disk) op(kind int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if kind != opRead && d.power > 0 {
		if d.power--; d.power == 0 {
			d.after = d.raw.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: d.share, RNG: d.lost})
		}
	}
	if d.countdown > 0 && d.kinds&kind != 0 {
		if d.countdown--; d.countdown == 0 {
			d.fired = true
			return d.err
		}
	}
	return nil
}

// syncing is op for a sync of a file; forgotten ones are not done.
func (d *disk) syncing(name string) (skip bool, err error) {
	d.mu.Lock()
	slow := d.slow
	skip = d.forget != nil && d.forget(name)
	d.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-time.After(patience):
		}
	}
	return skip, d.op(opSync)
}

// GetDiskUsage implements vfs.FS.
func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	const size = 1 << 40
	if d.full {
		return vfs.DiskUsage{TotalBytes: size, UsedBytes: size}, nil
	}
	return vfs.DiskUsage{AvailBytes: size, TotalBytes: size}, nil
}

// Create implements vfs.FS.
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.op(opCreate); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	return d.file(name, f), err
}

// Open implements vfs.FS.
func (d *disk) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := d.op(opRead); err != nil {
		return nil, err
	}
	f, err := d.FS.Open(name, opts...)
	return d.file(name, f), err
}

// OpenReadWrite implements vfs.FS.
func (d *disk) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, c, opts...)
	return d.file(name, f), err
}

// OpenDir implements vfs.FS.
func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	return d.file(name, f), err
}

// Link implements vfs.FS.
func (d *disk) Link(oldname, newname string) error {
	if err := d.op(opRename); err != nil {
		return err
	}
	return d.FS.Link(oldname, newname)
}

// Remove implements vfs.FS.
func (d *disk) Remove(name string) error {
	if err := d.op(opRename); err != nil {
		return err
	}
	return d.FS.Remove(name)
}

// Rename implements vfs.FS.
func (d *disk) Rename(oldname, newname string) error {
	if err := d.op(opRename); err != nil {
		return err
	}
	return d.FS.Rename(oldname, newname)
}

// ReuseForWrite implements vfs.FS.
func (d *disk) ReuseForWrite(
	oldname, newname string, c vfs.DiskWriteCategory,
) (vfs.File, error) {
	if err := d.op(opRename); err != nil {
		return nil, err
	}
	f, err := d.FS.ReuseForWrite(oldname, newname, c)
	return d.file(newname, f), err
}

// Unwrap implements vfs.FS.
func (d *disk) Unwrap() vfs.FS { return d.FS }

func (d *disk) file(name string, f vfs.File) vfs.File {
	if f == nil {
		return nil
	}
	return &file{File: f, d: d, name: name}
}

// file is a file of a disk.
type file struct {
	vfs.File
	d    *disk
	name string
}

// Read implements vfs.File.
func (f *file) Read(p []byte) (int, error) {
	if err := f.d.op(opRead); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if err := f.d.op(opRead); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// Write implements vfs.File.
func (f *file) Write(p []byte) (int, error) {
	if err := f.d.op(opWrite); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// WriteAt implements vfs.File.
func (f *file) WriteAt(p []byte, at int64) (int, error) {
	if err := f.d.op(opWrite); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, at)
}

// Sync implements vfs.File.
func (f *file) Sync() error {
	skip, err := f.d.syncing(f.name)
	if skip || err != nil {
		return err
	}
	return f.File.Sync()
}

// SyncData implements vfs.File.
func (f *file) SyncData() error {
	skip, err := f.d.syncing(f.name)
	if skip || err != nil {
		return err
	}
	return f.File.SyncData()
}

// SyncTo implements vfs.File.
func (f *file) SyncTo(n int64) (bool, error) {
	skip, err := f.d.syncing(f.name)
	if skip || err != nil {
		return false, err
	}
	return f.File.SyncTo(n)
}
