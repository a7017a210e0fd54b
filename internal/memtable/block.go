package memtable

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
	for b.Len < most && !c.done {
		if c.lo == c.hi && len(c.places) == 0 && c.fromTree.empty() && !c.ended {
			c.loadLeaf()
		}
		if c.straight() {
			if !c.putSome(b, most-b.Len) {
				break
			}
			continue
		}
		if !c.fill() || !c.putFront(b) {
			break
		}
	}
	// The mark is read after the entries: see Next.
	if !c.done && !c.s.Complete() {
		c.stop()
		b.Len = 0
	}
}

// putFront puts the candidate that comes first, if it is an ordinary record.
func (c *Cursor) putFront(b *Block) bool {
	f := c.front()
	k := &f.ahead[f.at]
	v, value, ok := c.s.t.arena.plain(k.entry, k.off, c.at)
	if ok {
		b.put(k.key, value, v, k.off)
		f.at++
	}
	return ok
}

func (b *Block) put(key string, value []byte, version, off uint64) {
	n := b.Len
	b.Keys[n], b.Values[n], b.Versions[n], b.Hints[n] = key, value, version, off
	b.Len = n + 1
}

// straight tells that all that is left comes from one source, of which nothing was looked ahead:
// from the base, or from the leaf.
func (c *Cursor) straight() bool {
	if !c.fromBase.empty() || !c.fromTree.empty() {
		return false
	}
	return (c.lo < c.hi) != (len(c.places) > 0) && (c.ended || c.lo == c.hi)
}

// putSome puts what comes next from the only source, all offsets before all entries as load does.
// It returns false if something else than an ordinary record comes next. REQUIRES: straight.
func (c *Cursor) putSome(b *Block, most int) bool {
	var serials [lookAhead]uint32
	var offs [lookAhead]uint64
	var entries [lookAhead][]uint64
	n := c.upcoming(serials[:min(most, lookAhead)])
	for i, serial := range serials[:n] {
		offs[i] = c.o.offset(serial)
	}
	a := &c.s.t.arena
	for i, off := range offs[:n] {
		entries[i] = a.at(off)
	}
	c.touched += touch(entries[:n])
	put := 0
	for put < n && entries[put] != nil {
		v, value, ok := a.plain(entries[put], offs[put], c.at)
		if !ok {
			break
		}
		b.put(keyOf(entries[put]), value, v, offs[put])
		put++
	}
	c.pass(put)
	return put == n
}

// touch reads the first line of each entry. These reads do not wait for each other; whoever reads
// the entries one by one afterwards finds them in the cache. The sum is of no use, but without it
// the reads would be left out.
func touch(entries [][]uint64) (sum uint64) {
	for _, e := range entries {
		if e != nil {
			sum += e[entryIdent]
		}
	}
	return sum
}

// upcoming copies the serials that come next from the only source.
func (c *Cursor) upcoming(serials []uint32) int {
	if len(c.places) == 0 {
		n := min(int(c.hi-c.lo), len(serials))
		for i := range n {
			serials[i] = c.lo + uint32(i)
			if c.reverse {
				serials[i] = c.hi - 1 - uint32(i)
			}
		}
		return n
	}
	n := min(len(c.places), len(serials))
	for i := range n {
		place := c.places[i]
		if c.reverse {
			place = c.places[len(c.places)-1-i]
		}
		serials[i] = c.leaf.serials[place]
	}
	return n
}

// pass goes on behind n serials of the only source.
func (c *Cursor) pass(n int) {
	switch {
	case len(c.places) == 0 && c.reverse:
		c.hi -= uint32(n)
	case len(c.places) == 0:
		c.lo += uint32(n)
	case c.reverse:
		c.places = c.places[:len(c.places)-n]
	default:
		c.places = c.places[n:]
	}
}
