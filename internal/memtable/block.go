package memtable

import (
	"sync/atomic"
	"unsafe"
)

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
	d, shift, low, at := a.dir.Load(), a.shift&63, a.low, c.at
	n := b.Len
	end := min(f.have, f.at+most-n)
	i := f.at
	var words []uint64 // of the segment of the entry before
	last := ^uint64(0)
	for ; i < end; i++ {
		off := f.offs[i]
		number := off >> shift
		if number != last {
			g := d.slots[number&d.mask].Load()
			if g == nil || g.number != number {
				break
			}
			words, last = g.words, number
		}
		e := unsafe.Pointer(&words[off&low])
		key := unsafe.String((*byte)(unsafe.Add(e, 8*entryKey)),
			identKeyLen(*(*uint64)(unsafe.Add(e, 8*entryIdent))))
		if bounded && i > f.at && (key < until) == c.reverse {
			b.Len, f.at = n, i
			return true
		}
		head := atomic.LoadUint64((*uint64)(e))
		var r unsafe.Pointer
		if head>>shift == number {
			r = unsafe.Add(e, 8*(head-off))
		} else {
			w := a.at(head)
			if w == nil {
				break
			}
			r = unsafe.Pointer(&w[0])
		}
		version, m := *(*uint64)(r), *(*uint64)(unsafe.Add(r, 8*recordMeta))
		if version > at || m&notPlain != 0 || m >= maxPlainMeta {
			break
		}
		size := int(m >> lenShift)
		if size > 0 {
			b.Values[n] = unsafe.Slice((*byte)(unsafe.Add(r, 8*recordTail)), size)
		} else {
			b.Values[n] = []byte{}
		}
		b.Keys[n] = key
		b.Versions[n] = version
		b.Hints[n] = off
		n++
	}
	b.Len, f.at = n, i
	return i == end
}
