package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
)

// handover is the queue between the commits and Pebble in the modes that do not wait for the disk.
//
// Purpose: a commit has its place in the order, and readers see it, before Pebble has it. Putting a
// commit into Pebble's own memtable takes longer than everything else that a commit does; here one
// goroutine does it, for many commits at once, beside the callers.
//
// Invariants:
//
//  1. What was handed over is a prefix of the commit order: loads leave one at a time, in order.
//  2. A commit is in the queue before it is published. So every published commit is in Pebble or
//     in the queue, and push brings all of them into Pebble.
//  3. What is queued is in the memtable: nothing above the handed version is ever evicted
//     (DB.evictable). So a key that the memtable does not know has nothing in the queue.
//  4. The queue is bounded: who finds it full pushes before he commits, or waits until who is
//     pushing already has taken it (makeRoom). The next load fills while that one goes to Pebble.
//
// The loss window is that of the mode and counts from the commit: a sync pushes first. Commits that
// wait for the disk are queued too: whoever syncs for them pushes what has come together meanwhile
// (DB.syncFor). Only large commits go in directly, behind what lies before them.
//
// Lock order: commitLock, pushing, mu.
type handover struct {
	db     *DB
	handed watermark     // every commit up to it is in Pebble
	work   chan struct{} // capacity 1: there is enough for a load
	stop   chan struct{}
	done   chan struct{}
	load   int // bytes that are worth a load
	most   int // bytes that the queue holds at most, but for those who commit at the same time

	// pushing is held while a load goes into Pebble, and guards what is used for it.
	pushing sync.Mutex
	batch   pebble.Batch // never closed, so that Pebble never pools the memory of another
	repr    []byte
	sorter  valueSorter
	spare   queued

	// filled is open.bytes for a look without the lock; written under mu.
	filled atomic.Int64

	mu   sync.Mutex
	open queued        // guarded by mu
	room chan struct{} // guarded by mu: closed when open is taken; nil if nobody waits for it
}

const (
	// defaultLoad is what a load should have at least: then waking the goroutine that takes it,
	// and Pebble's work per batch, do not show. A smaller rest waits for the next sync.
	defaultLoad = 32 << 10
	// mostQueued is what the queue holds at most: under a steady load that is what a push takes, and
	// the more keys it has, the closer are neighbours.
	mostQueued = 1 << 20
	// keptBuffer is the size up to which a buffer is kept for the next load.
	keptBuffer = 2 * mostQueued
	// batchHeader is the length of a batch's header: sequence number 8, count 4.
	batchHeader = 12
)

func newHandover(d *DB) *handover {
	h := &handover{
		db: d, load: min(defaultLoad, int(d.opts.WriteBuffer/64)),
		most: min(mostQueued, int(d.opts.WriteBuffer/8)), work: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	switch {
	case d.opts.load > 0:
		h.load = d.opts.load
	case d.opts.evictEagerly:
		h.most = 0 // everything goes in directly, so that it can be evicted at once
	}
	return h
}

// run is the goroutine that takes loads.
func (h *handover) run() {
	defer close(h.done)
	for {
		select {
		case <-h.stop:
			return
		case <-h.work:
		}
		// A failure sets the fault, which everybody hears of.
		_ = h.push()
	}
}

// add queues a commit. REQUIRES: the commit lock.
func (h *handover) add(p *plan) {
	h.mu.Lock()
	q := &h.open
	before := q.bytes
	q.add(p)
	h.filled.Store(int64(q.bytes))
	enough := before < h.load && q.bytes >= h.load
	h.mu.Unlock()
	if enough {
		signal(h.work)
	}
}

// makeRoom returns when the queue was not full a moment ago.
func (h *handover) makeRoom(ctx context.Context) error {
	if h.filled.Load() < int64(h.most) {
		return nil
	}
	taken := h.full()
	if taken == nil {
		return nil
	}
	if h.pushing.TryLock() {
		defer h.pushing.Unlock()
		return h.pushLocked()
	}
	signal(h.work) // who is pushing may be past his take
	select {
	case <-taken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-h.db.fault.failed:
		return h.db.fault.err()
	}
}

// full returns nil if there is room for a commit, or else a channel that is closed when there is.
func (h *handover) full() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open.last == 0 || h.open.bytes < h.most {
		return nil
	}
	if h.room == nil {
		h.room = make(chan struct{})
	}
	return h.room
}

// reach makes sure that every commit up to a published version is in Pebble.
func (h *handover) reach(version uint64) error {
	if h.handed.load() >= version {
		return nil
	}
	err := h.push()
	if h.handed.load() >= version {
		return nil // also after a fault
	}
	return fmt.Errorf("%w: recent commits did not reach the store: %w", backend.ErrStorage, err)
}

// push hands over everything that was queued before the call. It takes the time of at most two
// full queues.
func (h *handover) push() error {
	h.pushing.Lock()
	defer h.pushing.Unlock()
	return h.pushLocked()
}

// direct hands over a commit that is not queued, behind everything that is. REQUIRES: the commit
// lock.
func (h *handover) direct(p *plan) error {
	h.pushing.Lock()
	defer h.pushing.Unlock()
	if err := h.pushLocked(); err != nil {
		return err
	}
	p.complete()
	p.handed = true
	var b pebble.Batch // never closed: Pebble may look at it after a failure, and keep a large one
	_ = b.SetRepr(p.out)
	if err := h.db.applyQuietly(&b); err != nil {
		return err
	}
	h.noteLocked(p.version)
	return nil
}

// pushLocked hands over what is queued. After a fault it goes on for the sake of readers: Pebble's
// memory still takes what its log no longer does. REQUIRES: pushing.
func (h *handover) pushLocked() error {
	if h.db.fault.isStuck() {
		return h.db.fault.err()
	}
	q := h.take()
	if q.last == 0 {
		return nil
	}
	err := h.db.applyQuietly(h.assemble(&q))
	if h.db.fault.isStuck() {
		return err // Pebble need not have taken it
	}
	if h.batch.Empty() { // it was large: Pebble keeps the memory
		h.repr = nil
	}
	h.noteLocked(q.last)
	h.keep(q)
	return err
}

// noteLocked raises what is handed over. REQUIRES: pushing.
func (h *handover) noteLocked(version uint64) {
	h.db.marks.logged.Store(version)
	h.handed.raise(version)
}

// take empties the queue.
func (h *handover) take() queued {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open.last == 0 {
		return queued{}
	}
	q := h.open
	h.open, h.spare = h.spare, queued{}
	h.filled.Store(0)
	if h.room != nil {
		close(h.room)
		h.room = nil
	}
	return q
}

// keep lets the next load but one use the buffers of this one. REQUIRES: pushing.
func (h *handover) keep(q queued) {
	if q.reset() {
		h.spare = q
	}
	if cap(h.repr) > keptBuffer {
		h.repr = nil
	}
}

// assemble makes one batch of a load. REQUIRES: pushing.
func (h *handover) assemble(q *queued) *pebble.Batch {
	var count uint32
	h.repr, count = q.appendTo(append(h.repr[:0], make([]byte, batchHeader)...), &h.sorter)
	binary.LittleEndian.PutUint32(h.repr[8:], count)
	h.batch.Reset()
	_ = h.batch.SetRepr(h.repr) // fails only without a header
	return &h.batch
}

// quit stops the goroutine.
func (h *handover) quit() {
	close(h.stop)
	<-h.done
}
