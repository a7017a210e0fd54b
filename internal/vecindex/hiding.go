package vecindex

import (
	"slices"
	"sort"

	"github.com/inmem-db/inmem/pkg/vector"
)

// touch is the first write or deletion of an id among own rows.
type touch struct {
	id      string
	version uint64
}

// hiding is what own rows hide of an index below them. Immutable.
type hiding struct {
	above []touches
	slots *vector.Bitmap
}

// touches are the first n touches of some contents.
type touches struct {
	content *content
	n       int
}

// mostHiding bounds how many indexes below one keeps what it hides of.
const mostHiding = 8

// hidden are the slots of contents that are hidden by the parts above them; nil if there are none.
// It is kept with the topmost part, and goes on from what was kept: a search costs what was touched
// since the last one.
func hidden(above []part, below *content) *vector.Bitmap {
	if len(above) == 0 || below.rows.Load() == nil {
		return nil
	}
	now := make([]touches, len(above))
	total := 0
	for i, p := range above {
		now[i] = touches{p.content, p.content.touchedBy(p.at)}
		total += now[i].n
	}
	if total == 0 {
		return nil
	}
	top := above[0].content
	top.mu.RLock()
	last := top.hiding[below]
	top.mu.RUnlock()
	if last != nil && slices.Equal(last.above, now) {
		return last.slots
	}
	h := hide(now, last, below)
	top.mu.Lock()
	defer top.mu.Unlock()
	if top.hiding == nil || len(top.hiding) >= mostHiding {
		top.hiding = map[*content]*hiding{}
	}
	top.hiding[below] = h
	return h.slots
}

// touchedBy is how many ids were touched at or below a version.
func (c *content) touchedBy(version uint64) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return sort.Search(len(c.touched), func(i int) bool { return c.touched[i].version > version })
}

// hide finds what touches hide, from what some of them were found to hide before.
func hide(now []touches, last *hiding, below *content) *hiding {
	h := &hiding{above: now}
	done := make([]touches, len(now))
	if last != nil && last.reaches(now) {
		h.slots, done = last.slots.Clone(), last.above
	} else {
		h.slots = vector.NewBitmap(below.rows.Load().Slots())
	}
	for i, t := range now {
		t.content.mu.RLock()
		more := t.content.touched[done[i].n:t.n] // never written to again
		t.content.mu.RUnlock()
		below.addSlots(h.slots, more)
	}
	return h
}

// reaches tells whether nothing was hidden that touches do not hide.
func (h *hiding) reaches(now []touches) bool {
	return slices.EqualFunc(h.above, now, func(a, b touches) bool {
		return a.content == b.content && a.n <= b.n
	})
}

// addSlots adds all slots of ids to a set. Those that come later are above the version at which
// the contents are searched below others.
func (c *content) addSlots(to *vector.Bitmap, ids []touch) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	rows := c.rows.Load()
	for _, t := range ids {
		if slot, ok := rows.Find(t.id); ok {
			to.Add(slot)
		}
		for _, slot := range c.dead[t.id] {
			to.Add(slot)
		}
	}
}
