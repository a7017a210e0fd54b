package bundle

import (
	"fmt"

	"github.com/inmem-db/inmem/pkg/codec"
)

// story follows the commits of a bundle and holds them to what the history of a run is like. Both
// ways go by it, so nothing is written that is not read.
type story struct {
	now    Commit // the one under way
	left   uint64 // changes of it to come
	last   codec.BundleChange
	time   int64 // of the last event
	totals Totals
}

func unlike(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{codec.ErrCorrupt}, args...)...)
}

// commit takes the next commit in.
func (s *story) commit(r *Run, c Commit) error {
	switch {
	case s.left > 0:
		return unlike("commit %d lacks %d changes", s.now.Number, s.left)
	case c.Number != s.totals.Commits+1:
		return unlike("commit %d after commit %d", c.Number, s.totals.Commits)
	case c.Number > r.Commits:
		return unlike("commit %d of %d", c.Number, r.Commits)
	case c.Number == 1 && c.Version != r.First || c.Number == r.Commits && c.Version != r.Last:
		return unlike("commit %d has version %d, the header tells of %d to %d", c.Number, c.Version,
			r.First, r.Last)
	case c.Changes == 0:
		return unlike("commit %d has no changes", c.Number)
	}
	s.now, s.left, s.last = c, c.Changes, codec.BundleChange{}
	s.totals.Commits++
	return nil
}

// change takes the next change in, and returns the hash of an event.
func (s *story) change(c *Change) (hash codec.EventDigest, err error) {
	if s.left == 0 {
		return hash, unlike("commit %d has more than %d changes", s.now.Number, s.now.Changes)
	}
	if c.Primitive < s.last.Primitive ||
		c.Primitive == s.last.Primitive && c.Op != codec.ChangeAppend && c.Key <= s.last.Key {
		return hash, unlike("commit %d: %s %q after %s %q", s.now.Number, c.Primitive, c.Key,
			s.last.Primitive, s.last.Key)
	}
	s.last = c.BundleChange
	s.left--
	s.totals.Changes++
	writes := c.Op == codec.ChangePut || c.Op == codec.ChangeAppend
	if writes != (c.Value != nil) {
		return hash, unlike("commit %d: %s of %s %q with or without a value", s.now.Number, c.Op,
			c.Primitive, c.Key)
	}
	if c.Op != codec.ChangeAppend {
		return hash, nil
	}
	s.time = max(s.time, s.now.Time)
	hash = codec.EventHash(s.totals.Head, s.totals.Events, s.time, c.Type,
		codec.PayloadDigest(c.Value))
	s.totals.Events++
	s.totals.Head = hash
	return hash, nil
}

// end is asked when no more is to come.
func (s *story) end(r *Run) error {
	switch {
	case s.left > 0:
		return unlike("commit %d lacks %d changes", s.now.Number, s.left)
	case s.totals.Commits != r.Commits:
		return unlike("%d commits, the header tells of %d", s.totals.Commits, r.Commits)
	case r.Commits == 0 && (r.First != 0 || r.Last != 0):
		return unlike("the header tells of versions %d to %d without commits", r.First, r.Last)
	}
	return nil
}
