package embedded

import (
	"context"
	"sync"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A scan needs no merge of memtable and store: a complete scope is in the memtable as a whole, and
// everything published is in the store, or is brought there first. So a scan walks the memtable
// while the scope is complete, and goes on in the store, behind the last key it gave out, if an
// eviction ends that on the way.

// Scan implements backend.Reader.
func (d *DB) Scan(
	ctx context.Context, s *backend.Scope, p codec.Primitive, r backend.Range, at uint64,
) backend.Cursor {
	return d.scan(ctx, &cursor{}, s, p, r, at)
}

// Rescan implements backend.Rescanner.
func (d *DB) Rescan(ctx context.Context, old backend.Cursor, s *backend.Scope, p codec.Primitive,
	r backend.Range, at uint64,
) backend.Cursor {
	c, ok := old.(*cursor)
	if !ok {
		c = &cursor{kept: true}
	}
	return d.scan(ctx, c, s, p, r, at)
}

// scan is Scan with a cursor that is new, or closed and kept.
func (d *DB) scan(ctx context.Context, c *cursor, s *backend.Scope, p codec.Primitive,
	r backend.Range, at uint64,
) backend.Cursor {
	if d.closed.Load() {
		return &failedCursor{err: backend.ErrClosed}
	}
	st, err := d.readable(ctx, s)
	if err != nil {
		return &failedCursor{err: err}
	}
	if at == 0 {
		return &failedCursor{} // nothing exists at version 0
	}
	if err := st.refuse(s, p, at); err != nil {
		return &failedCursor{err: err}
	}
	if st.lineage.Load() != nil {
		return d.scanForked(ctx, s, p, r, at)
	}
	*c = cursor{
		db: d, ctx: ctx, state: st, handle: s, primitive: p, rng: r, at: at,
		kept: c.kept, spare: c.spare,
	}
	if st.mem.Complete() {
		if c.mem = c.spare; c.mem == nil {
			c.mem = memCursors.Get().(*memtable.Cursor)
		}
		c.mem.Scan(st.mem, byte(p), r.Start, r.End, r.Reverse, at)
	}
	return c
}

// memCursors are closed cursors of memtables: they are large, and a scan is short.
var memCursors = sync.Pool{New: func() any { return new(memtable.Cursor) }}

// failedCursor has nothing but an error.
type failedCursor struct{ err error }

func (*failedCursor) Next() bool              { return false }
func (*failedCursor) Key() string             { return "" }
func (*failedCursor) Record() *backend.Record { return &backend.Record{} }
func (c *failedCursor) Err() error            { return c.err }
func (*failedCursor) Close()                  {}

// cursor implements backend.Cursor: first over the memtable, then over the store.
type cursor struct {
	db        *DB
	ctx       context.Context
	state     *scopeState
	handle    *backend.Scope
	primitive codec.Primitive
	rng       backend.Range
	at        uint64
	read      uint64 // of a floor: the version at which the scope is read, at or above at
	above     uint64 // the scope's own records lie above it
	all       bool   // tombstones are given out, too

	mem     *memtable.Cursor // nil once the store is walked
	kept    bool             // it is used again after Close, by Rescan
	spare   *memtable.Cursor // of one that is kept: what mem was, or is
	store   *storeCursor
	given   bool // key is the last key given out
	key     string
	rec     backend.Record
	err     error
	steps   uint8 // the context is asked whenever it comes round to 0
	stopped bool
}

func (c *cursor) Key() string             { return c.key }
func (c *cursor) Record() *backend.Record { return &c.rec }
func (c *cursor) Err() error              { return c.err }

func (c *cursor) Next() bool {
	if c.stopped {
		return false
	}
	if c.steps++; c.steps == 0 && c.ctx.Err() != nil {
		return c.stop(c.ctx.Err())
	}
	if c.mem != nil {
		if found, done := c.nextInMemory(); done {
			return found && c.alive()
		}
	}
	return c.nextInStore() && c.alive()
}

var _ backend.BlockCursor = (*cursor)(nil)

// NextBlock implements backend.BlockCursor, from memory only.
func (c *cursor) NextBlock(b *backend.Block, most int) {
	b.Len = 0
	if c.stopped || c.mem == nil || c.ctx.Err() != nil {
		return
	}
	c.mem.NextBlock((*memtable.Block)(b), most)
	if b.Len == 0 {
		return
	}
	if !c.alive() {
		b.Len = 0
		return
	}
	c.given, c.key = true, b.Keys[b.Len-1]
}

// alive stops the walk if the scope was deleted under it, or the database closed.
func (c *cursor) alive() bool {
	if !c.db.closed.Load() && !c.state.retired.Load() && c.state.phase.Load() == scopeOpen {
		return true
	}
	return c.lookAgain()
}

// lookAgain is what alive does when something has happened to the scope or to the database.
func (c *cursor) lookAgain() bool {
	if c.db.closed.Load() {
		return c.stop(backend.ErrClosed)
	}
	st, err := c.db.stillThere(c.ctx, c.handle, c.state)
	c.state = st
	return err == nil || c.stop(err)
}

// nextInMemory moves on in the memtable. done is false if the store has to go on from here.
func (c *cursor) nextInMemory() (found, done bool) {
	if !c.mem.Next() {
		if c.mem.Partial() {
			return false, c.toStore()
		}
		return c.stop(nil), true
	}
	if v, value, ok := c.mem.Plain(); ok {
		c.given, c.key = true, c.mem.Key()
		c.rec = backend.Record{Version: v, Stamp: v, Value: value, Hint: uint64(c.mem.Ref())}
		return true, true
	}
	r := c.mem.Record()
	if r.Elsewhere {
		return false, c.toStore()
	}
	c.given, c.key = true, c.mem.Key()
	c.rec = backend.Record{
		Version: r.Version, Stamp: r.Stamp, Expiry: r.Expiry, Deleted: r.Deleted, Value: r.Value,
		Hint: uint64(c.mem.Ref()),
	}
	return true, true
}

// toStore leaves the memtable for the store; it always answers false.
func (c *cursor) toStore() bool {
	c.dropMem()
	return false
}

func (c *cursor) dropMem() {
	c.mem.Close()
	if c.kept {
		c.spare = c.mem
	} else {
		memCursors.Put(c.mem)
	}
	c.mem = nil
}

// remaining is the part of the range that has not been given out.
func (c *cursor) remaining() backend.Range {
	r := c.rng
	switch {
	case c.given && r.Reverse:
		r.End = c.key
	case c.given:
		r.Start = c.key + "\x00"
	}
	return r
}

func (c *cursor) nextInStore() bool {
	if c.store == nil {
		r := c.remaining()
		if c.given && r.Reverse && r.End == "" {
			return c.stop(nil) // the empty key was the last there can be
		}
		store, err := c.db.openStoreCursor(c.ctx, c.handle.Number, c.primitive, r, c.at)
		if err != nil {
			return c.stop(err)
		}
		store.above, store.all = c.above, c.all
		c.store = store
		// From here on the walk is on what was there when it was opened.
		st, err := c.db.stillThere(c.ctx, c.handle, c.state)
		if c.state = st; err == nil {
			err = st.refuse(c.handle, c.primitive, max(c.at, c.read))
		}
		if err != nil {
			return c.stop(err)
		}
	}
	key, rec, ok, err := c.store.next()
	if !ok {
		return c.stop(err)
	}
	c.given, c.key, c.rec = true, key, rec
	return true
}

func (c *cursor) stop(err error) bool {
	if err == nil { // where it ended may be where its keys had gone
		_, err = c.db.stillThere(c.ctx, c.handle, c.state)
	}
	c.err = err
	c.Close()
	return false
}

func (c *cursor) Close() {
	c.stopped = true
	if c.mem != nil {
		c.dropMem()
	}
	if c.store != nil {
		c.store.close()
		c.store = nil
	}
	if c.kept { // for as long as nobody scans, it keeps nobody's memory
		*c = cursor{kept: true, spare: c.spare, stopped: true, err: c.err}
	}
}
