package embedded

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/pkg/codec"
)

// commitCursor walks the commit records in the order of their versions, whatever keys they share.
// It is not for several goroutines.
type commitCursor struct {
	it    *pebble.Iterator
	group codec.GroupReader
	rec   codec.CommitRecord
	err   error
}

// commitCursor opens a cursor over all commit records of a store, or of a snapshot of it.
func newCommitCursor(r pebble.Reader) (*commitCursor, error) {
	lower, upper := listBounds()
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	return &commitCursor{it: it}, nil
}

// seek moves to the first record at or above a version.
func (c *commitCursor) seek(version uint64) bool {
	for ok := c.enter(c.it.SeekGE(codec.AppendCommitKey(nil, version))); ok; ok = c.next() {
		if c.rec.Version >= version {
			return true
		}
	}
	return false
}

// newest moves to the last record at or below a version. REQUIRES: the next move is a seek.
func (c *commitCursor) newest(version uint64) bool {
	found := c.enter(c.it.SeekGE(codec.AppendCommitKey(nil, version)))
	if c.err == nil && (!found || c.rec.Version > version) {
		found = c.enter(c.it.Prev())
	}
	if !found {
		return false
	}
	for rec := c.rec; ; rec = c.rec {
		if !c.nextInGroup() || c.rec.Version > version {
			c.rec = rec
			return c.err == nil
		}
	}
}

// next moves to the record behind.
func (c *commitCursor) next() bool {
	return c.nextInGroup() || c.err == nil && c.enter(c.it.Next())
}

// enter moves to the first record under the key at the iterator, if there is one.
func (c *commitCursor) enter(ok bool) bool {
	if !ok {
		c.err = errors.Join(c.err, c.it.Error())
		return false
	}
	version, err := codec.DecodeCommitKey(c.it.Key())
	if err != nil {
		c.err = err
		return false
	}
	value, err := c.it.ValueAndErr()
	if err != nil {
		c.err = err
		return false
	}
	c.group = codec.OpenGroup(version, value)
	return c.nextInGroup()
}

// nextInGroup moves to the next record under the key at the iterator.
func (c *commitCursor) nextInGroup() bool {
	if !c.group.Next() {
		c.err = errors.Join(c.err, c.group.Err())
		return false
	}
	rec, err := codec.DecodeCommitRecord(c.group.Version(), c.group.Record())
	c.rec, c.err = rec, errors.Join(c.err, err)
	return err == nil
}

// close ends the walk: its error is the first that any move met.
func (c *commitCursor) close() error { return closeIter(c.it, c.err) }
