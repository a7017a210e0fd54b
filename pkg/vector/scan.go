package vector

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/inmem-db/inmem/pkg/vector/internal/kernel"
)

// scan offers every row of slots [from, to) that is visible and allowed, four at a time.
func (s *searcher) scan(from, to uint32) {
	if s.k == 0 {
		return
	}
	g := group{s: s}
	for from < to {
		end := min((from|chunkMask)+1, to)
		c, row := s.rows.at(Slot(from))
		g.chunk(c, Slot(from&^chunkMask))
		last := row + (end - from)
		if s.o.Allowed == nil {
			for ; row < last; row++ {
				if c.visible(row, s.o.At) {
					g.add(row)
				}
			}
		} else {
			g.allowed(s.o.Allowed, row, last)
		}
		g.rest()
		from = end
	}
}

// group gathers rows of one chunk until there are enough for one call of the kernel.
type group struct {
	s     *searcher
	c     *chunk
	first Slot    // of the chunk
	most  rowMeta // the greatest norm and residual in the chunk
	least float32 // estimates below it do not matter
	level float32 // the score for which that was computed
	rows  [8]uint32
	n     int
}

func (g *group) chunk(c *chunk, first Slot) {
	g.c, g.first = c, first
	g.most = c.most()
	g.level = float32(math.NaN())
}

// allowed adds the visible rows of [row, last) that are in the set.
func (g *group) allowed(set *Bitmap, row, last uint32) {
	base := int(g.first >> 6)
	for w := row >> 6; w<<6 < last; w++ {
		word := set.word(base + int(w))
		if w == row>>6 {
			word &= ^uint64(0) << (row & 63)
		}
		for ; word != 0; word &= word - 1 {
			at := w<<6 | uint32(bits.TrailingZeros64(word))
			if at >= last {
				return
			}
			if g.c.visible(at, g.s.o.At) {
				g.add(at)
			}
		}
	}
}

func (g *group) add(row uint32) {
	g.rows[g.n] = row
	g.n++
	if g.n&3 == 0 {
		g.full()
	}
}

// full asks for the four rows that came last and compares the four before them: those that are
// allowed lie anywhere in the chunk.
func (g *group) full() {
	if g.s.o.Allowed != nil {
		g.ask(g.rows[g.n-4 : g.n])
	}
	if g.n == len(g.rows) {
		g.compareFour((*[4]uint32)(g.rows[:4]))
		copy(g.rows[:4], g.rows[4:])
		g.n = 4
	}
}

// ask asks the CPU for four rows.
func (g *group) ask(four []uint32) {
	c, dim := g.c, g.s.ix.config.Dim
	kernel.Prefetch4(unsafe.Pointer(&c.meta[four[0]]), unsafe.Pointer(&c.meta[four[1]]),
		unsafe.Pointer(&c.meta[four[2]]), unsafe.Pointer(&c.meta[four[3]]), 1)
	kernel.Prefetch4(unsafe.Pointer(&c.codes[int(four[0])*dim]),
		unsafe.Pointer(&c.codes[int(four[1])*dim]), unsafe.Pointer(&c.codes[int(four[2])*dim]),
		unsafe.Pointer(&c.codes[int(four[3])*dim]), dim)
}

// rest compares what is left of a chunk.
func (g *group) rest() {
	from := 0
	if g.n >= 4 {
		g.compareFour((*[4]uint32)(g.rows[:4]))
		from = 4
	}
	for _, row := range g.rows[from:g.n] {
		g.offer(row, DotInt8(g.s.aim.q.code, g.c.code(row, g.s.ix.config.Dim)))
	}
	g.s.info.Rows += g.n - from
	g.n = 0
}

func (g *group) compareFour(four *[4]uint32) {
	s, c, dim := g.s, g.c, g.s.ix.config.Dim
	s.info.Rows += 4
	dots := DotInt84(s.aim.q.code, c.code(four[0], dim), c.code(four[1], dim),
		c.code(four[2], dim), c.code(four[3], dim))
	for i, row := range four {
		g.offer(row, dots[i])
	}
}

// offer drops most rows by the greatest residual of the chunk, without looking at their own.
func (g *group) offer(row uint32, dot int32) {
	s := g.s
	m := &g.c.meta[row]
	e := s.aim.q.estimate(dot, m)
	if len(s.lows) == s.k {
		if s.lows[0] != g.level {
			g.level = s.lows[0]
			g.least = s.aim.q.least(g.level, &g.most)
		}
		if e < g.least {
			return
		}
	}
	s.offer(g.first+Slot(row), e, s.aim.q.bound(e, m))
}
