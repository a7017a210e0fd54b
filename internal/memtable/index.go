package memtable

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// bucket is one cache line of the index: a control word and seven slots.
//
//	control: 7 tag bytes (0x80 | 7 hash bits, 0 = free) | 7 referenced bits | 1 overflow bit
//	slot:    16 hash bits | 48 bits offset of the entry
//
// Of a key's hash, bits 56-63 choose the shard, 48-54 make the tag, 0-15 go into the slot, and the
// low bits choose the bucket. Readers set referenced bits, so everybody changes a published control
// word by atomic OR and AND only.
type bucket [8]uint64

const (
	bucketSlots = 7
	shardCount  = 256

	overflowBit = 1 << 63
	lowBytes    = 0x0001010101010101
	highBits    = 0x0080808080808080
)

// buckets is one generation of a shard. It is replaced as a whole and frozen then: a reader that
// still holds it may find entries that are gone, which it notices, but no key is missing in it that
// was there when it was loaded, unless the key was evicted.
type buckets struct {
	mask  uint64
	lines []bucket
}

func (b *buckets) bytes() int64 { return int64(len(b.lines)) * 64 }

type shard struct {
	cur atomic.Pointer[buckets]

	// The writer's:
	used       int // tags set
	limit      int // tags at which the shard doubles
	overflowed int // buckets with the overflow bit
}

type index struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

func (x *index) init() {
	x.seed = maphash.MakeSeed()
	none := &buckets{lines: make([]bucket, 1)} // shared: a shard grows before its first insertion
	for i := range x.shards {
		x.shards[i].cur.Store(none)
	}
}

// hash mixes the key's hash with its scope and primitive, without building a longer key.
func (x *index) hash(scope uint64, p byte, key string) uint64 {
	salt := scope*0x9E3779B97F4A7C15 + uint64(p)*0xD6E8FEB86659FD93
	hi, lo := bits.Mul64(maphash.String(x.seed, key)^salt, 0xA0761D6478BD642F)
	return hi ^ lo
}

func tagOf(h uint64) uint64 { return h>>48&0x7F | 0x80 }

// match sets bit 7 of each tag byte that equals tag. Bytes above a match may be set wrongly.
func match(control, tag uint64) uint64 {
	d := control ^ tag*lowBytes
	return (d - lowBytes) &^ d & highBits
}

// find looks an entry up: its words and offset, and the bucket and slot that lead to it. Any
// goroutine; only the writer may use the slot for more than the referenced bit.
func (t *Table) find(h, id uint64, key string) (e []uint64, off uint64, b *bucket, slot int) {
	tag, low := tagOf(h), h&0xFFFF
again:
	tb := t.index.shards[h>>56].cur.Load()
	for k, n := h, tb.mask+1; n > 0; k, n = k+1, n-1 {
		b := &tb.lines[k&tb.mask]
		c := atomic.LoadUint64(&b[0])
		for m := match(c, tag); m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m) / 8
			s := atomic.LoadUint64(&b[1+i])
			if s>>offsetBits != low {
				continue
			}
			off = s & offsetMask
			e = t.arena.at(off)
			if e == nil {
				goto again // moved or evicted, and its segment dropped, after the loads above
			}
			if e[entryIdent] == id && keyOf(e) == key {
				if c>>(56+i)&1 == 0 {
					atomic.OrUint64(&b[0], 1<<(56+i))
				}
				return e, off, b, i
			}
		}
		if c&overflowBit == 0 {
			break
		}
	}
	return nil, 0, nil, 0
}

// locate is find by offset, for entries that are to be moved or removed. It does not set the
// referenced bit.
func (t *Table) locate(h, off uint64) (*bucket, int) {
	tag := tagOf(h)
	tb := t.index.shards[h>>56].cur.Load()
	for k, n := h, tb.mask+1; n > 0; k, n = k+1, n-1 {
		b := &tb.lines[k&tb.mask]
		c := atomic.LoadUint64(&b[0])
		for m := match(c, tag); m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m) / 8
			if b[1+i]&offsetMask == off {
				return b, i
			}
		}
		if c&overflowBit == 0 {
			break
		}
	}
	return nil, 0
}

// insert adds an entry that is not in the index. Writer.
func (t *Table) insert(h, off uint64) {
	sh := &t.index.shards[h>>56]
	if sh.used >= sh.limit || sh.overflowed*2 > len(sh.cur.Load().lines) {
		t.rebuild(sh, h>>56)
	}
	tb := sh.cur.Load()
	for k := h; ; k++ {
		b := &tb.lines[k&tb.mask]
		c := atomic.LoadUint64(&b[0])
		if free := match(c, 0); free != 0 {
			i := bits.TrailingZeros64(free) / 8
			atomic.StoreUint64(&b[1+i], h&0xFFFF<<offsetBits|off)
			atomic.OrUint64(&b[0], tagOf(h)<<(8*i))
			sh.used++
			return
		}
		if c&overflowBit == 0 {
			atomic.OrUint64(&b[0], overflowBit)
			sh.overflowed++
		}
	}
}

// repoint leads a slot to an entry's new place. Writer.
func repoint(b *bucket, i int, off uint64) {
	atomic.StoreUint64(&b[1+i], b[1+i]&^offsetMask|off)
}

// remove takes an entry out of the index. Writer.
func (t *Table) remove(h uint64, b *bucket, i int) {
	atomic.AndUint64(&b[0], ^(uint64(0xFF)<<(8*i) | 1<<(56+i)))
	sh := &t.index.shards[h>>56]
	sh.used--
	if sh.used < sh.limit/8 && len(sh.cur.Load().lines) > 2 {
		t.rebuild(sh, h>>56)
	}
}

// rebuild replaces a shard by one that is 0.3 to 0.6 full and free of needless overflow bits. Cost:
// the shard, 1/256 of the table. Overflow bits pile up where keys come and go.
func (t *Table) rebuild(sh *shard, number uint64) {
	old := sh.cur.Load()
	n := 2
	for n*bucketSlots*5 < sh.used*8 {
		n *= 2
	}
	tb := &buckets{mask: uint64(n - 1), lines: make([]bucket, n)}
	overflowed := 0
	for k := range old.lines {
		b := &old.lines[k]
		c := atomic.LoadUint64(&b[0])
		for i := 0; i < bucketSlots; i++ {
			tag := c >> (8 * i) & 0xFF
			if tag == 0 {
				continue
			}
			h := number<<56 | tag&0x7F<<48 | b[1+i]>>offsetBits
			if tb.mask > 0xFFFF { // the slot's hash bits do not reach
				h = t.hashOf(t.arena.at(b[1+i] & offsetMask))
			}
			overflowed += tb.place(h, tag|c>>(56+i)&1<<8, b[1+i])
		}
	}
	if sh.limit > 0 {
		t.held.Add(-old.bytes())
	}
	t.held.Add(tb.bytes())
	sh.limit = n * bucketSlots * 13 / 16
	sh.overflowed = overflowed
	sh.cur.Store(tb)
}

// place fills a generation that is not published yet. Bit 8 of tag is the referenced bit.
func (b *buckets) place(h, tag, slot uint64) (overflowed int) {
	for k := h; ; k++ {
		l := &b.lines[k&b.mask]
		if free := match(l[0], 0); free != 0 {
			i := bits.TrailingZeros64(free) / 8
			l[1+i] = slot
			l[0] |= tag&0xFF<<(8*i) | tag>>8<<(56+i)
			return overflowed
		}
		if l[0]&overflowBit == 0 {
			l[0] |= overflowBit
			overflowed++
		}
	}
}

// hashOf computes the hash of an entry's key anew.
func (t *Table) hashOf(e []uint64) uint64 {
	id := e[entryIdent]
	return t.index.hash(identScope(id), identPrimitive(id), keyOf(e))
}
