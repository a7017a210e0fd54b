package embedded

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// syncer brings the log to stable storage in the modes that do not wait for it: after an interval,
// or when enough commits have come together. An idle database is synced too, and then left alone.
//
// Pebble keeps the last 32 KiB that were logged without a sync in the process, so it is the syncer
// that bounds what a kill takes away, not only a power cut.
type syncer struct {
	logged chan struct{} // capacity 1: there is something to sync
	full   chan struct{} // capacity 1: sync now
	stop   chan struct{}
	done   chan struct{}
}

func newSyncer() *syncer {
	return &syncer{
		logged: make(chan struct{}, 1), full: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// noteLoggedLocked tells the syncer of a commit. REQUIRES: the commit lock.
func (d *DB) noteLoggedLocked(version uint64) {
	switch d.opts.Mode {
	case Strict:
		return
	case None:
		d.durable.raise(version)
		return
	}
	d.unsynced++
	if d.unsynced == 1 {
		signal(d.syncer.logged)
	}
	if d.opts.SyncCommits > 0 && d.unsynced == d.opts.SyncCommits {
		signal(d.syncer.full)
	}
}

// runSyncer is the syncer's goroutine. The interval counts from the first commit that is not
// synced.
func (d *DB) runSyncer() {
	s := d.syncer
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.logged:
		}
		timer.Reset(d.opts.SyncInterval)
		select {
		case <-s.stop:
			return
		case <-timer.C:
		case <-s.full:
		}
		if d.syncNow() != nil {
			return // the fault is set: there is nothing to sync any more
		}
	}
}

// syncFor returns when a version is on stable storage. One of those who wait syncs for all that
// were there when it began; see syncQueue.
func (d *DB) syncFor(version uint64) error {
	for d.durable.load() < version {
		if err := d.fault.err(); err != nil {
			return err
		}
		if !d.syncs.join(version, d.isSettled) {
			continue
		}
		err := d.syncNow()
		d.syncs.pass(d.isSettled)
		if err != nil {
			return err
		}
	}
	return nil
}

// isSettled tells whether waiting for a sync is over: the version is on stable storage, or never
// will be.
func (d *DB) isSettled(version uint64) bool {
	return d.durable.load() >= version || d.fault.err() != nil
}

// syncNow brings everything that is logged to stable storage.
func (d *DB) syncNow() error {
	if err := d.fault.err(); err != nil {
		return err
	}
	if d.opts.Mode == None {
		return nil
	}
	d.commitLock.Lock()
	upTo := d.order.commit
	d.unsynced = 0
	d.commitLock.Unlock()
	if upTo <= d.durable.load() {
		return nil
	}
	if err := d.handover.push(); err != nil {
		return err
	}
	// An empty log record with a sync covers everything before it.
	err := d.guarded("sync", func() error { return d.store.LogData(nil, pebble.Sync) })
	if err != nil {
		return err
	}
	d.published.raise(upTo) // a strict database may not have got there yet
	d.durable.raise(upTo)
	d.keeper.noteDurable()
	return nil
}

// Flush implements backend.Backend.
func (d *DB) Flush(ctx context.Context) error {
	if !d.commitGate.TryRLock() {
		return backend.ErrClosed
	}
	defer d.commitGate.RUnlock()
	if d.closed.Load() {
		return backend.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.syncNow()
}

// Published implements backend.Backend.
func (d *DB) Published() uint64 { return d.published.load() }

// Durable implements backend.Backend.
func (d *DB) Durable() uint64 { return d.durable.load() }

// WaitPublished implements backend.Backend.
func (d *DB) WaitPublished(ctx context.Context, version uint64) error {
	return d.waitFor(ctx, &d.published, version)
}

// WaitDurable implements backend.Backend.
func (d *DB) WaitDurable(ctx context.Context, version uint64) error {
	return d.waitFor(ctx, &d.durable, version)
}

func (d *DB) waitFor(ctx context.Context, w *watermark, version uint64) error {
	if version > d.report.Last && version < d.report.Next {
		return fmt.Errorf("%w: there is no commit %d: it was lost before this open, or never was",
			codec.ErrInvalidArgument, version)
	}
	if w.load() >= version {
		return nil
	}
	d.commitLock.Lock()
	last := d.order.commit
	d.commitLock.Unlock()
	if version > last {
		return fmt.Errorf("%w: there is no commit %d yet, the last one is %d",
			codec.ErrInvalidArgument, version, last)
	}
	return w.wait(ctx, version, d.running)
}

// WaitBeyond implements backend.Backend.
func (d *DB) WaitBeyond(ctx context.Context, version uint64) (uint64, error) {
	if version != math.MaxUint64 {
		version++
	}
	err := d.durable.wait(ctx, version, d.running)
	if err != nil {
		return 0, err
	}
	return d.durable.load(), nil
}
