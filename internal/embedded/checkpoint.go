package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Checkpoint implements backend.Backend. Its steps, in order, so that commits wait as shortly as
// can be and nothing half made is ever taken for a database:
//
//	stage    a directory beside the place, under a lock (staging.go)
//	flush    what is queued and logged goes into tables: little is left in the log to copy
//	copy     Pebble links the tables and copies the rest; while it copies the logs nothing goes
//	         into them (outside.go). Commits of a database that does not wait for the disk are
//	         queued meanwhile; the others wait
//	settle   the copy is opened, its log replayed and its newest commit looked for, which is the
//	         version of the checkpoint; everything goes into tables, and the copy is closed
//	mark     the copy gets the sentinel of a closed database, under an id of its own
//	place    one rename
//
// The version is looked for and not foreseen, because what is committed while the tables are linked
// may be in the log. Whatever it is, the copy holds every commit up to it and none above.
func (d *DB) Checkpoint(ctx context.Context, dir string) (backend.CheckpointInfo, error) {
	info, err := d.checkpoint(ctx, dir)
	if err != nil {
		return backend.CheckpointInfo{}, fmt.Errorf("checkpoint to %s: %w", dir, err)
	}
	return info, nil
}

func (d *DB) checkpoint(ctx context.Context, dir string) (info backend.CheckpointInfo, err error) {
	if d.opts.Mode == None {
		return info, fmt.Errorf("%w: the database is in memory alone", codec.ErrInvalidArgument)
	}
	if dir, err = absolute(d.opts.FS, dir); err != nil {
		return info, err
	}
	if within(dir, d.opts.Dir) {
		return info, fmt.Errorf("%w: it lies in the database's own directory %s",
			codec.ErrInvalidArgument, d.opts.Dir)
	}
	select {
	case d.checkpointing <- struct{}{}:
		defer func() { <-d.checkpointing }()
	case <-ctx.Done():
		return info, ctx.Err()
	}
	if !d.commitGate.TryRLock() {
		return info, backend.ErrClosed
	}
	defer d.commitGate.RUnlock()
	if err := errors.Join(ctx.Err(), d.running()); err != nil {
		return info, err
	}
	stage, err := newStaging(d.opts.FS, dir)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, stage.close()) }()
	if info, err = d.copyTo(ctx, stage.dir); err != nil {
		return info, err
	}
	return info, stage.finish()
}

// copyTo makes a copy of the database in a directory that does not exist.
func (d *DB) copyTo(ctx context.Context, dir string) (info backend.CheckpointInfo, err error) {
	if err := d.syncNow(); err != nil {
		return info, err
	}
	if err := d.flushTables(); err != nil {
		return info, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return info, err
	}
	// What is known to be there before the copy begins must be in it.
	s := d.keeper.says()
	s.ID, s.State, s.Boot, s.Manifest, s.ManifestSize = id.String(), stateOpen, d.boot, "", 0
	s.Durable, s.Flushed, s.Versions = d.durable.load(), d.flushed.Load(), maxVersion
	o := &outside{db: d, ctx: ctx, dir: dir}
	d.fs.outside.Store(o)
	err = d.copyStore(o)
	d.fs.outside.Store(nil)
	if err != nil {
		return info, err
	}
	info.Held = o.held
	s.Scopes = d.lastScope.Load()
	if info.Version, err = settleCopy(ctx, d.opts, dir, s); err != nil {
		return info, err
	}
	if info.Version > d.durable.load() { // it must not outlive what it is a copy of
		if err := d.syncNow(); err != nil {
			return info, err
		}
	}
	info.Files, info.Bytes, err = measureDir(d.opts.FS, dir)
	return info, placeFailed(err)
}

// copyStore has Pebble copy itself.
func (d *DB) copyStore(o *outside) (err error) {
	defer o.release()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: copy: %v", backend.ErrStorage, v)
		}
	}()
	err = d.store.Checkpoint(o.dir)
	if stopped := o.err(); err != nil && stopped != nil {
		return stopped
	}
	if pebble.IsCorruptionError(err) {
		return d.readFailed(err)
	}
	return errors.Join(placeFailed(err), d.fault.err())
}

// settleCopy makes a closed database of a copy of one in use: its log, which ends anywhere, is
// replayed and gone. The sentinel says what the copy must hold at least. It returns the version of
// the newest commit.
func settleCopy(
	ctx context.Context, like Options, dir string, s sentinel,
) (version uint64, err error) {
	c := newDB(Options{
		Dir: dir, FS: like.FS, Mode: Strict, Clock: like.Clock, WriteBuffer: like.WriteBuffer,
		CacheSize: 1, Logger: slog.New(slog.DiscardHandler),
	})
	c.cache = pebble.NewCache(c.opts.CacheSize)
	if err := c.replay(s); err != nil {
		c.cache.Unref()
		return 0, err
	}
	defer func() { err = placeFailed(errors.Join(err, ctx.Err())) }()
	err = c.verify(s)
	if err == nil {
		s.Boot = c.boot
		c.order.version = c.order.commit
		c.lastScope.Store(s.Scopes)
		c.keeper = newKeeper(c, s)
		err = c.fs.release()
	}
	if err == nil {
		err = c.flushTables()
	}
	if err := errors.Join(c.readFailed(err), c.closeStore()); err != nil {
		return 0, err
	}
	return c.order.commit, c.keeper.close(c.order.commit)
}

// measureDir counts the files of a directory and their bytes.
func measureDir(vfsys vfs.FS, dir string) (files int, bytes int64, err error) {
	names, err := vfsys.List(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		info, err := vfsys.Stat(vfsys.PathJoin(dir, name))
		if err != nil {
			return 0, 0, err
		}
		files, bytes = files+1, bytes+info.Size()
	}
	return files, bytes, nil
}
