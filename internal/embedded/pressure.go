package embedded

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
)

// pressure holds commits back while Pebble's background work is behind.
//
// Pebble would do so itself, but inside its commit pipeline: a commit would wait there, with our
// lock, for a flush that a failing disk never lets come to its end. So Pebble's own limits are set
// out of reach and these apply, before the lock, with an ear for the context and the fault.
type pressure struct {
	// look asks for a look at Pebble's state. It is set whenever a memtable of Pebble's is full.
	look atomic.Bool
	// blocked is why the last compaction failed, nil after one that succeeded. A damaged table
	// blocks compaction for good.
	blocked atomic.Pointer[error]
}

const (
	maxSublevels = 24 // of level 0, where reads get slow
	// outOfReach is what Pebble's own limits are set to.
	outOfReach    = 1 << 16
	pressurePause = time.Millisecond
)

// relieve waits until Pebble has caught up, and helps with what is queued in front of it.
func (d *DB) relieve(ctx context.Context) error {
	if err := d.handover.makeRoom(ctx); err != nil {
		return err
	}
	if !d.pressure.look.Load() {
		return nil
	}
	for {
		d.pressure.look.Store(false)
		m := d.store.Metrics()
		// By size and not by count: Pebble begins with small memtables and leaves them be until
		// together they are worth a flush.
		if m.MemTable.Size < writeBuffers*d.opts.WriteBuffer &&
			m.Levels[0].Sublevels < maxSublevels {
			return nil
		}
		d.pressure.look.Store(true)
		if why := d.pressure.blocked.Load(); why != nil && m.Levels[0].Sublevels >= maxSublevels {
			return fmt.Errorf("compaction is blocked, no more commits are accepted: %w",
				d.readFailed(*why))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.fault.failed:
			return d.fault.err()
		case <-time.After(pressurePause):
		}
		if d.closed.Load() {
			return backend.ErrClosed
		}
	}
}
