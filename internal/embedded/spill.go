package embedded

// spillLocked brings the memtable back under its budget. Everything committed is in Pebble, so
// spilling copies nothing. If old transactions hold back what would have to go, the oldest are
// ended. REQUIRES: the commit lock.
func (d *DB) spillLocked() {
	if d.forget++; d.forget >= forgetInterval {
		d.forget = 0
		horizon := d.evictable()
		d.table.Forget(horizon)
		d.retireIdleLocked(horizon)
	}
	excess := d.table.Bytes() - d.opts.MemoryBudget
	if d.opts.evictEagerly {
		for n, freed := 1, int64(1); n > 0 || freed > 0; {
			n, freed = d.table.Evict(d.evictable(), d.table.Bytes())
		}
		return
	}
	if excess <= 0 {
		return
	}
	for {
		n, freed := d.table.Evict(d.evictable(), excess)
		d.counters.spilled.Add(uint64(n))
		if n > 0 || freed > 0 {
			return // a step per commit: the writer never stalls for the whole of it
		}
		if d.dropIdleLocked(d.evictable()) > 0 {
			return
		}
		if d.handover.handed.load() < d.order.commit {
			signal(d.handover.work) // what is queued holds it back, not a transaction
			return
		}
		ended := d.pins.endOldest()
		if ended == 0 {
			return
		}
		d.counters.tooOld.Add(uint64(ended))
		d.opts.Logger.Warn("transactions ended: they pinned more memory than the budget allows",
			"count", ended)
	}
}

// evictable is the version at or below which memory may forget: no open transaction needs it to be
// validated, and Pebble has it.
func (d *DB) evictable() uint64 {
	return min(d.pins.horizon(), d.handover.handed.load())
}

// forgetInterval is how many commits may pass before the memtable's write log is cut.
const forgetInterval = 256
