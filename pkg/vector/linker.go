package vector

import (
	"math"
	"slices"
	"sync/atomic"
)

// linker is the scratch of linking; under graph.mu.
//
// Under Dot the nearest row is not near: a long one in about the right direction wins. Rows are
// linked as if each had one more coordinate that makes them all equally long (the greatest length
// so far, reach): then the greatest inner product is the smallest distance, and the query, without
// that coordinate, still orders them as Dot does. The coordinate is computed, not stored.
type linker struct {
	beam   beam
	metric Metric
	self   aim     // the row that is being linked
	other  aim     // a row that is compared with others
	reach  float32 // greatest norm among the slots linked
	blocks uint32  // of the upper levels, used

	chosen [][]uint32 // neighbours of the row, per level
	twin   uint32     // the node with the same code; noLink if there is none
	picked []uint32
	ends   []uint32
	keys   []uint64
	four   [4]float32

	gauge   gauge
	nearest []float32
}

// aim is a row as the query of others: its code is compared as it is.
type aim struct {
	q      query
	extend float32 // the coordinate that Dot adds
	reach  float32
}

func (a *aim) at(m Metric, c *chunk, row uint32, dim int, reach float32) {
	a.q.metric, a.q.code, a.q.meta = m, c.code(row, dim), c.meta[row]
	a.extend, a.reach = 0, reach
	if m == Dot {
		a.extend = extension(reach, a.q.meta.norm)
	}
}

// estimate is that of the query, with the coordinate that Dot adds.
func (a *aim) estimate(dot int32, m *rowMeta) float32 {
	e := a.q.estimate(dot, m)
	if a.extend > 0 {
		e += float32(a.extend * extension(a.reach, m.norm))
	}
	return e
}

// extension is the coordinate that makes a row of a norm as long as reach.
func extension(reach, norm float32) float32 {
	rest := float32(reach*reach) - float32(norm*norm)
	if rest <= 0 {
		return 0
	}
	return float32(math.Sqrt(float64(rest)))
}

// begin points the scratch at a slot.
func (l *linker) begin(ix *slotIndex, r *rows, t *nodes, slot Slot, uppers uint32) {
	b := &l.beam
	b.rows, b.nodes, b.dim = r, t, ix.config.Dim
	b.slots, b.uppers = uint32(slot), uppers
	b.aim, b.o, b.compared = &l.self, nil, 0
	c, row := r.at(slot)
	l.metric = ix.config.Metric
	l.reach = max(l.reach, c.meta[row].norm)
	l.self.at(l.metric, c, row, b.dim, l.reach)
	l.chosen, l.twin = l.chosen[:0], noLink
}

// choose finds neighbours for the row on each of its levels that others reach, and writes its
// lists.
func (l *linker) choose(ef, level int, top uint64) {
	b := &l.beam
	level = min(level, int(top>>32))
	for len(l.chosen) <= level {
		if len(l.chosen) < cap(l.chosen) {
			l.chosen = l.chosen[:len(l.chosen)+1]
			continue
		}
		l.chosen = append(l.chosen, nil)
	}
	b.descend(top, level)
	for at := level; at >= 0; at-- {
		b.walk(at, ef)
		near := b.sortBest()
		if at == 0 && l.isTwin(near) {
			return
		}
		l.pick(near, b.nodes.m, at)
		l.chosen[at] = append(l.chosen[at][:0], l.picked...)
		self := b.slots
		if at > 0 {
			self = b.uppers
		}
		setLinks(b.nodes.links(self, at), l.picked)
		if at > 0 {
			b.leave(at)
		}
	}
}

// isTwin looks for a node with the same code among the nearest few.
func (l *linker) isTwin(near []uint64) bool {
	b := &l.beam
	c, row := b.rows.at(Slot(b.slots))
	for _, key := range near[:min(4, len(near))] {
		node := uint32(key)
		other, at := b.rows.at(Slot(node))
		if c.meta[row] == other.meta[at] && slices.Equal(l.self.q.code, other.code(at, b.dim)) {
			l.twin = node
			return true
		}
	}
	return false
}

// pick chooses up to most nodes of a sorted list for the links of a row: each one that is not
// nearer to one picked before than to the row. So links go into different directions, and what is
// skipped is reached over what was picked.
func (l *linker) pick(near []uint64, most, level int) {
	l.picked = l.picked[:0]
	for _, key := range near {
		if len(l.picked) == most {
			return
		}
		if !l.covered(uint32(key), estimateOf(key), level) {
			l.picked = append(l.picked, uint32(key))
		}
	}
}

// covered tells whether a node is nearer to one of those picked than an estimate says.
func (l *linker) covered(node uint32, estimate float32, level int) bool {
	if len(l.picked) == 0 {
		return false
	}
	b := &l.beam
	c, row := b.rows.at(b.nodes.slot(node, level))
	l.other.at(l.metric, c, row, b.dim, l.reach)
	for from := 0; from < len(l.picked); from += 4 {
		some := l.picked[from:min(from+4, len(l.picked))]
		for _, e := range l.compare(some, level) {
			if e > estimate {
				return true
			}
		}
	}
	return false
}

// compare estimates up to four nodes against other.
func (l *linker) compare(some []uint32, level int) []float32 {
	b := &l.beam
	var codes [4][]int8
	var metas [4]*rowMeta
	for i, node := range some {
		c, row := b.rows.at(b.nodes.slot(node, level))
		codes[i], metas[i] = c.code(row, b.dim), &c.meta[row]
	}
	q := l.other.q.code
	if len(some) == 1 {
		l.four[0] = l.other.estimate(DotInt8(q, codes[0]), metas[0])
		return l.four[:1]
	}
	for i := len(some); i < 4; i++ {
		codes[i] = codes[0]
	}
	dots := DotInt84(q, codes[0], codes[1], codes[2], codes[3])
	for i := range some {
		l.four[i] = l.other.estimate(dots[i], metas[i])
	}
	return l.four[:len(some)]
}

// linkBack adds a link from a node to a new one. A list that is full is picked anew.
func (l *linker) linkBack(from, to uint32, level int) {
	b := &l.beam
	list := b.nodes.links(from, level)
	if addLink(list, to) {
		return
	}
	c, row := b.rows.at(b.nodes.slot(from, level))
	l.other.at(l.metric, c, row, b.dim, l.reach)
	l.ends = append(l.ends[:0], to)
	for i := range list {
		l.ends = append(l.ends, atomic.LoadUint32(&list[i]))
	}
	l.keys = l.keys[:0]
	for at := 0; at < len(l.ends); at += 4 {
		some := l.ends[at:min(at+4, len(l.ends))]
		for i, e := range l.compare(some, level) {
			l.keys = append(l.keys, nearness(e)|uint64(some[i]))
		}
	}
	slices.Sort(l.keys)
	l.pick(l.keys, len(list), level)
	setLinks(list, l.picked)
}
