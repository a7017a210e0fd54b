package embedded

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// compactions lets Pebble compact, one compaction at a time, but not before the database serves:
// what Pebble schedules while it opens it then waits for, and after a large load that took up to a
// second. One belongs to one open store. It implements pebble.CompactionScheduler, and is the
// handle of the compactions that it grants.
//
// Lock order: Pebble's own lock comes before mu. So nothing of db that takes it is called under mu.
type compactions struct {
	db pebble.DBForCompaction // set by Register, before any other call

	mu       sync.Mutex // guards the rest
	idle     *sync.Cond // granting has ended
	serving  bool
	closed   bool
	running  bool
	granting bool
}

func newCompactions() *compactions {
	c := &compactions{}
	c.idle = sync.NewCond(&c.mu)
	return c
}

// serve lets compactions begin.
func (c *compactions) serve() {
	c.mu.Lock()
	c.serving = true
	c.mu.Unlock()
	c.grant()
}

// Register implements pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) { c.db = db }

// Unregister implements pebble.CompactionScheduler: when it returns nothing of the store is called
// any more.
func (c *compactions) Unregister() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for c.granting {
		c.idle.Wait()
	}
}

// TrySchedule implements pebble.CompactionScheduler. A compaction that is refused is remembered by
// Pebble as waiting, and asked for by grant.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mayRun() {
		return false, nil
	}
	c.running = true
	return true, c
}

// mayRun REQUIRES: mu.
func (c *compactions) mayRun() bool { return c.serving && !c.closed && !c.running }

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler: it is always one.
func (c *compactions) UpdateGetAllowedWithoutPermission() {}

// Started, MeasureCPU and CumulativeStats implement pebble.CompactionGrantHandle.
func (c *compactions) Started() {}

func (c *compactions) MeasureCPU(pebble.CompactionGoroutineKind) {}

func (c *compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}

// Done implements pebble.CompactionGrantHandle. Pebble calls it without its lock.
func (c *compactions) Done() {
	c.mu.Lock()
	c.running = false
	c.mu.Unlock()
	c.grant()
}

// grant lets the compaction that waits run, if there is one and may be one. What TrySchedule
// refuses is waiting a moment later: so after a grant that Pebble does not take it looks again.
func (c *compactions) grant() {
	c.mu.Lock()
	for c.granting {
		c.idle.Wait()
	}
	c.granting = c.mayRun()
	again := c.granting
	c.mu.Unlock()
	if !again {
		return
	}
	for again {
		again = c.grantOne()
	}
	c.mu.Lock()
	c.granting = false
	c.idle.Broadcast()
	c.mu.Unlock()
}

// grantOne reports whether Pebble was offered the place and did not take it.
func (c *compactions) grantOne() bool {
	if waiting, _ := c.db.GetWaitingCompaction(); !waiting {
		return false
	}
	c.mu.Lock()
	free := c.mayRun()
	// Before Schedule returns the compaction may be done: from now on it counts as running.
	c.running = c.running || free
	c.mu.Unlock()
	if !free || c.db.Schedule(c) {
		return false
	}
	c.mu.Lock()
	c.running = false
	c.mu.Unlock()
	return true
}
