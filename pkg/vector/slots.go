package vector

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// The rows of an index lie in chunks that are never moved once they are full, so that growing
// copies nothing and readers need no lock. Only the first chunk grows by copying: most collections
// never fill it.
const (
	chunkBits = 10
	chunkRows = 1 << chunkBits
	chunkMask = chunkRows - 1
	firstRows = 16 // the size that the first chunk starts with
)

// alive is the died of a row that lives.
const alive = math.MaxUint64

// rowMeta is what is known of a row besides its code.
type rowMeta struct {
	scale float32 // row = scale * code + residual
	norm  float32 // length of scale * code; 0 only for what is all zeros, or nearly
	err   float32 // length of the residual, rounded up
}

// chunk holds up to chunkRows rows. What belongs to a row is written before the row is published
// (Index.rows) and never changes, but for died and what is restored; died and held are atomic.
type chunk struct {
	codes []int8
	meta  []rowMeta
	born  []uint64
	died  []atomic.Uint64
	ids   []uint32 // places in the arena

	// vecs are the float32 rows, nil before the first is kept; of those whose bit in held is set.
	vecs atomic.Pointer[[]float32]
	held []atomic.Uint32

	// The greatest err and norm of the chunk, as float32 bits.
	maxErr, maxNorm atomic.Uint32

	// The greatest version of a birth, and how many rows have died: most searches need not look at
	// the versions of single rows, which are a cache miss each.
	youngest atomic.Uint64
	deaths   atomic.Uint32
}

func newChunk(dim, rows int) *chunk {
	return &chunk{
		codes: make([]int8, rows*dim),
		meta:  make([]rowMeta, rows),
		born:  make([]uint64, rows),
		died:  make([]atomic.Uint64, rows),
		ids:   make([]uint32, rows),
		held:  make([]atomic.Uint32, (rows+31)/32),
	}
}

// grown returns a copy with room for more rows. Only the writer calls it, so died, held and vecs
// do not change meanwhile.
func (c *chunk) grown(dim, rows int) *chunk {
	g := newChunk(dim, rows)
	copy(g.codes, c.codes)
	copy(g.meta, c.meta)
	copy(g.born, c.born)
	copy(g.ids, c.ids)
	for i := range c.died {
		g.died[i].Store(c.died[i].Load())
	}
	for i := range c.held {
		g.held[i].Store(c.held[i].Load())
	}
	if old := c.vecs.Load(); old != nil {
		vecs := make([]float32, rows*dim)
		copy(vecs, *old)
		g.vecs.Store(&vecs)
	}
	g.maxErr.Store(c.maxErr.Load())
	g.maxNorm.Store(c.maxNorm.Load())
	g.youngest.Store(c.youngest.Load())
	g.deaths.Store(c.deaths.Load())
	return g
}

// code returns the code of a row of the chunk.
func (c *chunk) code(row uint32, dim int) []int8 {
	at := int(row) * dim
	return c.codes[at : at+dim : at+dim]
}

// vector returns the float32 row as held, nil if it is not in memory.
func (c *chunk) vector(row uint32, dim int) []float32 {
	vecs := c.vecs.Load()
	if vecs == nil || c.held[row>>5].Load()>>(row&31)&1 == 0 {
		return nil
	}
	at := int(row) * dim
	return (*vecs)[at : at+dim : at+dim]
}

// keep puts a float32 row into memory. Only the writer calls it.
func (c *chunk) keep(row uint32, dim int, vec []float32) {
	vecs := c.vecs.Load()
	if vecs == nil {
		room := make([]float32, len(c.codes))
		vecs = &room
		c.vecs.Store(vecs)
	}
	copy((*vecs)[int(row)*dim:], vec)
	c.held[row>>5].Or(1 << (row & 31))
}

// most returns the greatest norm and residual of the chunk.
func (c *chunk) most() rowMeta {
	return rowMeta{norm: math.Float32frombits(c.maxNorm.Load()),
		err: math.Float32frombits(c.maxErr.Load())}
}

// setMeta writes the meta of a row and widens the bounds of the chunk.
func (c *chunk) setMeta(row uint32, m rowMeta) {
	c.meta[row] = m
	if m.err > math.Float32frombits(c.maxErr.Load()) {
		c.maxErr.Store(math.Float32bits(m.err))
	}
	if m.norm > math.Float32frombits(c.maxNorm.Load()) {
		c.maxNorm.Store(math.Float32bits(m.norm))
	}
}

// setBorn writes the version of a row that nobody sees yet.
func (c *chunk) setBorn(row uint32, version uint64) {
	c.born[row] = version
	c.died[row].Store(alive)
	if version > c.youngest.Load() {
		c.youngest.Store(version)
	}
}

// setDied writes the version of a death, and tells whether the row lived.
func (c *chunk) setDied(row uint32, version uint64) bool {
	if c.died[row].Swap(version) != alive {
		return false
	}
	c.deaths.Add(1)
	return true
}

func (c *chunk) visible(row uint32, at uint64) bool {
	return c.deaths.Load() == 0 && c.youngest.Load() <= at || c.seen(row, at)
}

// seen looks at the versions of the row itself.
func (c *chunk) seen(row uint32, at uint64) bool {
	return c.born[row] <= at && at < c.died[row].Load()
}

// bytes is the memory of the chunk.
func (c *chunk) bytes() int64 {
	n := int64(len(c.meta))*(12+8+8+4) + int64(len(c.codes)) + 4*int64(len(c.held))
	if vecs := c.vecs.Load(); vecs != nil {
		n += 4 * int64(len(*vecs))
	}
	return n
}

// rows is what a reader loads once: it covers every row that was published before.
type rows struct {
	chunks []*chunk
	arena  [][]byte
}

func (r *rows) at(s Slot) (*chunk, uint32) { return r.chunks[s>>chunkBits], uint32(s & chunkMask) }

// The ids lie in an arena of blocks, each with its length in two bytes before it. A place is the
// number of the block and the offset in it.
const (
	arenaBits  = 16
	arenaBlock = 1 << arenaBits
	firstBlock = 1 << 10
	idHead     = 2
)

// id returns the text at a place. It aliases the arena, which is never changed or moved.
func (r *rows) id(place uint32) string {
	b := r.arena[place>>arenaBits][place&(arenaBlock-1):]
	n := int(b[0]) | int(b[1])<<8
	if n == 0 {
		return ""
	}
	return unsafe.String(&b[idHead], n)
}

// addID appends an id to the arena, whose last block is used up to the given offset, and returns
// its place and the new offset. Blocks are made in full length, so that readers never see one
// change its header. The caller publishes rows when it has a new block.
func (r *rows) addID(id string, used int) (place uint32, end int) {
	need := idHead + len(id)
	last := len(r.arena) - 1
	if last < 0 || len(r.arena[last])-used < need {
		size := firstBlock
		if last >= 0 {
			size = min(2*len(r.arena[last]), arenaBlock)
		}
		r.arena = append(r.arena, make([]byte, max(size, need)))
		last, used = last+1, 0
	}
	b := r.arena[last][used : used+need]
	b[0], b[1] = byte(len(id)), byte(len(id)>>8)
	copy(b[idHead:], id)
	return uint32(last)<<arenaBits | uint32(used), used + need
}
