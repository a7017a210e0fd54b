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
//	settle   the copy is opened without changing it and its newest commit looked for, which is the
//	         version of the checkpoint; then it gets the sentinel of a closed database, under an id
//	         of its own
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
	if info, err = d.copyTo(ctx, stage); err != nil {
		return info, err
	}
	return info, stage.finish()
}

// copyTo makes a copy of the database.
func (d *DB) copyTo(ctx context.Context, stage *staging) (info backend.CheckpointInfo, err error) {
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
	s.ID, s.State, s.Boot = id.String(), stateOpen, d.boot+1 // who was at work is not there
	s.Durable, s.Flushed, s.Versions = d.durable.load(), d.flushed.Load(), maxVersion
	o := &outside{db: d, ctx: ctx, dir: stage.work} // Pebble syncs the parent, too
	d.fs.outside.Store(o)
	err = d.copyStore(o, stage.dir)
	d.fs.outside.Store(nil)
	if err != nil {
		return info, err
	}
	info.Held = o.held
	s.Scopes = d.lastScope.Load()
	if err := errors.Join(ctx.Err(), s.settle(d.opts, stage.dir)); err != nil {
		return info, err
	}
	info.Version = s.Durable
	if info.Version > d.durable.load() { // it must not outlive what it is a copy of
		if err := d.syncNow(); err != nil {
			return info, err
		}
	}
	info.Files, info.Bytes, err = measureDir(d.opts.FS, stage.dir)
	return info, placeFailed(err)
}

// copyStore has Pebble copy itself.
func (d *DB) copyStore(o *outside, dir string) (err error) {
	defer o.release()
	defer func() {
		// Pebble panics where it cannot sync a marker; it holds none of its locks then.
		if v := recover(); v != nil {
			cause, ok := v.(error)
			if !ok {
				cause = fmt.Errorf("%v", v)
			}
			err = placeFailed(cause)
		}
	}()
	err = d.store.Checkpoint(dir)
	if stopped := o.err(); err != nil && stopped != nil {
		return stopped
	}
	if pebble.IsCorruptionError(err) {
		return d.readFailed(err)
	}
	return errors.Join(placeFailed(err), d.fault.err())
}

// settle makes a closed database of a copy of one in use. It writes nothing but the sentinel: the
// log that was copied is replayed in memory, to find the newest commit in it, and by the first who
// opens the copy. (Were Pebble to move it into tables here, a failing disk could end the process:
// it panics in the background where it cannot sync a directory.)
func (s *sentinel) settle(like Options, dir string) error {
	c := newDB(Options{
		Dir: dir, FS: like.FS, Mode: Strict, WriteBuffer: like.WriteBuffer, CacheSize: 1,
		Logger: slog.New(slog.DiscardHandler),
	})
	c.cache = pebble.NewCache(c.opts.CacheSize)
	defer c.cache.Unref()
	if err := c.rehearse(*s); err != nil {
		return err
	}
	name, err := currentManifest(like.FS, dir)
	if err != nil {
		return err
	}
	whole, err := scanManifest(like.FS, dir, name, true)
	if err != nil {
		return err
	}
	s.State, s.Manifest, s.ManifestSize = stateClean, name, uint64(whole)
	s.Durable, s.Versions = c.report.Last, c.report.Last
	return placeFailed(writeSentinel(like.FS, dir, *s))
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
