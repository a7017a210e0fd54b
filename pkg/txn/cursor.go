package txn

import (
	"context"
	"sort"
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
	ctx    context.Context
	s      Scope
	p      codec.Primitive
	r      Range
	now    int64
	below  backend.Cursor // the snapshot
	latest View           // what s reads, if it is neither in a transaction nor in a view
	kept   bool           // it is used again: what it holds stays with it
	quiet  bool           // nothing ends the scan on the way, and nobody notes what it reads

	// logEnd is what a transaction reads when it sees the end of the event log: see scansEvents.
	logEnd string
	own    ownScan // the transaction's writes in the range, if there are any

	// What was read ahead from below, if it offers that (blocks). at is the place in it where the
	// cursor stands, or which below stands on; up to have, nothing of the transaction's own comes
	// between. most is how many records are asked for the next time, want the most that can be used.
	blocks     backend.BlockCursor
	block      *backend.Block
	at, have   int
	most, want int

	peeked, more bool // below stands on a record that was not yet shown; below has one
	inBlock      bool // and it is the one at its place in the block
	started      bool
	exhausted    bool // went to the end of the range
	closed       bool
	steps        int

	shown shown
	key   string          // unless what is shown lies in the block
	rec   *backend.Record // what is shown, if it is a record of the snapshot
	entry Entry           // or of the transaction itself

	one      [1]string // what Some returns if nothing was read ahead
	oneValue [1][]byte

	err error
}

// shown says where to find what the cursor shows.
type shown uint8

const (
	shownPassed shown = iota // it is being left
	shownRecord
	shownBlock
	shownOwn
)

// contextEvery is how many keys a cursor walks between two looks at its context.
const contextEvery = 256

// Scan opens a cursor on the existing keys in r. Outside a transaction it reads one version, what
// is published now, from the first key to the last.
func (s Scope) Scan(ctx context.Context, p codec.Primitive, r Range) *Cursor {
	c := &Cursor{}
	c.open(ctx, s, p, r)
	return c
}

// Scan is Scope.Scan with a cursor that is new, or was closed, and is then used again with what it
// has: a short scan takes half as long. It is for those who let nobody else get hold of the cursor.
func (c *Cursor) Scan(ctx context.Context, s Scope, p codec.Primitive, r Range) {
	c.kept, c.closed, c.err = true, false, nil
	c.open(ctx, s, p, r)
}

func (c *Cursor) open(ctx context.Context, s Scope, p codec.Primitive, r Range) {
	c.ctx, c.s, c.p, c.r = ctx, s, p, r
	c.most, c.want, c.at = firstBlock, backend.BlockSize, -1
	spare := c.below
	c.below = nil
	if c.err = c.usable(); c.err != nil {
		return
	}
	var at uint64
	switch t := s.tx; {
	case t != nil:
		t.touch()
		at, c.now = t.snapshot, t.now
		if c.logEnd, c.err = t.scansEvents(ctx, s.s, p, r); c.err != nil {
			return
		}
		c.own = t.writes.scan(s.s.Number, p, r)
		if c.own.peek() == nil {
			c.own.close()
			c.own = ownScan{}
		}
		if t.options.Isolation == Serializable {
			if t.open == nil {
				t.open = map[*Cursor]struct{}{}
			}
			t.open[c] = struct{}{}
		}
	case s.view != nil:
		at = s.view.at
		if c.now, c.err = s.judge(ctx); c.err != nil {
			return
		}
	default:
		c.quiet, c.s.view = true, &c.latest
		c.latest.begin(s.m)
		at, c.now = c.latest.at, c.latest.now
	}
	if again, ok := s.m.b.(backend.Rescanner); ok && c.kept {
		c.below = again.Rescan(ctx, spare, s.s, p, r, at)
	} else {
		c.below = s.m.b.Scan(ctx, s.s, p, r, at)
	}
	if c.logEnd == "" {
		c.blocks, _ = c.below.(backend.BlockCursor)
	}
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
	case c.s.view != nil:
		return c.s.view.usable()
	}
	return nil
}

// Next moves on and reports whether there is a key. After false it stays false.
func (c *Cursor) Next() bool {
	if c.at+1 < c.have { // what most calls meet
		if c.quiet {
			c.at++
			return true
		}
		return c.step()
	}
	c.pass()
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
	for c.peek() {
		if c.ownNext() {
			w := c.own.peek()
			if c.more && c.belowKey() == w.Key {
				c.peeked = false // covered by the own write: neither shown nor read
			}
			c.own.skip()
			if w.Op == backend.Delete {
				continue
			}
			c.shown, c.key, c.entry = shownOwn, w.Key, pending(w)
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

// step is Next within what was read ahead.
func (c *Cursor) step() bool {
	if c.err = c.usable(); c.err != nil {
		c.pass()
		c.have = 0
		return false
	}
	c.at++
	c.note()
	return true
}

// pass leaves what is shown: only its key is kept.
func (c *Cursor) pass() {
	if c.shown == shownBlock {
		c.key = c.block.Keys[c.at]
	}
	c.shown = shownPassed
}

// Some moves on like Next and returns the key under the cursor with its value, and with those that
// follow and are at hand, at most most in all, which is at least 1. Step moves on to these, one by
// one. It returns none when Next would be false. The slices are good until the cursor is used
// again, but for Step; what they hold is not touched any more.
func (c *Cursor) Some(most int) (keys []string, values [][]byte) {
	c.want = most
	if !c.Next() {
		return nil, nil
	}
	if c.shown != shownBlock {
		c.one, c.oneValue = [1]string{c.key}, [1][]byte{c.Value()}
		return c.one[:], c.oneValue[:]
	}
	to := c.at + min(c.have-c.at, most) // most may be the largest there is
	return c.block.Keys[c.at:to], c.block.Values[c.at:to]
}

// Step is Next for the keys that Some returned behind the first. After false they do not count any
// more: the transaction or the view has ended, as Next says then, too.
func (c *Cursor) Step() bool {
	if c.quiet {
		c.at++
		return true
	}
	return c.step()
}

// readAhead brings the next block. After a block that was not filled something else follows, and
// Next goes on from there.
func (c *Cursor) readAhead() bool {
	if c.block == nil {
		c.block = blocks.Get().(*backend.Block)
	}
	c.at, c.have, c.block.Len = 0, 0, 0
	if c.err = done(c.ctx); c.err != nil {
		return false
	}
	c.blocks.NextBlock(c.block, min(c.most, c.want))
	c.most = min(2*c.most, backend.BlockSize)
	return c.block.Len > 0
}

// dropBlock forgets what is in the block, and gives it back if the cursor is not used again.
func (c *Cursor) dropBlock() {
	c.have = 0
	if c.block == nil {
		return
	}
	c.block.Len = 0
	clear(c.block.Keys[:c.most]) // no block was longer
	clear(c.block.Values[:c.most])
	if !c.kept {
		blocks.Put(c.block)
		c.block = nil
	}
}

// peek makes sure that below stands on its next record, and reports whether anything is left.
func (c *Cursor) peek() bool {
	if !c.peeked {
		c.more, c.peeked = c.forward(), true
		if !c.more && c.err == nil {
			c.err = ContextError(c.below.Err())
		}
		if c.err != nil {
			return false
		}
	}
	if c.exhausted = !c.more && c.own.peek() == nil; c.exhausted {
		c.seeLogEnd()
	}
	return !c.exhausted
}

// forward moves below on, by blocks where it offers them.
func (c *Cursor) forward() bool {
	c.have, c.inBlock = 0, false
	if c.blocks != nil {
		if c.at++; c.block != nil && c.at < c.block.Len || c.readAhead() {
			c.inBlock = true
			return true
		}
		if c.err != nil {
			return false
		}
	}
	return c.below.Next()
}

// belowKey is the key of the record that below stands on.
func (c *Cursor) belowKey() string {
	if c.inBlock {
		return c.block.Keys[c.at]
	}
	return c.below.Key()
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
	return !c.before(c.belowKey(), w.Key)
}

// before reports whether a key comes before another in the direction of the scan.
func (c *Cursor) before(a, b string) bool {
	if c.r.Reverse {
		return a > b
	}
	return a < b
}

// take consumes the record of the snapshot and reports whether it is to be shown.
func (c *Cursor) take() bool {
	c.peeked = false
	if c.inBlock {
		c.shown = shownBlock
		c.have = c.block.Len
		if w := c.own.peek(); w != nil {
			rest := c.block.Keys[c.at+1 : c.have]
			c.have = c.at + 1 + sort.Search(len(rest), func(i int) bool {
				return !c.before(rest[i], w.Key)
			})
		}
		c.note()
		return true
	}
	r := c.below.Record()
	c.shown, c.key, c.rec = shownRecord, c.below.Key(), r
	if t := c.s.tx; t != nil {
		t.reads.add(backend.Read{
			Scope: c.s.s, Primitive: c.p, Key: c.key, Stamp: r.Stamp, Hint: r.Hint,
		})
	}
	return r.Exists() && !expired(r.Expiry, c.now)
}

// note enters what is shown of the block into the read set.
func (c *Cursor) note() {
	if t := c.s.tx; t != nil {
		b := c.block
		t.reads.add(backend.Read{
			Scope: c.s.s, Primitive: c.p, Key: b.Keys[c.at], Stamp: b.Versions[c.at],
			Hint: b.Hints[c.at],
		})
	}
}

// Key is the user key. REQUIRES: the last Next was true.
func (c *Cursor) Key() string {
	if c.shown == shownBlock {
		return c.block.Keys[c.at]
	}
	return c.key
}

// Entry is what the scope shows of the key. REQUIRES: the last Next was true.
func (c *Cursor) Entry() Entry {
	switch c.shown {
	case shownRecord:
		return entry(c.rec, c.now)
	case shownBlock:
		return Entry{
			Value: c.block.Values[c.at], Exists: true, Version: c.block.Versions[c.at],
		}
	}
	return c.entry
}

// Value is Entry().Value, at less cost.
func (c *Cursor) Value() []byte {
	switch c.shown {
	case shownRecord:
		return c.rec.Value
	case shownBlock:
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
	if c.shown == shownBlock {
		c.pass()
	}
	c.dropBlock()
	if c.below != nil {
		c.below.Close()
	}
	if !c.kept {
		return
	}
	if c.blocks == nil {
		c.below = nil // not one that would be used again
	}
	// For as long as nobody scans, it keeps nobody's memory, nor a transaction from being dropped.
	*c = Cursor{kept: true, closed: true, below: c.below, block: c.block, err: c.err}
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
		r.Start = c.Key()
	default:
		r.End = c.Key() + "\x00" // the smallest key after the last one shown
	}
	r.Reverse = false
	t.ranges.add(backend.RangeRead{Scope: c.s.s, Primitive: c.p, Range: r})
}
