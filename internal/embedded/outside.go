package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/internal/backend"
)

// outside is a directory that Pebble writes a copy of the store into, through the store's file
// system. It is no part of the store: a failure there is the copy's alone, and Pebble gets to see
// it.
//
// It also is where a copy is held still. Pebble copies its logs while they are written to, so that
// the copy may have an old block before a new one, which reads as damage when it is opened
// (cockroachdb/pebble issue 5142). So from the first log on that is copied nothing goes into the
// logs, and what did is on stable storage.
type outside struct {
	db  *DB
	ctx context.Context // Pebble's Checkpoint takes none
	dir string

	quiet *watch        // since when nothing goes into the logs
	held  time.Duration // for how long nothing did
}

// err tells why the copy is to stop.
func (o *outside) err() error {
	if o.db.closed.Load() {
		return backend.ErrClosed
	}
	return o.ctx.Err()
}

// create makes a file of the copy.
func (o *outside) create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := o.err(); err != nil {
		return nil, err
	}
	if isLog(o.db.fs.PathBase(name)) && o.quiet == nil {
		if err := o.hold(); err != nil {
			return nil, err
		}
	}
	return o.db.fs.FS.Create(name, c)
}

// hold keeps everybody out of the logs until release.
func (o *outside) hold() error {
	locked := make(chan struct{})
	go func() {
		o.db.logGate.Lock()
		close(locked)
	}()
	select {
	case <-locked:
	case <-o.db.fault.stuck: // who has it may not come back
		go func() {
			<-locked
			o.db.logGate.Unlock()
		}()
		return o.db.fault.err()
	}
	o.quiet = startWatch()
	if err := o.db.store.LogData(nil, pebble.Sync); err != nil {
		return err
	}
	return o.db.fault.err() // storeFS keeps failures of the log from Pebble
}

// release lets everybody go on.
func (o *outside) release() {
	if o.quiet != nil {
		o.held = o.quiet.elapsed()
		o.db.logGate.Unlock()
	}
}

// outsideOf tells of which copy a file is part; nil: of none.
func (s *storeFS) outsideOf(name string) *outside {
	o := s.outside.Load()
	if o == nil || !within(name, o.dir) {
		return nil
	}
	return o
}

// isContext tells whether an error is a context's.
func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
