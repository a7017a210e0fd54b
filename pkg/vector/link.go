package vector

import "context"

// Link implements Index.
func (ix *slotIndex) Link(ctx context.Context, n int) (linked int, err error) {
	g := &ix.graph
	for linked < n {
		if err := ctx.Err(); err != nil {
			return linked, err
		}
		slots := ix.n.Load()
		if !ix.wantsGraph(int(slots)) {
			break
		}
		g.mu.Lock()
		next := g.linked.Load()
		if next < slots {
			ix.linkSlot(Slot(next))
			linked++
		}
		g.mu.Unlock()
		if next >= slots {
			break
		}
	}
	return linked, nil
}

// linkSlot makes a node of the next slot. Under graph.mu.
func (ix *slotIndex) linkSlot(slot Slot) {
	g := &ix.graph
	l := &g.link
	r := ix.rows.Load()
	c, row := r.at(slot)
	level := levelOf(r.id(c.ids[row]), c.born[row], ix.config.Seed, g.m)
	g.grow(slot, level, l.blocks)
	top, uppers := g.top.Load(), g.uppers.Load()
	t := g.nodes.Load()
	if level > 0 {
		t.slots[uppers>>chunkBits][uppers&chunkMask] = uint32(slot)
		t.first[uppers>>chunkBits][uppers&chunkMask] = l.blocks
	}
	l.begin(ix, r, t, slot, uppers)
	if l.gauge.due(slot) {
		l.measure(top)
		g.setWidth()
	}
	if slot > 0 {
		l.choose(ix.config.EfConstruction, level, top)
	}
	if l.twin != noLink {
		// Nothing leads to what was written for it: the next slot takes the same places.
		g.hang(uint32(slot), l.twin)
		g.linked.Store(uint32(slot) + 1)
		return
	}
	// Its own lists stand, so it may be reached: first its number, then links to it.
	if level > 0 {
		l.blocks += uint32(level)
		g.uppers.Store(uppers + 1)
	}
	for at := range l.chosen {
		node := uint32(slot)
		if at > 0 {
			node = uppers
		}
		for _, to := range l.chosen[at] {
			l.linkBack(to, node, at)
		}
	}
	if level > int(top>>32) {
		g.top.Store(uint64(level)<<32 | uint64(uppers))
	}
	g.linked.Store(uint32(slot) + 1)
}
