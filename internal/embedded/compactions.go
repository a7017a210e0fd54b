package embedded

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// compactions lets Pebble compact, one compaction at a time, and not before it is worth it:
//
//   - Not before the database serves: what Pebble schedules while it opens it then waits for, and
//     after a large load that took up to a second.
//   - While much is written, not before level 0 has come to worthDepth tables above each other. A
//     compaction of level 0 rewrites the level below it, whatever it brings: four times as much at
//     once costs little more.
//   - When little is written, whenever Pebble finds something to do: an idle database becomes as
//     small, and as fast to read, as it can be.
//   - When somebody waits for a compaction of his own (hurried), at once.
//
// One belongs to one open store. It implements pebble.CompactionScheduler, and is the handle of the
// compactions that it grants.
//
// Lock order: Pebble's own lock comes before mu. So nothing of db that takes it is called under mu.
type compactions struct {
	db    pebble.DBForCompaction // set by Register, before any other call
	store loadedStore            // set before serve; nil: every compaction is worth it

	mu       sync.Mutex // guards the rest
	idle     *sync.Cond // granting has ended
	serving  bool
	closed   bool
	running  bool
	granting bool

	hurries int         // callers of hurried
	quiet   bool        // little was written before the last look; of no use once something began
	seen    uint64      // what had been written when the timer was set
	timer   *time.Timer // looks again, while a compaction is put off; nil: none is
}

// loadedStore tells how busy the store is. Its methods take Pebble's locks.
type loadedStore interface {
	written() uint64 // bytes that were logged since the open
	depth() int      // tables above each other in level 0
}

const (
	// worthDepth is how deep level 0 becomes under load. Reads that memory cannot answer look into
	// so many tables more; writers are held back only at maxSublevels.
	worthDepth = 8
	// lookPause is how long the database is watched before it is taken for quiet, and quietBytes
	// what may be written meanwhile. More than that fills level 0 to worthDepth within minutes.
	lookPause  = 250 * time.Millisecond
	quietBytes = 256 << 10
)

func newCompactions(store loadedStore) *compactions {
	c := &compactions{store: store}
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
	c.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.granting {
		c.idle.Wait()
	}
}

// end lets no compaction begin any more. It waits for nothing: a store that is stuck need not
// answer.
func (c *compactions) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// TrySchedule implements pebble.CompactionScheduler. A compaction that is refused is remembered by
// Pebble as waiting, and asked for by grant. How deep level 0 is cannot be asked here, under
// Pebble's lock.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.mayRun():
		return false, nil
	case c.store == nil || c.hurries > 0:
		c.begin()
		return true, c
	}
	c.lookLater()
	return false, nil
}

// begin notes a compaction. REQUIRES: mu, mayRun.
func (c *compactions) begin() { c.running, c.quiet = true, false }

// lookLater has grant called after a while, when the load is known. REQUIRES: mu.
func (c *compactions) lookLater() {
	if c.timer != nil || c.closed {
		return
	}
	c.seen = c.store.written()
	c.timer = time.AfterFunc(lookPause, c.look)
}

// look is what the timer calls.
func (c *compactions) look() {
	c.mu.Lock()
	c.timer = nil
	c.quiet = c.store.written()-c.seen < quietBytes
	c.mu.Unlock()
	c.grant()
}

// hurried runs something that waits for a compaction, and puts none off meanwhile.
func (c *compactions) hurried(run func() error) error {
	c.mu.Lock()
	c.hurries++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hurries--
	}()
	c.grant() // Pebble does not ask again while it is told to wait
	return run()
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
		again = c.grantOne(c.store != nil && c.store.depth() >= worthDepth)
	}
	c.mu.Lock()
	c.granting = false
	c.idle.Broadcast()
	c.mu.Unlock()
}

// grantOne reports whether Pebble was offered the place and did not take it.
func (c *compactions) grantOne(deep bool) bool {
	if waiting, _ := c.db.GetWaitingCompaction(); !waiting {
		return false
	}
	c.mu.Lock()
	free := c.mayRun()
	if free && c.store != nil && !deep && !c.quiet && c.hurries == 0 {
		c.lookLater()
		free = false
	}
	if free {
		// Before Schedule returns the compaction may be done: from now on it counts as running.
		c.begin()
	}
	c.mu.Unlock()
	if !free || c.db.Schedule(c) {
		return false
	}
	c.mu.Lock()
	c.running = false
	c.mu.Unlock()
	return true
}

// written implements loadedStore: hand-overs, flattening and all.
func (d *DB) written() uint64 { return d.counters.bytesLogged.Load() }

// depth implements loadedStore.
func (d *DB) depth() int { return int(d.store.Metrics().Levels[0].Sublevels) }
