package vector

import (
	"encoding/binary"
	"io"
	"math"
	"sync/atomic"
)

// The snapshot of an index, all numbers little endian:
//
//	magic "inmemvec", format u32
//	dim u32, metric u32, kind u32, m u32, ef construction u32, seed u64
//	version u64, slots u32, linked u32, upper nodes u32, upper blocks u32
//	rows, in chunks of 1,024: (scale, norm, err: float32 each)*, (born, died: u64 each)*,
//	     (length u16, id)*, codes
//	links of level 0: 2m u32 per linked slot; of a twin: none, and its owner behind the end
//	upper nodes: (slot u32, first block u32)*, then m u32 per block
//	gauge: slot to be measured u32, slots measured u32, found by width: bytes of its last slots
//
// Format 1 had no gauge. It is not read any more: a snapshot holds nothing that rows do not.
const (
	snapshotMagic  = "inmemvec"
	snapshotFormat = 2
)

// frozen is what a snapshot holds: taken at once, written later.
type frozen struct {
	ix      *slotIndex
	version uint64
	slots   uint32
	linked  uint32
	uppers  uint32
	nodes   *nodes
	rows    *rows
	gauge   gauge
}

// Snapshot implements Index.
func (ix *slotIndex) Snapshot(version uint64) io.WriterTo {
	f := &frozen{ix: ix, version: version}
	ix.graph.mu.Lock() // the linker rests: what was measured is that of linked
	defer ix.graph.mu.Unlock()
	f.gauge = ix.graph.link.gauge
	f.linked = ix.graph.linked.Load()
	f.uppers, f.nodes = ix.graph.uppers.Load(), ix.graph.nodes.Load()
	f.slots = ix.n.Load()
	f.rows = ix.rows.Load()
	return f
}

// WriteTo implements io.WriterTo.
func (f *frozen) WriteTo(w io.Writer) (int64, error) {
	b := newBlockWriter(w)
	f.head(b)
	for from := uint32(0); from < f.slots && b.err == nil; from += chunkRows {
		c, _ := f.rows.at(Slot(from))
		f.chunk(b, c, min(f.slots-from, chunkRows))
	}
	for slot := uint32(0); slot < f.linked && b.err == nil; slot++ {
		if owner, ok := f.nodes.owner(slot); ok {
			f.twin(b, owner)
			continue
		}
		f.list(b, f.nodes.links(slot, 0), f.linked)
	}
	for u := range f.uppers {
		b.u32(uint32(f.nodes.slot(u, 1)))
		b.u32(f.nodes.first[u>>chunkBits][u&chunkMask])
	}
	for u := range f.uppers {
		for level := 1; level <= f.level(u) && b.err == nil; level++ {
			f.list(b, f.nodes.links(u, level), f.uppers)
		}
	}
	f.gauge.write(b)
	return b.end()
}

func (f *frozen) head(b *blockWriter) {
	c := &f.ix.config
	b.bytes([]byte(snapshotMagic))
	b.u32(snapshotFormat)
	for _, x := range []int{c.Dim, int(c.Metric), int(c.Kind), c.M, c.EfConstruction} {
		b.u32(uint32(x))
	}
	b.u64(c.Seed)
	b.u64(f.version)
	b.u32(f.slots)
	b.u32(f.linked)
	b.u32(f.uppers)
	b.u32(f.blocks())
}

func (f *frozen) level(upper uint32) int {
	slot := f.nodes.slot(upper, 1)
	c, row := f.rows.at(slot)
	return levelOf(f.rows.idOf(slot), c.born[row], f.ix.config.Seed, f.nodes.m)
}

// blocks is how many blocks the upper nodes have.
func (f *frozen) blocks() uint32 {
	if f.uppers == 0 {
		return 0
	}
	last := f.uppers - 1
	return f.nodes.first[last>>chunkBits][last&chunkMask] + uint32(f.level(last))
}

func (f *frozen) chunk(b *blockWriter, c *chunk, n uint32) {
	for _, m := range c.meta[:n] {
		b.u32(math.Float32bits(m.scale))
		b.u32(math.Float32bits(m.norm))
		b.u32(math.Float32bits(m.err))
	}
	for row := range n {
		died := c.died[row].Load()
		if died > f.version {
			died = alive
		}
		b.u64(c.born[row])
		b.u64(died)
	}
	for row := range n {
		id := f.rows.id(c.ids[row])
		b.bytes([]byte{byte(len(id)), byte(len(id) >> 8)})
		b.bytes([]byte(id))
	}
	b.bytes(asBytes(c.codes[:int(n)*f.ix.config.Dim]))
}

// twin writes the list of a slot that is a twin: its end, and then its owner.
func (f *frozen) twin(b *blockWriter, owner uint32) {
	b.u32(noLink)
	b.u32(owner)
	for range 2*f.nodes.m - 2 {
		b.u32(noLink)
	}
}

// list writes a list without the nodes that are newer than the snapshot.
func (f *frozen) list(b *blockWriter, list []uint32, below uint32) {
	room := make([]byte, 0, 2*4*MaxM)
	for i := range list {
		next := atomic.LoadUint32(&list[i])
		if next == noLink {
			break
		}
		if next < below {
			room = binary.LittleEndian.AppendUint32(room, next)
		}
	}
	for len(room) < 4*len(list) {
		room = binary.LittleEndian.AppendUint32(room, noLink)
	}
	b.bytes(room)
}
