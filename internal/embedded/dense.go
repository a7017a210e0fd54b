package embedded

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// denseCursor walks what a scope numbers without a gap, in the order of versions: the records of
// its journal, whatever keys they share, or the keys of its events. It is not for several
// goroutines.
type denseCursor struct {
	it     *pebble.Iterator
	letter codec.Primitive // Journal or Events
	prefix []byte          // of the keys
	key    []byte

	number, version uint64 // of what is under the cursor
	part            int    // of a long journal record
	record          []byte // of the journal: valid until the cursor moves on

	group    codec.GroupReader
	numbered uint64 // number of the last record under the key at the iterator
	err      error
}

// newDenseCursor makes a cursor of an iterator, which goes over all keys of the letter.
func newDenseCursor(it *pebble.Iterator, n codec.Scope, letter codec.Primitive) *denseCursor {
	return &denseCursor{it: it, letter: letter, prefix: codec.KeyPrefix(nil, n, letter)}
}

// openDense opens a cursor on a store, or a snapshot of it.
func openDense(r pebble.Reader, n codec.Scope, letter codec.Primitive) (*denseCursor, error) {
	c := newDenseCursor(nil, n, letter)
	var err error
	c.it, err = r.NewIter(&pebble.IterOptions{
		LowerBound: append(bytes.Clone(c.prefix), 0),
		UpperBound: codec.AppendRangeEnd(nil, n, letter, ""),
	})
	return c, err
}

// seek moves to the first with this number or a greater one.
func (c *denseCursor) seek(number uint64) bool {
	c.key = append(append(c.key[:0], c.prefix...), codec.EventUserKey(number)...)
	c.key = append(c.key, 0)
	ok := c.enter(c.it.SeekGE(c.key))
	for ok && c.number < number {
		ok = c.next()
	}
	return ok
}

// last moves to the last one.
func (c *denseCursor) last() bool {
	ok := c.enter(c.it.Last())
	for ok && c.group.Left() > 0 {
		ok = c.nextInGroup()
	}
	return ok
}

// next moves to the one behind: of a long journal record that is the next part.
func (c *denseCursor) next() bool {
	return c.nextInGroup() || c.err == nil && c.enter(c.it.Next())
}

// enter moves to the first record under the key at the iterator, if there is one.
func (c *denseCursor) enter(ok bool) bool {
	c.group = codec.GroupReader{}
	if ok = ok && bytes.HasPrefix(c.it.Key(), c.prefix); !ok {
		c.fail(c.it.Error())
		return false
	}
	_, _, user, version, err := codec.DecodeKey(c.it.Key())
	if err == nil {
		c.number, c.part, err = codec.DecodeJournalUserKey(user)
	}
	if err != nil {
		c.fail(err)
		return false
	}
	c.version, c.numbered = version, c.number
	if c.letter != codec.Journal {
		return true
	}
	value, err := c.it.ValueAndErr()
	if err != nil {
		c.fail(err)
		return false
	}
	if c.part > 0 {
		c.record = value
		return true
	}
	c.group = codec.OpenGroup(version, value)
	return c.nextInGroup()
}

// nextInGroup moves to the next record under the key at the iterator.
func (c *denseCursor) nextInGroup() bool {
	if !c.group.Next() {
		c.fail(c.group.Err())
		return false
	}
	left := uint64(c.group.Left())
	if left >= c.numbered {
		c.fail(fmt.Errorf("%w: %s: %d records before number %d", codec.ErrCorrupt, c.it.Key(), left,
			c.numbered))
		return false
	}
	c.number, c.version, c.record = c.numbered-left, c.group.Version(), c.group.Record()
	return true
}

func (c *denseCursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// close ends the walk: its error is the first that any move met.
func (c *denseCursor) close() error { return closeIter(c.it, c.err) }

// extentAt is where what the cursor walks, from a number on, stood at a version: Count is the
// number of the newest one there, which for events is the sequence number.
func (c *denseCursor) extentAt(from, at uint64) (x backend.ScopeCommits) {
	if !c.seek(from) || c.version > at {
		return x
	}
	x = backend.ScopeCommits{First: c.version, Last: c.version, Count: c.number}
	if !c.last() {
		return x
	}
	high := c.number
	if c.version <= at {
		x.Last, x.Count = c.version, high
		return x
	}
	// Number x.Count lies at or below the version that is asked for, number high above it.
	for high-x.Count > 1 {
		middle := x.Count + (high-x.Count)/2
		if !c.seek(middle) {
			return x
		}
		if c.number != middle {
			c.fail(fmt.Errorf("%w: record %d under %q is missing, found %d", codec.ErrCorrupt, middle,
				c.prefix, c.number))
			return x
		}
		if c.version <= at {
			x.Last, x.Count = c.version, middle
		} else {
			high = middle
		}
	}
	return x
}
