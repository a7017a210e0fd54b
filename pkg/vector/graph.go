package vector

import (
	"slices"
	"sync"
	"sync/atomic"
)

// The graph is a hierarchy of nearness graphs (HNSW): every slot is a node of level 0, about one in
// M of the nodes of a level is a node of the next. Nodes of level 0 are named by their slots, those
// of the levels above by their number among the nodes that reach level 1, so that a node that does
// not pays nothing for them.
//
// Links are single words that are read and written atomically, and no reader ever waits or retries.
// That is enough: the only invariant that a reader needs is that every word of a list is either
// noLink (the end) or a node whose row is complete, and each store keeps it. A list that is read
// while it changes is a mixture of two good lists, which can cost a little recall and nothing else.
// A reader leaves out nodes that are newer than its own view of the index.

// noLink ends a list that is not full.
const noLink = 1<<32 - 1

// maxLevel is the highest level: more would be full of one node.
const maxLevel = 15

// graph holds the links. All fields but mu and link are for any reader.
type graph struct {
	m int // links on the upper levels; twice that on level 0

	// In the order in which a reader loads them: each covers what was loaded before.
	top    atomic.Uint64 // level<<32 | upper node where a walk starts; 0 before there is one
	uppers atomic.Uint32 // upper nodes published
	linked atomic.Uint32 // slots published as nodes: all below
	nodes  atomic.Pointer[nodes]

	bytes atomic.Int64
	width atomic.Uint32 // see gauge

	// mu admits one linker; it is held while one slot is linked and nothing else is locked under it.
	mu   sync.Mutex
	link linker
}

func (g *graph) init(c Config) {
	g.m = c.M
	g.nodes.Store(&nodes{m: c.M})
}

// nodes are the chunks of the graph, none of which ever moves.
type nodes struct {
	m      int
	base   [][]uint32 // level 0: 2m words per slot
	slots  [][]uint32 // slot of an upper node
	first  [][]uint32 // first block of an upper node: one per level from 1 up
	blocks [][]uint32 // m words per block
	twins  [][]uint32 // see newest; a chunk without twins is nil
}

// links returns the list of a node on a level.
func (t *nodes) links(node uint32, level int) []uint32 {
	if level == 0 {
		at := int(node&chunkMask) * 2 * t.m
		return t.base[node>>chunkBits][at : at+2*t.m : at+2*t.m]
	}
	block := t.first[node>>chunkBits][node&chunkMask] + uint32(level-1)
	at := int(block&chunkMask) * t.m
	return t.blocks[block>>chunkBits][at : at+t.m : at+t.m]
}

// slot returns the slot of a node of a level.
func (t *nodes) slot(node uint32, level int) Slot {
	if level == 0 {
		return Slot(node)
	}
	return Slot(t.slots[node>>chunkBits][node&chunkMask])
}

// setLinks replaces a list.
func setLinks(list []uint32, to []uint32) {
	for i, node := range to {
		atomic.StoreUint32(&list[i], node)
	}
	if len(to) < len(list) {
		atomic.StoreUint32(&list[len(to)], noLink)
	}
}

// addLink appends to a list and tells whether there was room. The new end is written first: what
// lies behind the old one is left from a longer list.
func addLink(list []uint32, node uint32) bool {
	n := countLinks(list)
	if n == len(list) {
		return false
	}
	if n+1 < len(list) {
		atomic.StoreUint32(&list[n+1], noLink)
	}
	atomic.StoreUint32(&list[n], node)
	return true
}

func countLinks(list []uint32) int {
	for i := range list {
		if atomic.LoadUint32(&list[i]) == noLink {
			return i
		}
	}
	return len(list)
}

// A row whose code is that of a node already is no node: many equal rows would fill each other's
// lists and cut the graph to pieces. It hangs on that node as a twin: the word of the node is its
// newest twin, the word of a twin the one before. A twin keeps its owner in its list, behind the
// end.

// newest returns the newest twin of a node, or the one before a twin.
func (t *nodes) newest(node uint32) uint32 {
	if c := t.twins[node>>chunkBits]; c != nil {
		return atomic.LoadUint32(&c[node&chunkMask])
	}
	return noLink
}

// owner returns the node that a slot is a twin of.
func (t *nodes) owner(slot uint32) (node uint32, ok bool) {
	list := t.links(slot, 0)
	node = atomic.LoadUint32(&list[1])
	return node, node != noLink && atomic.LoadUint32(&list[0]) == noLink
}

// hang makes a slot a twin of a node. Only the linker calls it.
func (g *graph) hang(slot, on uint32) {
	next := *g.nodes.Load()
	for _, node := range []uint32{slot, on} {
		if at := node >> chunkBits; next.twins[at] == nil {
			next.twins = slices.Clone(next.twins)
			next.twins[at] = emptyChunk(1)
			g.bytes.Add(4 * chunkRows)
			fresh := next
			g.nodes.Store(&fresh)
		}
	}
	atomic.StoreUint32(&next.links(slot, 0)[1], on)
	atomic.StoreUint32(&next.twins[slot>>chunkBits][slot&chunkMask], next.newest(on))
	atomic.StoreUint32(&next.twins[on>>chunkBits][on&chunkMask], slot)
}

// emptyChunk has noLink everywhere.
func emptyChunk(width int) []uint32 {
	chunk := make([]uint32, chunkRows*width)
	for i := range chunk {
		chunk[i] = noLink
	}
	return chunk
}

// grow makes room for one more slot and, if it has levels above 0, for its upper node and blocks.
// Only the linker calls it; blocks is how many there are.
func (g *graph) grow(slot Slot, level int, blocks uint32) {
	next := *g.nodes.Load()
	changed := false
	room := func(list *[][]uint32, need uint32, width int) {
		for uint32(len(*list))<<chunkBits < need {
			chunk := emptyChunk(width)
			*list = append(*list, chunk)
			g.bytes.Add(4 * int64(len(chunk)))
			changed = true
		}
	}
	room(&next.base, uint32(slot)+1, 2*g.m)
	for len(next.twins) < len(next.base) {
		next.twins = append(next.twins, nil)
	}
	if level > 0 {
		uppers := g.uppers.Load() + 1
		room(&next.slots, uppers, 1)
		room(&next.first, uppers, 1)
		room(&next.blocks, blocks+uint32(level), g.m)
	}
	if changed {
		g.nodes.Store(&next)
	}
}

// levelOf draws the level of a slot from its id and birth: an id that is updated over and over must
// not fill a high level with its dead. At least l with probability m^-l.
func levelOf(id string, born, seed uint64, m int) int {
	h := mix(hashID(id, seed) + born)
	level := 0
	for h < ^uint64(0)/uint64(m) && level < maxLevel {
		h *= uint64(m)
		level++
	}
	return level
}
