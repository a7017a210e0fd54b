package txn

import (
	"context"
	"strings"
	"sync"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Range selects keys; see backend.Range. Primitives name it here, for they do not know the
// authority.
type Range = backend.Range

// PrefixRange selects the keys that begin with prefix.
func PrefixRange(prefix string) Range { return backend.PrefixRange(prefix) }

// Cursor walks the existing keys of a range in key order, or against it. Use it like a
// backend.Cursor; it must be closed, and it is not safe for concurrent use.
//
// Inside a transaction it lays the transaction's own writes, as they were when the scan began,
// over the snapshot: they replace and hide what is below. Keys of the snapshot that it goes over
// join the read set, expired ones included, as long as no own write covers them.
type Cursor struct {
	ctx   context.Context
	s     Scope
	p     codec.Primitive
	r     Range
	now   int64
	below backend.Cursor // the snapshot

	// logEnd is what a transaction reads when it sees the end of the event log: see scansEvents.
	logEnd string
	own    ownScan // the transaction's writes in the range

	// What was read ahead from below, if it offers that; nil: nothing. at is the place in it that
	// is shown, most how many records are asked for the next time.
	blocks   backend.BlockCursor
	block    *backend.Block
	at, most int
	have     int // the length of the block, if no transaction has to note what it reads

	peeked, more bool // below stands on a record that was not yet shown; below has one
	started      bool
	exhausted    bool // went to the end of the range
	closed       bool
	steps        int

	key   string
	rec   *backend.Record // what is shown, if it is of the snapshot and not in the block
	entry Entry           // or of the transaction itself

	one      [1]string // what Some returns if nothing was read ahead
	oneValue [1][]byte

	err error
}

// contextEvery is how many keys a cursor walks between two looks at its context.
const contextEvery = 256

// Scan opens a cursor on the existing keys in r. Outside a transaction it reads one version, what
// is published now, from the first key to the last.
func (s Scope) Scan(ctx context.Context, p codec.Primitive, r Range) *Cursor {
	c := &Cursor{ctx: ctx, s: s.Snapshot(), p: p, r: r}
	if c.err = c.usable(); c.err != nil {
		return c
	}
	var at uint64
	if t := s.tx; t != nil {
		t.touch()
		at, c.now = t.snapshot, t.now
		if c.logEnd, c.err = t.scansEvents(ctx, s.s, p, r); c.err != nil {
			return c
		}
		c.own = t.writes.scan(s.s.Number, p, r)
		if t.options.Isolation == Serializable {
			if t.open == nil {
				t.open = map[*Cursor]struct{}{}
			}
			t.open[c] = struct{}{}
		}
	} else {
		at = c.s.view.at
		if c.now, c.err = c.s.judge(ctx); c.err != nil {
			return c
		}
	}
	c.below = s.m.b.Scan(ctx, s.s, p, r, at)
	if c.own.set == nil && c.logEnd == "" {
		c.blocks, _ = c.below.(backend.BlockCursor)
	}
	return c
}

// Scans read ahead, a little at first.
const firstBlock = 16

var blocks = sync.Pool{New: func() any { return new(backend.Block) }}

func (c *Cursor) usable() error {
	switch {
	case c.s.s == nil:
		return c.s.usable()
	case c.s.tx != nil:
		return c.s.tx.usable()
	}
	return c.s.view.usable()
}

// Next moves on and reports whether there is a key. After false it stays false.
func (c *Cursor) Next() bool {
	if c.at+1 < c.have && !c.s.view.ended.Load() { // what most calls meet
		c.at++
		c.key = c.block.Keys[c.at]
		return true
	}
	if c.err != nil || c.exhausted || c.closed {
		return false
	}
	if c.err = c.usable(); c.err != nil {
		return false
	}
	if c.steps++; c.steps%contextEvery == 0 {
		if c.err = done(c.ctx); c.err != nil {
			return false
		}
	}
	if c.r.Reverse {
		c.seeLogEnd() // it lies before the first key
	}
	if c.blocks != nil {
		if c.nextInBlock() {
			return true
		}
		if c.err != nil {
			return false
		}
	}
	if c.own.set == nil {
		return c.nextBelow()
	}
	for c.peek() {
		if c.ownNext() {
			w := c.own.peek()
			if c.more && c.below.Key() == w.Key {
				c.peeked = false // covered by the own write: neither shown nor read
			}
			c.own.skip()
			if w.Op == backend.Delete {
				continue
			}
			c.key, c.rec, c.entry = w.Key, nil, pending(w)
			c.started = true
			return true
		}
		if c.take() {
			c.started = true
			return true
		}
	}
	return false
}

// Some moves on over some keys at once and returns them with their values: one, or what was read
// ahead, but at most most, which is at least 1. The last one is then the one under the cursor. It
// returns none when Next would be false. The slices are good until the cursor is used again; what
// they hold is not touched any more. Over says, behind the first, whether the rest still counts.
func (c *Cursor) Some(most int) (keys []string, values [][]byte) {
	if !c.Next() {
		return nil, nil
	}
	if c.at >= c.have {
		c.one, c.oneValue = [1]string{c.key}, [1][]byte{c.Value()}
		return c.one[:], c.oneValue[:]
	}
	from, to := c.at, c.at+min(c.have-c.at, most)
	c.at = to - 1
	c.key = c.block.Keys[c.at]
	return c.block.Keys[from:to], c.block.Values[from:to]
}

// Over reports whether the view that the cursor reads in has ended.
func (c *Cursor) Over() bool { return c.s.tx == nil && c.s.view.ended.Load() }

// nextInBlock is Next for what can be read ahead.
func (c *Cursor) nextInBlock() bool {
	if c.at++; c.block == nil || c.at >= c.block.Len {
		if !c.readAhead() {
			return false
		}
	}
	b := c.block
	c.key, c.rec, c.started = b.Keys[c.at], nil, true
	if t := c.s.tx; t != nil {
		t.reads.add(backend.Read{Scope: c.s.s, Primitive: c.p, Key: c.key,
			Stamp: b.Versions[c.at], Hint: b.Hints[c.at]})
	}
	return true
}

// readAhead brings the next block. After a block that was not filled something else follows, and
// Next goes on from there.
func (c *Cursor) readAhead() bool {
	if c.block == nil {
		c.block, c.most = blocks.Get().(*backend.Block), firstBlock
	} else {
		c.most = min(2*c.most, backend.BlockSize)
	}
	c.at, c.have = 0, 0
	if c.err = done(c.ctx); c.err != nil {
		return false
	}
	c.blocks.NextBlock(c.block, c.most)
	if c.s.tx == nil {
		c.have = c.block.Len
	}
	return c.block.Len > 0
}

// dropBlock gives the block back.
func (c *Cursor) dropBlock() {
	if c.block != nil {
		clear(c.block.Keys[:c.most])
		clear(c.block.Values[:c.most])
		blocks.Put(c.block)
		c.block, c.have = nil, 0
	}
}

// nextBelow is Next where the transaction has written nothing in the range.
func (c *Cursor) nextBelow() bool {
	for c.below.Next() {
		if c.take() {
			c.started = true
			return true
		}
	}
	if c.err = ContextError(c.below.Err()); c.err == nil {
		c.exhausted = true
		c.seeLogEnd()
	}
	return false
}

// peek makes sure that below stands on its next record, and reports whether anything is left.
func (c *Cursor) peek() bool {
	if !c.peeked {
		c.more, c.peeked = c.below.Next(), true
		if !c.more {
			if c.err = ContextError(c.below.Err()); c.err != nil {
				return false
			}
		}
	}
	if c.exhausted = !c.more && c.own.peek() == nil; c.exhausted {
		c.seeLogEnd()
	}
	return !c.exhausted
}

// seeLogEnd notes, once, that the scan has seen where the event log ends.
func (c *Cursor) seeLogEnd() {
	if c.logEnd != "" {
		c.s.tx.reads.add(backend.Read{Scope: c.s.s, Primitive: c.p, Key: c.logEnd})
		c.logEnd = ""
	}
}

// ownNext reports whether the next key is one of the transaction's own writes.
func (c *Cursor) ownNext() bool {
	w := c.own.peek()
	if w == nil || !c.more {
		return w != nil
	}
	order := strings.Compare(w.Key, c.below.Key())
	if c.r.Reverse {
		order = -order
	}
	return order <= 0
}

// take consumes the record of the snapshot and reports whether it is to be shown.
func (c *Cursor) take() bool {
	r := c.below.Record()
	c.key, c.peeked = c.below.Key(), false
	if t := c.s.tx; t != nil {
		t.reads.add(backend.Read{
			Scope: c.s.s, Primitive: c.p, Key: c.key, Stamp: r.Stamp, Hint: r.Hint,
		})
	}
	c.rec = r
	return r.Exists() && !expired(r.Expiry, c.now)
}

// Key is the user key. REQUIRES: the last Next was true.
func (c *Cursor) Key() string { return c.key }

// Entry is what the scope shows of the key. REQUIRES: the last Next was true.
func (c *Cursor) Entry() Entry {
	switch {
	case c.rec != nil:
		return entry(c.rec, c.now)
	case c.block != nil:
		return Entry{
			Value: c.block.Values[c.at], Exists: true, Version: c.block.Versions[c.at],
		}
	}
	return c.entry
}

// Value is Entry().Value, at less cost.
func (c *Cursor) Value() []byte {
	switch {
	case c.rec != nil:
		return c.rec.Value
	case c.block != nil:
		return c.block.Values[c.at]
	}
	return c.entry.Value
}

// Err tells why Next answered false; nil means that the range is exhausted.
func (c *Cursor) Err() error { return c.err }

// Close gives resources back; it may be called twice. A Serializable transaction then knows how far
// the scan went.
func (c *Cursor) Close() {
	if c.closed {
		return
	}
	c.closed = true
	if t := c.s.tx; t != nil && !t.ended.Load() {
		t.addRange(c)
		c.own.close()
	}
	c.dropBlock()
	if c.below != nil {
		c.below.Close()
	}
}

// addRange enters what a scan has read so far into the ranges to be validated. This is the one
// place where Serializable differs from Snapshot.
func (t *Tx) addRange(c *Cursor) {
	if _, ok := t.open[c]; !ok {
		return
	}
	delete(t.open, c)
	r := c.r
	switch {
	case c.exhausted:
	case !c.started:
		return // nothing was read
	case r.Reverse:
		r.Start = c.key
	default:
		r.End = c.key + "\x00" // the smallest key after the last one shown
	}
	r.Reverse = false
	t.ranges.add(backend.RangeRead{Scope: c.s.s, Primitive: c.p, Range: r})
}
