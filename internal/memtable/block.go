package memtable

import "sync/atomic"

// BlockSize is how many records a Block has room for.
const BlockSize = 64

// Block is a part of a scan: records of which there is no more to say than a version and a value,
// in the order of the cursor. Only the first Len places count.
type Block struct {
	Len      int
	Keys     [BlockSize]string
	Values   [BlockSize][]byte
	Versions [BlockSize]uint64
	Hints    [BlockSize]uint64 // Refs
}

// NextBlock moves on over the records that follow, as long as they are ordinary ones, and puts them
// into b, at most most of them. An empty block says nothing: Next goes on. It has the order and the
// promises of Next; what Next costs a key besides the misses, this costs a block. The cursor stands
// on no record afterwards.
func (c *Cursor) NextBlock(b *Block, most int) {
	b.Len = 0
	most = min(most, BlockSize)
	for b.Len < most && !c.done && c.fill() && c.putRun(b, most) {
	}
	// The mark is read after the entries: see Next.
	if !c.done && !c.s.Complete() {
		c.stop()
		b.Len = 0
		return
	}
	// What comes next is on its way while the caller looks at the block.
	if !c.done && c.fromBase.empty() && c.lo < c.hi {
		c.fillBase()
	}
	if !c.done && c.fromTree.empty() && len(c.places) > 0 {
		c.fillTree()
	}
}

// putRun puts what comes next from one source, up to where the other one has its turn. It returns
// false if something else than an ordinary record comes next. REQUIRES: fill was true.
func (c *Cursor) putRun(b *Block, most int) bool {
	f, until, bounded := c.front()
	if f == nil {
		return false
	}
	a := &c.s.t.arena
	d, shift := a.dir.Load(), a.shift&63
	n := b.Len
	end := min(f.have, f.at+most-n)
	i := f.at
	for ; i < end; i++ {
		off := f.offs[i]
		number := off >> shift
		g := d.slots[number&d.mask].Load()
		if g == nil || g.number != number {
			break
		}
		e := g.words[off&a.low:]
		key := keyOf(e)
		if bounded && i > f.at && (key < until) == c.reverse {
			b.Len, f.at = n, i
			return true
		}
		head := atomic.LoadUint64(&e[entryHead])
		var r []uint64
		if head>>shift == number {
			r = e[head-off:]
		} else if r = a.at(head); r == nil {
			break
		}
		m := r[recordMeta]
		if r[recordVersion] > c.at || m&notPlain != 0 || m >= maxPlainMeta {
			break
		}
		b.Keys[n] = key
		b.Values[n] = bytesAt(r[recordTail:], int(m>>lenShift))
		b.Versions[n] = r[recordVersion]
		b.Hints[n] = off
		n++
	}
	b.Len, f.at = n, i
	return i == end
}
