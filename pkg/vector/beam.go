package vector

import (
	"math"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/inmem-db/inmem/pkg/vector/internal/kernel"
)

// beam walks over the graph from nodes to their neighbours, nearest first, and keeps the ef best
// that it accepts. It is the scratch of one searcher or linker.
//
// A node and its distance are one word, so that comparing is one instruction and ties go by node:
// the distance in the upper half, as an integer of the same order.
type beam struct {
	rows   *rows
	nodes  *nodes
	graph  *graph // where a newer view of nodes is
	dim    int
	slots  uint32 // slots that this walk sees
	uppers uint32 // and upper nodes
	level  int
	aim    *aim

	// What is accepted: all rows if o is nil, else those that are visible and allowed below linked.
	o      *SearchOptions
	linked uint32

	ef       int
	limit    int  // rows to compare at most; 0 = any number
	compared int  // rows compared
	twoHop   bool // go over accepted rows only
	spares   int  // accepted rows to keep beside the best

	seen  []uint64 // bit per node
	open  []uint64 // of a two-hop walk: bit per node that is allowed and not gathered
	via   []uint32 // nodes of a two-hop walk that are not accepted, to be gone over
	near  []uint64 // min-heap: to be expanded
	best  []uint64 // max-heap
	spare []uint64 // max-heap: accepted, and beaten by the best
	batch []uint32 // gathered, to be compared

	entries []uint32 // where a level is entered
}

// entryWidth is the width of a walk on the levels above the one that is searched.
const entryWidth = 4

// nearness turns an estimate into the upper half of a key: smaller is nearer.
func nearness(estimate float32) uint64 {
	b := math.Float32bits(-estimate)
	if b>>31 != 0 {
		b = ^b
	} else {
		b |= 1 << 31
	}
	return uint64(b) << 32
}

// estimateOf is the inverse.
func estimateOf(key uint64) float32 {
	b := uint32(key >> 32)
	if b>>31 != 0 {
		b &^= 1 << 31
	} else {
		b = ^b
	}
	return -math.Float32frombits(b)
}

// start empties the beam for a walk on a level.
func (b *beam) start(level, ef int) {
	nodes := b.slots
	if level > 0 {
		nodes = b.uppers
	}
	words := int(nodes+63) / 64
	if cap(b.seen) < words {
		b.seen = make([]uint64, words+words/4)
	}
	b.seen = b.seen[:words]
	clear(b.seen)
	b.level, b.ef = level, ef
	b.via = b.via[:0]
	if b.twoHop {
		b.openAll()
	}
	b.batch = b.batch[:0]
	b.near, b.best, b.spare = b.near[:0], b.best[:0], b.spare[:0]
}

// see marks a node and tells whether it was new.
func (b *beam) see(node uint32) bool {
	bit := uint64(1) << (node & 63)
	word := &b.seen[node>>6]
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// run walks until the nearest node that is left is farther than the worst of the best, and tells
// whether it got there within the limit.
func (b *beam) run() bool {
	for len(b.near) > 0 {
		var key uint64
		key, b.near = popNear(b.near)
		if len(b.best) == b.ef && key > b.best[0] {
			break
		}
		b.expand(uint32(key))
		if b.limit > 0 && b.compared > b.limit {
			return false
		}
		b.askNext()
	}
	return true
}

// askNext asks the CPU for the links of the node that comes next.
func (b *beam) askNext() {
	if b.level == 0 && len(b.near) > 0 {
		b.askLinks(uint32(b.near[0]))
	}
}

// expand compares the new neighbours of a node.
func (b *beam) expand(node uint32) {
	list := b.nodes.links(node, b.level)
	bound := b.slots
	if b.level > 0 {
		bound = b.uppers
	}
	for i := range list {
		next := atomic.LoadUint32(&list[i])
		if next == noLink {
			break
		}
		if next >= bound || !b.see(next) {
			continue
		}
		if b.twoHop && !b.accepts(next) && b.nodes.newest(next) == noLink {
			b.via = append(b.via, next)
			continue
		}
		b.gather(next)
	}
	b.beyond()
	b.compare()
}

func (b *beam) gather(node uint32) { b.batch = append(b.batch, node) }

// compare takes what is gathered into the beam, four rows at a time. Rows lie anywhere in memory,
// so the next four are asked for while four are compared.
func (b *beam) compare() {
	n := len(b.batch)
	b.compared += n
	if n > 0 {
		b.ask(b.batch[:min(4, n)])
	}
	for from := 0; from < n; from += 4 {
		four := b.batch[from:min(from+4, n)]
		if rest := b.batch[from+len(four):]; len(rest) > 0 {
			b.ask(rest[:min(4, len(rest))])
		}
		b.compareFour(four)
	}
	b.batch = b.batch[:0]
}

// ask asks the CPU for the rows of up to four nodes.
func (b *beam) ask(some []uint32) {
	var codes, metas [4]unsafe.Pointer
	for i, node := range some {
		c, row := b.rows.at(b.nodes.slot(node, b.level))
		codes[i], metas[i] = unsafe.Pointer(&c.codes[int(row)*b.dim]), unsafe.Pointer(&c.meta[row])
	}
	for i := len(some); i < 4; i++ {
		codes[i], metas[i] = codes[0], metas[0]
	}
	kernel.Prefetch4(metas[0], metas[1], metas[2], metas[3], 1)
	kernel.Prefetch4(codes[0], codes[1], codes[2], codes[3], b.dim)
}

// compareFour compares up to four nodes.
func (b *beam) compareFour(some []uint32) {
	var codes [4][]int8
	var metas [4]*rowMeta
	for i, node := range some {
		c, row := b.rows.at(b.nodes.slot(node, b.level))
		codes[i], metas[i] = c.code(row, b.dim), &c.meta[row]
	}
	if len(some) == 1 {
		b.take(some[0], b.aim.estimate(DotInt8(b.aim.q.code, codes[0]), metas[0]))
		return
	}
	for i := len(some); i < 4; i++ {
		codes[i] = codes[0] // one call for four costs less than two for one
	}
	dots := DotInt84(b.aim.q.code, codes[0], codes[1], codes[2], codes[3])
	for i, node := range some {
		b.take(node, b.aim.estimate(dots[i], metas[i]))
	}
}

func (b *beam) take(node uint32, estimate float32) {
	key := nearness(estimate) | uint64(node)
	full := len(b.best) == b.ef
	if full && key > b.best[0] {
		if b.spares > 0 && b.accepts(node) {
			b.keepSpare(key)
		}
		return
	}
	b.near = pushNear(b.near, key)
	if b.accepts(node) {
		b.keep(key)
	}
	if b.o != nil && b.level == 0 {
		b.keepTwins(node, key)
	}
}

// keep puts an accepted node among the best if it is one of them.
func (b *beam) keep(key uint64) {
	switch {
	case len(b.best) < b.ef:
		b.best = pushBest(b.best, key)
	case key < b.best[0]:
		key, b.best[0] = b.best[0], key
		sinkBest(b.best)
		b.keepSpare(key)
	default:
		b.keepSpare(key)
	}
}

// keepSpare keeps an accepted node that is none of the best.
func (b *beam) keepSpare(key uint64) {
	switch {
	case len(b.spare) < b.spares:
		b.spare = pushBest(b.spare, key)
	case b.spares > 0 && key < b.spare[0]:
		b.spare[0] = key
		sinkBest(b.spare)
	}
}

// keepTwins keeps the accepted twins of a node, newest first, no more than there is room for.
func (b *beam) keepTwins(node uint32, key uint64) {
	kept := 0
	for twin := b.nodes.newest(node); twin != noLink && kept < b.ef; twin = b.nodes.newest(twin) {
		if b.accepts(twin) {
			b.keep(key&^noLink | uint64(twin))
			kept++
		}
		if at := int(twin >> chunkBits); at >= len(b.nodes.twins) || b.nodes.twins[at] == nil {
			// This twin is newer than the view of the graph, those before it may not be.
			b.nodes = b.graph.nodes.Load()
		}
	}
}

// accepts tells whether a node may be among the best.
func (b *beam) accepts(node uint32) bool {
	if b.o == nil {
		return true
	}
	if node >= b.linked || b.o.Allowed != nil && !b.o.Allowed.Contains(Slot(node)) {
		return false
	}
	c, row := b.rows.at(Slot(node))
	return c.visible(row, b.o.At)
}

// descend goes down from the top to a level and leaves in entries where the walk there begins: a
// few nodes rather than one, since the greatest danger of a graph is to enter it in a cluster that
// has no way out.
func (b *beam) descend(top uint64, to int) {
	level := int(top >> 32)
	b.entries = append(b.entries[:0], uint32(top)) // level 0: any slot is as good as the first
	o := b.o
	b.o = nil
	for ; level > to; level-- {
		b.walk(level, entryWidth)
		b.leave(level)
	}
	b.o = o
}

// walk goes over a level from the entries.
func (b *beam) walk(level, ef int) (within bool) {
	b.start(level, ef)
	for _, node := range b.entries {
		if b.see(node) {
			b.gather(node)
		}
	}
	b.compare()
	return b.run()
}

// leave makes the best of a level above 0, as many as enter, the entries of the level below.
func (b *beam) leave(level int) {
	b.entries = b.entries[:0]
	for _, key := range b.sortBest()[:min(len(b.best), entryWidth)] {
		node := uint32(key)
		if level == 1 {
			node = uint32(b.nodes.slot(node, 1))
		}
		b.entries = append(b.entries, node)
	}
}

// sortBest orders the best, nearest first; they are no heap any more.
func (b *beam) sortBest() []uint64 {
	slices.Sort(b.best)
	return b.best
}

func pushNear(heap []uint64, key uint64) []uint64 {
	heap = append(heap, key)
	i := len(heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if heap[up] <= key {
			break
		}
		heap[i] = heap[up]
		i = up
	}
	heap[i] = key
	return heap
}

func popNear(heap []uint64) (uint64, []uint64) {
	least := heap[0]
	n := len(heap) - 1
	key := heap[n]
	heap = heap[:n]
	i := 0
	for 2*i+1 < n {
		down := 2*i + 1
		if down+1 < n && heap[down+1] < heap[down] {
			down++
		}
		if key <= heap[down] {
			break
		}
		heap[i] = heap[down]
		i = down
	}
	if n > 0 {
		heap[i] = key
	}
	return least, heap
}

func pushBest(heap []uint64, key uint64) []uint64 {
	heap = append(heap, key)
	i := len(heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if heap[up] >= key {
			break
		}
		heap[i] = heap[up]
		i = up
	}
	heap[i] = key
	return heap
}

// sinkBest restores the heap below its top.
func sinkBest(heap []uint64) {
	n := len(heap)
	key := heap[0]
	i := 0
	for 2*i+1 < n {
		down := 2*i + 1
		if down+1 < n && heap[down+1] > heap[down] {
			down++
		}
		if key >= heap[down] {
			break
		}
		heap[i] = heap[down]
		i = down
	}
	heap[i] = key
}
