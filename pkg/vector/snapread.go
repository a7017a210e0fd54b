package vector

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/inmem-db/inmem/pkg/codec"
)

// ReadSnapshot makes an index from what Index.Snapshot wrote, and returns the version that it
// includes. It has no float32 rows: searches ask c.Fetch for those they rank, until Restore. What
// is derived from one history is the same whether it was read or built.
//
// Errors: codec.ErrCorrupt for bytes that are damaged or cut off, codec.ErrFormat for those of a
// newer version of this library, codec.ErrInvalidArgument for a Config that is none or not the one
// of the snapshot, and what r returned. It reads nothing beyond the end of the snapshot, and makes
// room only for what it has read.
func ReadSnapshot(r io.Reader, c Config) (Index, uint64, error) {
	made, err := New(c)
	if err != nil {
		return nil, 0, err
	}
	t := &thaw{ix: made.(*slotIndex)}
	t.b.r = r
	if err := t.head(); err != nil {
		return nil, 0, err
	}
	for t.ix.n.Load() < t.slots && t.b.err == nil {
		t.chunk()
	}
	t.base()
	t.upper()
	t.ix.graph.link.gauge.read(&t.b)
	t.b.end()
	if t.b.err != nil {
		return nil, 0, t.b.err
	}
	t.finish()
	return t.ix, t.version, nil
}

// thaw is a snapshot that is being read.
type thaw struct {
	ix      *slotIndex
	b       blockReader
	version uint64
	slots   uint32
	linked  uint32
	uppers  uint32
	blocks  uint32
	links   nodes
	room    []byte
}

func (t *thaw) head() error {
	var magic [len(snapshotMagic)]byte
	t.b.bytes(magic[:])
	if string(magic[:]) != snapshotMagic {
		t.b.fail("begins with %q, expected %q", magic, snapshotMagic)
	}
	if format := t.b.u32(); t.b.err == nil && format != snapshotFormat {
		return fmt.Errorf("%w: vector snapshot of format %d, this library knows %d",
			codec.ErrFormat, format, snapshotFormat)
	}
	c := &t.ix.config
	names := []string{"dimension", "metric", "kind", "m", "ef construction"}
	for i, want := range []int{c.Dim, int(c.Metric), int(c.Kind), c.M, c.EfConstruction} {
		if found := t.b.u32(); t.b.err == nil && found != uint32(want) {
			return fmt.Errorf("read vector snapshot: %w",
				invalid("%s %d, expected %d", names[i], found, want))
		}
	}
	if seed := t.b.u64(); t.b.err == nil && seed != c.Seed {
		return fmt.Errorf("read vector snapshot: %w", invalid("seed %d, expected %d", seed, c.Seed))
	}
	t.version = t.b.u64()
	t.slots, t.linked = t.b.u32(), t.b.u32()
	t.uppers, t.blocks = t.b.u32(), t.b.u32()
	if t.linked > t.slots || t.uppers > t.linked || t.blocks < t.uppers ||
		t.slots >= uint32(NoSlot-1) || uint64(t.blocks) > maxLevel*uint64(t.uppers) {
		t.b.fail("%d slots, %d linked, %d upper nodes, %d upper blocks",
			t.slots, t.linked, t.uppers, t.blocks)
	}
	return t.b.err
}

// read returns n bytes, valid until the next call.
func (t *thaw) read(n int) []byte {
	if cap(t.room) < n {
		t.room = make([]byte, n)
	}
	t.room = t.room[:n]
	t.b.bytes(t.room)
	return t.room
}

// chunk reads the next rows, into a chunk of their number if they are the first ones.
func (t *thaw) chunk() {
	ix := t.ix
	from := ix.n.Load()
	n := min(t.slots-from, chunkRows)
	meta := append([]byte(nil), t.read(int(n)*12)...)
	lives := append([]byte(nil), t.read(int(n)*16)...)
	if t.b.err != nil {
		return
	}
	r := *ix.rows.Load()
	size := uint32(chunkRows)
	for from == 0 && size/2 >= n && size > firstRows {
		size /= 2
	}
	c := newChunk(ix.config.Dim, int(size))
	for row := range n {
		t.row(c, row, meta[row*12:], lives[row*16:])
	}
	for row := range n {
		head := t.read(idHead)
		id := t.read(int(head[0]) | int(head[1])<<8)
		if t.b.err != nil || len(id) > maxID {
			t.b.fail("an id of %d bytes, at most %d", len(id), maxID)
			return
		}
		c.ids[row], ix.arena = r.addID(string(id), ix.arena)
	}
	t.b.bytes(asBytes(c.codes[:int(n)*ix.config.Dim]))
	r.chunks = append(r.chunks, c)
	ix.rows.Store(&r)
	ix.bytes.Add(c.bytes())
	ix.n.Store(from + n)
}

func (t *thaw) row(c *chunk, row uint32, meta, life []byte) {
	var m [3]float32
	for i := range m {
		m[i] = math.Float32frombits(binary.LittleEndian.Uint32(meta[4*i:]))
		if !(m[i] >= 0 && m[i] <= math.MaxFloat32) {
			t.b.fail("a scale, norm or error is %v", m[i])
		}
	}
	c.setMeta(row, rowMeta{scale: m[0], norm: m[1], err: m[2]})
	c.setBorn(row, binary.LittleEndian.Uint64(life))
	t.ix.raiseTop(c.born[row])
	t.ix.live.Add(1)
	if died := binary.LittleEndian.Uint64(life[8:]); died != alive {
		c.setDied(row, died)
		t.ix.raiseTop(died)
		t.ix.live.Add(-1)
	}
}

// words appends chunks to a part of the graph until it has n entries of a width, each of which is
// checked.
func (t *thaw) words(list *[][]uint32, n uint32, width int, check func(entry uint32, w []uint32)) {
	for from := uint32(0); from < n && t.b.err == nil; from += chunkRows {
		chunk := make([]uint32, chunkRows*width)
		here := int(min(n-from, chunkRows))
		data := t.read(4 * here * width)
		for i := range chunk {
			chunk[i] = noLink
			if i < here*width {
				chunk[i] = binary.LittleEndian.Uint32(data[4*i:])
			}
		}
		for i := 0; i < here && t.b.err == nil; i++ {
			check(from+uint32(i), chunk[i*width:(i+1)*width])
		}
		*list = append(*list, chunk)
		t.ix.graph.bytes.Add(4 * int64(len(chunk)))
	}
}

func (t *thaw) base() {
	type twin struct{ slot, owner uint32 }
	var owners []twin
	t.links.m = t.ix.graph.m
	t.words(&t.links.base, t.linked, 2*t.links.m, func(slot uint32, list []uint32) {
		if list[0] == noLink && list[1] != noLink {
			owners = append(owners, twin{slot, list[1]})
			return
		}
		for _, next := range list {
			if next != noLink && next >= t.linked {
				t.b.fail("slot %d has a link to %d of %d", slot, next, t.linked)
			}
		}
	})
	t.links.twins = make([][]uint32, len(t.links.base))
	t.ix.graph.nodes.Store(&t.links)
	for _, o := range owners {
		if t.b.err == nil && o.owner < o.slot {
			if _, isTwin := t.links.owner(o.owner); !isTwin {
				t.ix.graph.hang(o.slot, o.owner)
				continue
			}
		}
		t.b.fail("slot %d is a twin of %d", o.slot, o.owner)
	}
	t.links = *t.ix.graph.nodes.Load()
}

// upper reads the upper nodes, and checks that no link leads to a node that is not on its level.
func (t *thaw) upper() {
	before, block := int64(-1), uint32(0)
	var pairs [][]uint32
	t.words(&pairs, t.uppers, 2, func(u uint32, w []uint32) {
		if int64(w[0]) <= before || w[0] >= t.linked || w[1] != block && u == 0 ||
			u > 0 && (w[1] <= block || w[1]-block > maxLevel) {
			t.b.fail("upper node %d is slot %d with block %d", u, w[0], w[1])
		}
		before, block = int64(w[0]), w[1]
	})
	if t.uppers > 0 && (t.blocks <= block || t.blocks-block > maxLevel) {
		t.b.fail("%d upper blocks, the last node begins at %d", t.blocks, block)
	}
	if t.b.err != nil {
		return
	}
	levels := make([]uint8, t.uppers)
	levelAt := make([]uint8, t.blocks) // of each block
	first := func(u uint32) uint32 {
		if u == t.uppers {
			return t.blocks
		}
		return pairs[u>>chunkBits][2*(u&chunkMask)+1]
	}
	for u := range t.uppers {
		levels[u] = uint8(first(u+1) - first(u))
		if want := t.level(Slot(pairs[u>>chunkBits][2*(u&chunkMask)])); int(levels[u]) != want {
			t.b.fail("upper node %d has %d levels, expected %d", u, levels[u], want)
		}
		for i := range levels[u] {
			levelAt[first(u)+uint32(i)] = i + 1
		}
	}
	t.words(&t.links.blocks, t.blocks, t.links.m, func(block uint32, list []uint32) {
		for _, next := range list {
			if next != noLink && (next >= t.uppers || levels[next] < levelAt[block]) {
				t.b.fail("upper block %d has a link to %d of %d", block, next, t.uppers)
			}
		}
	})
	for _, chunk := range pairs {
		slots, firsts := make([]uint32, chunkRows), make([]uint32, chunkRows)
		for i := range chunkRows {
			slots[i], firsts[i] = chunk[2*i], chunk[2*i+1]
		}
		t.links.slots = append(t.links.slots, slots)
		t.links.first = append(t.links.first, firsts)
	}
	var top uint64
	for u, level := range levels {
		if uint64(level) > top>>32 {
			top = uint64(level)<<32 | uint64(u)
		}
	}
	t.ix.graph.top.Store(top)
}

// level is the one that the id of a slot and its birth give.
func (t *thaw) level(slot Slot) int {
	r := t.ix.rows.Load()
	c, row := r.at(slot)
	return levelOf(r.id(c.ids[row]), c.born[row], t.ix.config.Seed, t.links.m)
}

// finish publishes the graph and what the linker goes on from.
func (t *thaw) finish() {
	g := &t.ix.graph
	r := t.ix.rows.Load()
	for _, block := range r.arena {
		t.ix.bytes.Add(int64(len(block)))
	}
	for slot := range Slot(t.linked) {
		c, row := r.at(slot)
		g.link.reach = max(g.link.reach, c.meta[row].norm)
	}
	g.link.blocks = t.blocks
	g.setWidth()
	g.nodes.Store(&t.links)
	g.uppers.Store(t.uppers)
	g.linked.Store(t.linked)
}
