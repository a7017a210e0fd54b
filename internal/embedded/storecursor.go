package embedded

import (
	"bytes"
	"context"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// storeCursor walks the newest record of each key at one version in the store. Closing the database
// closes it under its user, who then gets ErrClosed; hence the lock.
type storeCursor struct {
	db        *DB
	ctx       context.Context
	primitive codec.Primitive
	scope     codec.Scope
	reverse   bool
	at        uint64
	above     uint64 // what lies at this version or below is passed over
	all       bool   // tombstones are not

	mu struct {
		sync.Mutex
		it      *pebble.Iterator // nil once closed
		started bool
		prefix  []byte // engine key prefix of the last key, with its sentinel byte
		ahead   bool   // it stands on the next key already
	}
}

func (d *DB) openStoreCursor(
	ctx context.Context, n codec.Scope, p codec.Primitive, r backend.Range, at uint64,
) (*storeCursor, error) {
	// Where a scan goes on behind a key of the greatest length, its start is one byte longer.
	lower := codec.KeyPrefix(nil, n, p)
	lower = append(append(lower, r.Start...), 0)
	if !d.storeGate.TryRLock() {
		return nil, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return nil, backend.ErrClosed
	}
	if err := d.handover.reach(min(at, d.published.load())); err != nil {
		return nil, err
	}
	it, err := d.store.NewIter(&pebble.IterOptions{
		LowerBound: lower, UpperBound: codec.AppendRangeEnd(nil, n, p, r.End),
	})
	if err != nil {
		return nil, d.readFailed(err)
	}
	c := &storeCursor{db: d, ctx: ctx, primitive: p, scope: n, reverse: r.Reverse, at: at}
	c.mu.it = it
	d.cursors.add(c)
	return c, nil
}

// next finds the next live key.
func (c *storeCursor) next() (key string, rec backend.Record, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.mu.it == nil {
			return "", rec, false, backend.ErrClosed
		}
		if err := c.ctx.Err(); err != nil {
			return "", rec, false, err
		}
		valid := false
		if c.reverse {
			valid = c.backwardLocked()
		} else {
			valid = c.forwardLocked()
		}
		if !valid {
			return "", rec, false, c.db.readFailed(c.mu.it.Error())
		}
		rec, found, err := c.newestLocked()
		if err != nil {
			return "", rec, false, c.db.readFailed(err)
		}
		if found && rec.Version > c.above && (c.all || !rec.Deleted) {
			_, _, user, _, err := codec.DecodeKey(c.mu.it.Key())
			return string(user), rec, err == nil, err
		}
	}
}

// forwardLocked moves to the first entry of the next key.
func (c *storeCursor) forwardLocked() bool {
	if !c.mu.started {
		c.mu.started = true
		return c.mu.it.First()
	}
	if c.mu.ahead {
		c.mu.ahead = false
		return c.mu.it.Valid()
	}
	return c.mu.it.NextPrefix()
}

// backwardLocked moves to an entry of the previous key: the last one before all entries of this
// key.
func (c *storeCursor) backwardLocked() bool {
	if !c.mu.started {
		c.mu.started = true
		return c.mu.it.Last()
	}
	return c.mu.it.SeekLT(c.mu.prefix)
}

// newestLocked moves to the newest entry at or below the version of the key under the iterator, and
// reads it. found is false if the key has none; the iterator then stands on the key after it.
func (c *storeCursor) newestLocked() (rec backend.Record, found bool, err error) {
	it := c.mu.it
	split := len(it.Key()) - versionSuffix(it.Key())
	c.mu.prefix = append(c.mu.prefix[:0], it.Key()[:split]...)
	_, _, _, version, err := codec.DecodeKey(it.Key())
	if err != nil {
		return rec, false, err
	}
	if version > c.at || c.reverse {
		seek := codec.AppendVersion(bytes.Clone(c.mu.prefix), c.at)
		if !it.SeekGE(seek) || len(it.Key())-versionSuffix(it.Key()) != split ||
			!bytes.HasPrefix(it.Key(), c.mu.prefix) {
			c.mu.ahead = true
			return rec, false, it.Error()
		}
	}
	rec, err = c.db.decodeEntry(it)
	return rec, true, err
}

// versionSuffix is the length of the version suffix of an engine key: its last byte.
func versionSuffix(key []byte) int { return int(key[len(key)-1]) }

func (c *storeCursor) close() {
	c.db.cursors.remove(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.it != nil {
		// The error was reported by next; a second report has nobody to go to.
		_ = c.mu.it.Close()
		c.mu.it = nil
	}
}

// cursorSet knows the open store cursors, so that Close can close them.
type cursorSet struct {
	mu   sync.Mutex
	open map[*storeCursor]struct{} // guarded by mu
}

func (s *cursorSet) add(c *storeCursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*storeCursor]struct{}{}
	}
	s.open[c] = struct{}{}
}

func (s *cursorSet) remove(c *storeCursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// closeAll closes every open cursor. REQUIRES: none can be added any more.
func (s *cursorSet) closeAll() {
	s.mu.Lock()
	open := make([]*storeCursor, 0, len(s.open))
	for c := range s.open {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.close()
	}
}
