package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Derived files lie in a directory of their own. They go past the file system that watches the
// store's writes: one that fails costs a file that can be made again, and nothing else.

const (
	derivedDir  = "derived"
	derivedTemp = ".tmp_" // behind the name of a file that is being written; no name has this
)

// WriteDerived implements backend.Derived.
func (d *DB) WriteDerived(ctx context.Context, name string, content io.WriterTo) error {
	leave, err := d.enterDerived(ctx, name)
	if err != nil {
		return err
	}
	defer leave()
	if d.opts.Mode == None {
		return nil
	}
	fsys, dir := d.opts.FS, d.derivedPath("")
	if err := d.makeDerived(dir); err != nil {
		return derivedFailed(name, err)
	}
	temp := d.derivedPath(name + derivedTemp)
	if err = d.writeDerivedTemp(ctx, temp, content); err == nil {
		err = fsys.Rename(temp, d.derivedPath(name))
	}
	if err != nil {
		return derivedFailed(name, errors.Join(err, removeIfThere(fsys, temp)))
	}
	return derivedFailed(name, syncDir(fsys, dir))
}

// makeDerived makes the directory, and sees to it that a crash does not take it away.
func (d *DB) makeDerived(dir string) error {
	if _, err := d.opts.FS.Stat(dir); err == nil {
		return nil
	}
	if err := d.opts.FS.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncDir(d.opts.FS, d.opts.Dir)
}

func (d *DB) writeDerivedTemp(ctx context.Context, temp string, content io.WriterTo) error {
	f, err := d.opts.FS.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = content.WriteTo(derivedWriter{ctx, f}); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// derivedWriter stops when the context is done.
type derivedWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w derivedWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(b)
}

func removeIfThere(fsys vfs.FS, path string) error {
	err := fsys.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// OpenDerived implements backend.Derived.
func (d *DB) OpenDerived(name string) (io.ReadCloser, error) {
	leave, err := d.enterDerived(context.Background(), name)
	if err != nil {
		return nil, err
	}
	defer leave()
	f, err := d.opts.FS.Open(d.derivedPath(name), vfs.SequentialReadsOption)
	if err != nil {
		return nil, derivedFailed(name, err)
	}
	return f, nil
}

// ListDerived implements backend.Derived.
func (d *DB) ListDerived() ([]string, error) {
	leave, err := d.enterDerived(context.Background(), derivedDir)
	if err != nil {
		return nil, err
	}
	defer leave()
	all, err := d.opts.FS.List(d.derivedPath(""))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, derivedFailed(derivedDir, err)
	}
	for i, name := range all {
		all[i] = strings.TrimSuffix(name, derivedTemp)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return !backend.ValidDerived(name) })
	slices.Sort(all)
	return slices.Compact(all), nil
}

// RemoveDerived implements backend.Derived.
func (d *DB) RemoveDerived(name string) error {
	leave, err := d.enterDerived(context.Background(), name)
	if err != nil {
		return err
	}
	defer leave()
	path := d.derivedPath(name)
	return derivedFailed(name, errors.Join(removeIfThere(d.opts.FS, path),
		removeIfThere(d.opts.FS, path+derivedTemp)))
}

// derivedPath is where a derived file lies; without a name, the directory.
func (d *DB) derivedPath(name string) string {
	if name == "" {
		return d.opts.FS.PathJoin(d.opts.Dir, derivedDir)
	}
	return d.opts.FS.PathJoin(d.opts.Dir, derivedDir, name)
}

// enterDerived keeps the directory ours until leave is called.
func (d *DB) enterDerived(ctx context.Context, name string) (leave func(), err error) {
	if !backend.ValidDerived(name) {
		return nil, fmt.Errorf("%w: %q is no name of a derived file", codec.ErrInvalidArgument, name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.closed.Load() || !d.storeGate.TryRLock() {
		return nil, backend.ErrClosed
	}
	if d.closed.Load() {
		d.storeGate.RUnlock()
		return nil, backend.ErrClosed
	}
	return d.storeGate.RUnlock, nil
}

// derivedFailed names a file. What is missing, and what the context ended, is no failure of the
// disk.
func derivedFailed(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("derived file %s: %w", name, err)
	}
	return fmt.Errorf("derived file %s: %w: %w", name, backend.ErrStorage, err)
}
