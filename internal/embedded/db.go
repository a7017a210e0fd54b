package embedded

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// DB is the embedded authority: the memtable decides commits and serves hot reads, Pebble is the
// log and the store. It implements backend.Backend and is safe for concurrent use.
//
// Lock order: commitGate, storeGate, commitLock, then the leaves (registry.mu, keeper.mu, pins,
// cursors, watermarks), of which none is held while another is taken - but keeper.mu, under which
// the sentinel is written.
type DB struct {
	opts    Options
	clock   risingClock
	fs      *storeFS
	store   *pebble.DB
	lock    io.Closer
	cache   *pebble.Cache
	table   *memtable.Table
	system  *backend.Scope
	scopes  registry
	pins    pinSet
	cursors cursorSet
	report  Report
	boot    uint64
	maxKept int // larger values are not kept in memory

	// commitLock guards the order, the memtable's writer side and the fields of scopeState that say
	// so.
	commitLock sync.Mutex
	order      order
	unsynced   int // commits since the last sync began; guarded by commitLock
	retireAt   int // scope states at which idle ones are dropped; guarded by commitLock
	forget     int // commits since the memtable last forgot its write log; guarded by commitLock

	published watermark
	durable   watermark
	flushed   atomic.Uint64 // every commit up to this version is in tables
	lastScope atomic.Uint64
	manifest  atomic.Pointer[string]

	fault  *fault
	closed atomic.Bool
	// commitGate and storeGate are held shared by commits and by reads of the store; Close takes
	// them to wait for the last one.
	commitGate, storeGate sync.RWMutex
	// logGate is held shared by whatever writes to Pebble's log or waits for it; a checkpoint takes
	// it while it copies the logs. A leaf.
	logGate sync.RWMutex
	// checkpointing has a place for one.
	checkpointing chan struct{}

	compactions *compactions // of the open store

	handover  *handover
	syncer    *syncer
	syncs     syncQueue // where commits wait for the disk
	keeper    *keeper
	sweeper   *sweeper
	graveyard *graveyard
	retained  retentions
	forks     forkSet
	pruner    *pruner
	space     *space
	pressure  pressure

	times recentTimes
	marks flushMarks
	// flattened counts the scope records that said Flattened: see retold.
	flattened atomic.Uint64
	counters  counters
}

var _ backend.Backend = (*DB)(nil)

// AllocateScope implements backend.Backend.
func (d *DB) AllocateScope(ctx context.Context) (codec.Scope, error) {
	if !d.commitGate.TryRLock() {
		return 0, backend.ErrClosed
	}
	defer d.commitGate.RUnlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := d.acceptsWrites(); err != nil {
		return 0, err
	}
	return d.allocateScope()
}

// Begin implements backend.Backend.
func (d *DB) Begin() (backend.Pin, error) {
	if d.closed.Load() {
		return nil, backend.ErrClosed
	}
	return d.pins.acquire(), nil
}

// Now implements backend.Backend.
func (d *DB) Now() int64 { return d.clock.now() }

// BootEpoch rises with every open that follows a crash.
func (d *DB) BootEpoch() uint64 { return d.boot }

// Recovery reports what Open found.
func (d *DB) Recovery() Report { return d.report }

// setFault records the first storage failure and wakes everybody who waits for a version.
func (d *DB) setFault(op string, cause error) {
	if d.fault.set(op, cause) {
		d.onFault(op, cause)
	}
}

func (d *DB) onFault(op string, cause error) {
	d.opts.Logger.Error("storage failure: the database is read-only now",
		"operation", op, "error", cause)
	d.syncs.release(d.isSettled)
	d.durable.wake()
	d.published.wake()
}

// Close implements backend.Backend. It ends what is under way, makes everything durable, moves it
// out of the log (the next open has nothing to replay), and writes the sentinel of a clean
// shutdown.
func (d *DB) Close() error {
	if !d.closed.CompareAndSwap(false, true) {
		return nil
	}
	d.sweeper.end()
	d.graveyard.end()
	d.pruner.close()
	d.commitGate.Lock() // never given back: nobody may enter again
	close(d.syncer.stop)
	<-d.syncer.done
	d.handover.quit()
	close(d.keeper.stop)
	<-d.keeper.done
	err := d.syncNow()
	d.durable.wake()
	d.published.wake()
	d.cursors.closeAll()
	d.storeGate.Lock()
	if err == nil && d.opts.Mode != None {
		err = d.flushTables()
	}
	if err == nil {
		d.commitLock.Lock()
		last := d.order.commit
		d.commitLock.Unlock()
		err = d.keeper.close(last)
	}
	return errors.Join(err, d.closeStore())
}

// flushTables moves everything out of the log into tables. Pebble tries a failing flush again for
// ever, so the fault ends the wait.
func (d *DB) flushTables() error {
	done, err := d.store.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
	case <-d.fault.failed:
	}
	return d.fault.err()
}

// closeStore gives back what Open acquired.
func (d *DB) closeStore() error {
	d.compactions.end() // also of a store that is left as it is
	// A store that is stuck is left as it is: it holds memory and descriptors, and can do nothing.
	closed := make(chan error, 1)
	go func() {
		select {
		case <-d.fault.stuck:
			closed <- d.fault.err()
		default:
			closed <- closePebble(d.store)
		}
	}()
	var err error
	select {
	case err = <-closed:
	case <-d.fault.stuck:
		err = d.fault.err()
	}
	d.cache.Unref()
	if d.lock != nil {
		err = errors.Join(err, releaseOwner(d.fs.FS, d.opts.Dir, d.lock))
	}
	return err
}
