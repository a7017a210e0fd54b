package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// RestoreOptions say what Restore restores, and where.
type RestoreOptions struct {
	// From is a checkpoint, or the directory of a database that was closed. Nothing in it is
	// changed.
	From string
	// To is the directory that comes into being. It does not exist, or is empty.
	To string
	// Progress, if not nil, is told after every file how many bytes of all are copied and verified.
	Progress func(done, total int64)
	// FS replaces the file system (tests).
	FS vfs.FS

	_ struct{}
}

// Restored is what Restore found and did.
type Restored struct {
	Version uint64 // of the newest commit
	Files   int
	Bytes   int64

	_ struct{}
}

// Restore makes a database out of a checkpoint. Everything is copied beside the place (staging.go)
// and verified there, every byte that a checksum covers; only then the copy gets its sentinel, with
// an id of its own, and its place. So damage is found before anything is in the place, and a crash
// leaves nothing there.
//
// Errors: codec.ErrInvalidArgument for a From that is no database or was not closed and a To that
// is not free, backend.ErrLocked for a From that is in use and a To that is being made,
// codec.ErrCorrupt, codec.ErrFormat, backend.ErrStorage (backend.ErrNoSpace), ctx's.
func Restore(ctx context.Context, o RestoreOptions) (Restored, error) {
	r, err := restore(ctx, o)
	if err != nil {
		return Restored{}, fmt.Errorf("restore %s to %s: %w", o.From, o.To, err)
	}
	return r, nil
}

func restore(ctx context.Context, o RestoreOptions) (r Restored, err error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.From, err = absolute(o.FS, o.From); err == nil {
		o.To, err = absolute(o.FS, o.To)
	}
	if err != nil {
		return r, err
	}
	if within(o.To, o.From) || within(o.From, o.To) {
		return r, fmt.Errorf("%w: one directory lies in the other", codec.ErrInvalidArgument)
	}
	s, err := closedSentinel(o.FS, o.From)
	if err != nil {
		return r, err
	}
	if err := checkFiles(o.FS, o.From, s); err != nil {
		return r, placeFailed(err)
	}
	stage, err := newStaging(o.FS, o.To)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stage.close()) }()
	c := newDB(Options{
		Dir: stage.dir, FS: o.FS, Mode: Strict, CacheSize: 1,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err := o.copyFiles(ctx, c, &r); err != nil {
		return r, err
	}
	if again, err := readSentinel(o.FS, o.From); err != nil || again != s {
		return r, fmt.Errorf("%w: %s was opened meanwhile", backend.ErrLocked, o.From)
	}
	if err := c.verifyCopy(s); err != nil {
		return r, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return r, err
	}
	r.Version, s.ID = s.Durable, id.String()
	if err := writeSentinel(o.FS, stage.dir, s); err != nil {
		return r, placeFailed(err)
	}
	return r, stage.finish()
}

// closedSentinel reads the sentinel of a directory, which must be that of a closed database.
func closedSentinel(vfsys vfs.FS, dir string) (sentinel, error) {
	if info, err := vfsys.Stat(dir); err != nil || !info.IsDir() {
		return sentinel{}, fmt.Errorf("%w: there is no directory %s", codec.ErrInvalidArgument, dir)
	}
	s, err := readSentinel(vfsys, dir)
	if errors.Is(err, os.ErrNotExist) {
		names, failed := vfsys.List(dir)
		if failed != nil {
			return s, placeFailed(failed)
		}
		if slices.ContainsFunc(names, isStoreFile) {
			return s, fmt.Errorf("%w: file %s: missing", codec.ErrCorrupt, sentinelName)
		}
		return s, fmt.Errorf("%w: %s is no checkpoint", codec.ErrInvalidArgument, dir)
	}
	if err != nil || s.State == stateClean {
		return s, placeFailed(err)
	}
	lock, err := vfsys.Lock(vfsys.PathJoin(dir, lockName))
	if err != nil {
		return s, fmt.Errorf("%w by process %s: a database in use can make a checkpoint (%v)",
			backend.ErrLocked, readOwner(vfsys, dir), err)
	}
	return s, errors.Join(fmt.Errorf("%w: the database was not closed: open it, and close it",
		codec.ErrInvalidArgument), lock.Close())
}

// copyFiles copies all files of the store, and verifies the tables.
func (o *RestoreOptions) copyFiles(ctx context.Context, c *DB, r *Restored) error {
	names, err := o.FS.List(o.From)
	if err != nil {
		return placeFailed(err)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool { return !isStoreFile(name) })
	var total int64
	for _, name := range names {
		info, err := o.FS.Stat(o.FS.PathJoin(o.From, name))
		if err != nil {
			return placeFailed(err)
		}
		total += info.Size()
	}
	if err := o.FS.MkdirAll(c.opts.Dir, 0o755); err != nil {
		return placeFailed(err)
	}
	for _, name := range names {
		target := o.FS.PathJoin(c.opts.Dir, name)
		n, err := copyFile(ctx, o.FS, o.FS.PathJoin(o.From, name), target)
		if err == nil && strings.HasSuffix(name, ".sst") {
			err = c.verifyTable(ctx, target)
		}
		if err != nil {
			return placeFailed(err)
		}
		r.Files, r.Bytes = r.Files+1, r.Bytes+n
		if o.Progress != nil {
			o.Progress(r.Bytes, total)
		}
	}
	return nil
}

// copyChunk is how much is copied between two looks at the context.
const copyChunk = 1 << 20

// copyFile copies a file; the copy is on stable storage when it returns.
func copyFile(ctx context.Context, vfsys vfs.FS, from, to string) (n int64, err error) {
	src, err := vfsys.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := vfsys.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		m, err := io.CopyN(dst, src, copyChunk)
		n += m
		if errors.Is(err, io.EOF) {
			return n, dst.Sync()
		}
		if err != nil {
			return n, err
		}
	}
}

// verifyCopy opens a copy of a closed database, changing nothing, and checks that it holds what the
// sentinel says.
func (d *DB) verifyCopy(s sentinel) error {
	if err := checkFiles(d.opts.FS, d.opts.Dir, s); err != nil {
		return placeFailed(err)
	}
	d.cache = pebble.NewCache(d.opts.CacheSize)
	defer d.cache.Unref()
	return placeFailed(d.rehearse(s))
}
