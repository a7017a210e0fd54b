package vecindex

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/inmem-db/inmem/pkg/vector"
)

// The worker holds files against rows, links what was added into graphs, and makes indexes anew of
// which too much is dead.
//
// There is one goroutine per Manager, and only while there is work. It takes the processor for one
// batch at a time; if somebody has searched meanwhile it rests as long as the batch took, so that
// it costs searches at most half of one core. What it does changes no answer of a scan: rows that
// are no part of a graph yet are scanned.

const (
	// linkBatch is how many slots are linked at once: some tens of milliseconds.
	linkBatch = 64
	// leastSlots is what an index has to have before it is made anew.
	leastSlots = 1024
)

// poke starts the worker if it is not at work. REQUIRES: mu.
func (m *Manager) poke() {
	if m.closed || m.working != nil {
		return
	}
	m.working = make(chan struct{})
	go m.work(m.working)
}

// Settle returns when the worker has nothing left to do for what is in memory, or with the
// context's error. Tests and measurements wait for it; searches need not.
func (m *Manager) Settle(ctx context.Context) error {
	for {
		m.mu.Lock()
		if m.nextWork() != nil {
			m.poke()
		}
		working := m.working
		m.mu.Unlock()
		if working == nil {
			return nil
		}
		select {
		case <-working:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// work ends when there is nothing left to do, or the Manager is closed.
func (m *Manager) work(done chan struct{}) {
	defer close(done)
	for {
		m.mu.Lock()
		x := m.nextWork()
		if x == nil {
			m.working = nil // who finds work from now on starts another worker
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
		start, searches := m.b.Now(), m.clock.Load()
		if err := x.work(m.ctx); err != nil && m.ctx.Err() == nil {
			x.broken.Store(true)
		}
		if m.clock.Load() == searches {
			continue
		}
		select {
		case <-m.ctx.Done():
		case <-time.After(time.Duration(m.b.Now() - start)):
		}
	}
}

// nextWork is the index that was used last of those that have something to do. REQUIRES: mu.
func (m *Manager) nextWork() (next *index) {
	if m.closed {
		return nil
	}
	for _, x := range m.indexes {
		if x.hasWork() && (next == nil || x.used.Load() > next.used.Load()) {
			next = x
		}
	}
	return next
}

// hasWork tells whether the worker has something to do for an index.
func (x *index) hasWork() bool {
	c := x.content.Load()
	if c == nil || x.broken.Load() {
		return false
	}
	return x.unproven.Load() == c || x.heir.Load() != nil || c.tail() > 0 || c.worn() ||
		x.unsaved(5)
}

// tail is how many slots await linking.
func (c *content) tail() int {
	if rows := c.rows.Load(); rows != nil {
		return rows.Tail()
	}
	return 0
}

// worn tells whether it may be worth making the index anew: 30 % of the slots are dead, and more
// than when that was tried last.
func (c *content) worn() bool {
	rows := c.rows.Load()
	if rows == nil || rows.Slots() < leastSlots {
		return false
	}
	slots, live := rows.Slots(), rows.Live()
	return slots-live > slots*3/10 && slots > int(c.tried.Load())
}

// work does one piece of what there is to do.
func (x *index) work(ctx context.Context) error {
	c, heir := x.content.Load(), x.heir.Load()
	switch {
	case c == nil:
		return nil
	case x.unproven.Load() == c:
		return x.prove(ctx, c)
	case heir != nil && heir.tail() > 0:
		return heir.link(ctx)
	case heir != nil:
		return x.succeed(ctx)
	case c.worn():
		return x.renew(ctx)
	case c.tail() > 0:
		return c.link(ctx)
	}
	if err := x.save(ctx); err != nil && ctx.Err() == nil {
		x.unwritable.Store(true) // else Close came in between: it writes the file itself
	}
	return nil
}

func (c *content) link(ctx context.Context) error {
	rows := c.rows.Load()
	if rows == nil {
		return nil
	}
	_, err := rows.Link(ctx, linkBatch)
	c.owner.resize(c)
	return err
}

// renew makes contents without the rows that no search of late could see. They become the heir of
// the present ones, pulled up together with them, until all of their rows are linked.
func (x *index) renew(ctx context.Context) error {
	if !x.enter(ctx) {
		return ctx.Err()
	}
	defer x.leave()
	c := x.content.Load()
	if c == nil {
		return nil
	}
	rows := c.rows.Load()
	slots := rows.Slots()
	c.tried.Store(int64(slots + slots/10))
	horizon := min(c.oldest.Swap(math.MaxUint64), c.version.Load())
	gone := 0
	for slot := range vector.Slot(slots) {
		if _, died := rows.Life(slot); died <= horizon {
			gone++
		}
	}
	if gone <= slots/5 {
		return nil
	}
	fresh, moved, err := rows.Rebuild(ctx, horizon)
	if err != nil {
		return err
	}
	x.heir.Store(c.moved(fresh, moved, horizon))
	return nil
}

// moved is what contents become when their slots move and those that died at or before a version
// are gone. The caller has the gate.
func (c *content) moved(to vector.Index, moved []vector.Slot, horizon uint64) *content {
	h := newContent(c.owner, max(c.base, horizon))
	h.version.Store(c.version.Load())
	h.next = c.next
	h.rows.Store(&rowIndex{to})
	c.mu.RLock()
	defer c.mu.RUnlock()
	h.touched, h.order = slices.Clone(c.touched), maps.Clone(c.order)
	for id, slots := range c.dead {
		if kept := movedSlots(slots, moved); len(kept) > 0 {
			h.dead[id] = kept
		}
	}
	for path, col := range c.columns {
		h.columns[path] = col.moved(moved)
	}
	return h
}

func movedSlots(slots, moved []vector.Slot) (kept []vector.Slot) {
	for _, s := range slots {
		if to := moved[s]; to != vector.NoSlot {
			kept = append(kept, to)
		}
	}
	return kept
}

// moved is a column for the slots that are left.
func (c *column) moved(moved []vector.Slot) *column {
	h := newColumn(c.path)
	h.any = movedSlots(c.any, moved)
	h.bytes = slotBytes * int64(len(h.any))
	for v, list := range c.slots {
		if kept := movedSlots(list, moved); len(kept) > 0 {
			h.slots[v] = kept
			h.bytes += valueBytes + int64(v.EncodedSize()) + slotBytes*int64(len(kept))
		}
	}
	h.sort()
	return h
}

// succeed puts the heir into the place of the contents.
func (x *index) succeed(ctx context.Context) error {
	if !x.enter(ctx) {
		return ctx.Err()
	}
	defer x.leave()
	c, heir := x.content.Load(), x.heir.Load()
	x.heir.Store(nil)
	if c != nil && heir.version.Load() == c.version.Load() {
		x.content.Store(heir)
		x.resize(heir)
	}
	return nil
}
