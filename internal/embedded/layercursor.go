package embedded

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// layerCursor is the scan of a fork: a merge of one cursor per layer, of which the topmost that has
// a key decides. It implements backend.Cursor.
type layerCursor struct {
	db        *DB
	ctx       context.Context
	handle    *backend.Scope
	state     *scopeState
	primitive codec.Primitive
	rng       backend.Range
	at        uint64
	all       bool // tombstones are given out, too

	layers    []layerHead // from the top; those that are exhausted are not among them
	opened    bool
	flattened uint64 // DB.flattened before the layers were opened
	given     bool   // key is the last key that was passed
	key       string
	rec       backend.Record
	err       error
	stopped   bool
}

// layerHead is one layer and the record that it stands on.
type layerHead struct {
	cursor *cursor
	own    bool // the fork's own keys in memory: what it says of an entry's place is true
	ready  bool // it stands on a record that was not passed yet
}

// scanForked is Scan for a fork.
func (d *DB) scanForked(
	ctx context.Context, s *backend.Scope, p codec.Primitive, r backend.Range, at uint64,
) *layerCursor {
	return &layerCursor{db: d, ctx: ctx, handle: s, primitive: p, rng: r, at: at}
}

func (c *layerCursor) Key() string             { return c.key }
func (c *layerCursor) Record() *backend.Record { return &c.rec }
func (c *layerCursor) Err() error              { return c.err }

func (c *layerCursor) Next() bool {
	for !c.stopped {
		err := c.open()
		if err == nil {
			err = c.look()
		}
		if err != nil {
			c.fail(err)
			continue
		}
		if !c.take() {
			if c.alive() {
				c.Close()
			}
			return false
		}
		if c.all || !c.rec.Deleted {
			return c.alive()
		}
	}
	return false
}

// open opens a cursor for each layer that may have something at the version.
func (c *layerCursor) open() error {
	if c.opened {
		return nil
	}
	c.flattened = c.db.flattened.Load()
	r := c.remaining()
	if c.given && r.Reverse && r.End == "" {
		c.opened = true
		return nil // the empty key was the last there can be
	}
	for s, at := c.handle, c.at; ; {
		st, err := c.db.readable(c.ctx, s)
		if err != nil {
			return err
		}
		if err := st.refuse(s, c.primitive, at); err != nil {
			return err
		}
		if s == c.handle {
			c.state = st
		}
		l := st.lineage.Load()
		if at > l.above() {
			c.push(s, st, r, at, l.above())
		}
		if l == nil {
			break
		}
		if l.isFloor() {
			c.pushFloor(s, st, r, min(at, l.fork)).read = at
			break
		}
		s, at = l.parent, min(at, l.fork)
	}
	c.opened = true
	return nil
}

// push opens the own keys of a scope.
func (c *layerCursor) push(
	s *backend.Scope, st *scopeState, r backend.Range, at, above uint64,
) {
	x := c.pushFloor(s, st, r, at)
	x.above = above
	if st.mem.Complete() {
		x.mem = memCursors.Get().(*memtable.Cursor)
		x.mem.ScanAll(st.mem, byte(c.primitive), r.Start, r.End, r.Reverse, at)
	}
	c.layers[len(c.layers)-1].own = s == c.handle
}

// pushFloor opens what the store has under the number of a scope.
func (c *layerCursor) pushFloor(
	s *backend.Scope, st *scopeState, r backend.Range, at uint64,
) *cursor {
	x := &cursor{
		db: c.db, ctx: c.ctx, state: st, handle: s, primitive: c.primitive, rng: r, at: at, all: true,
	}
	c.layers = append(c.layers, layerHead{cursor: x})
	return x
}

// remaining is the part of the range that was not passed.
func (c *layerCursor) remaining() backend.Range {
	r := c.rng
	switch {
	case c.given && r.Reverse:
		r.End = c.key
	case c.given:
		r.Start = c.key + "\x00"
	}
	return r
}

// look makes every layer stand on its next record.
func (c *layerCursor) look() error {
	kept := c.layers[:0]
	for i := range c.layers {
		h := c.layers[i]
		if !h.ready {
			if !h.cursor.Next() {
				if err := h.cursor.Err(); err != nil {
					return err
				}
				continue
			}
			h.ready = true
		}
		kept = append(kept, h)
	}
	c.layers = kept
	return nil
}

// take moves on to the next key. It reports false if there is none.
func (c *layerCursor) take() bool {
	top := -1
	for i := range c.layers {
		if top < 0 || c.before(c.layers[i].cursor.key, c.layers[top].cursor.key) {
			top = i
		}
	}
	if top < 0 {
		return false
	}
	h := &c.layers[top]
	c.given, c.key, c.rec = true, h.cursor.key, h.cursor.rec
	if !h.own {
		c.rec.Hint = 0 // it would lead validation to a key of another scope
	}
	for i := range c.layers {
		if c.layers[i].cursor.key == c.key {
			c.layers[i].ready = false
		}
	}
	return true
}

func (c *layerCursor) before(a, b string) bool {
	if c.rng.Reverse {
		return a > b
	}
	return a < b
}

// alive stops the walk if the fork was deleted under it, or the database closed.
func (c *layerCursor) alive() bool {
	if c.db.closed.Load() {
		return c.stop(backend.ErrClosed)
	}
	if st := c.state; st.retired.Load() || st.phase.Load() != scopeOpen {
		st, err := c.db.stillThere(c.ctx, c.handle, st)
		if err != nil {
			return c.stop(err)
		}
		c.state = st
	}
	return true
}

// fail decides what becomes of the walk when a layer could not go on. If it was dropped after the
// fork had been flattened, the layers are opened anew.
func (c *layerCursor) fail(err error) {
	if errors.Is(err, backend.ErrScopeGone) && c.flattened != c.db.flattened.Load() {
		c.drop()
		c.opened = false
		return
	}
	c.stop(err)
}

// stop ends the walk with an error; it always answers false.
func (c *layerCursor) stop(err error) bool {
	c.err = c.db.restate(c.ctx, c.handle, c.primitive, c.at, err)
	c.Close()
	return false
}

func (c *layerCursor) drop() {
	for i := range c.layers {
		c.layers[i].cursor.Close()
	}
	c.layers = nil
}

func (c *layerCursor) Close() {
	c.stopped = true
	c.drop()
}
