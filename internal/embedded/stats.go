package embedded

import (
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
)

// counters are the figures behind Stats.
type counters struct {
	commits, readOnly, conflicts, refused, tooOld atomic.Uint64
	bytesLogged, hits, storeReads, spilled        atomic.Uint64
	expired, syncs, pruned, prunedBytes           atomic.Uint64
	historyKeys, historyBytes                     atomic.Uint64
	syncTime, slowestSync                         atomic.Int64 // nanoseconds
}

func (c *counters) sync(took time.Duration) {
	c.syncs.Add(1)
	c.syncTime.Add(int64(took))
	for {
		old := c.slowestSync.Load()
		if int64(took) <= old || c.slowestSync.CompareAndSwap(old, int64(took)) {
			return
		}
	}
}

// Stats implements backend.Backend.
func (d *DB) Stats() backend.Stats {
	c := &d.counters
	s := backend.Stats{
		Commits: c.commits.Load(), ReadOnly: c.readOnly.Load(), Conflicts: c.conflicts.Load(),
		Refused: c.refused.Load(), TooOld: c.tooOld.Load(), BytesLogged: c.bytesLogged.Load(),
		Syncs: c.syncs.Load(), SyncTime: time.Duration(c.syncTime.Load()),
		SlowestSync:  time.Duration(c.slowestSync.Load()),
		MemtableHits: c.hits.Load(), StoreReads: c.storeReads.Load(),
		MemtableBytes: d.table.Bytes(), MemtableKeys: d.table.Keys(), Spilled: c.spilled.Load(),
		HistoryKeys: c.historyKeys.Load(), HistoryBytes: c.historyBytes.Load(),
		OpenPins: d.pins.count(), Expired: c.expired.Load(),
		Freed: d.graveyard.freed.Load(), Unfreed: int64(d.graveyard.count()),
		Pruned: c.pruned.Load(), PrunedBytes: c.prunedBytes.Load(),
	}
	if d.storeGate.TryRLock() {
		defer d.storeGate.RUnlock()
		if !d.closed.Load() {
			s.StoreBytes = int64(d.store.Metrics().DiskSpaceUsage())
		}
	}
	return s
}
