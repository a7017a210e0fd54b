package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// loadScopes reads the graveyard and the newest record of every scope, with its horizons.
func (c *inspection) loadScopes() error {
	c.scopes[codec.SystemScope] = &inspectedScope{live: true}
	err := c.eachNewest(codec.Graveyard, func(user string, version uint64, _ []byte) {
		n, err := codec.DecodeGraveUserKey(user)
		if err != nil {
			c.note(backend.ProblemGrave, 0, codec.Graveyard, user, version, "%v", err)
			return
		}
		c.graves[n] = version
	})
	if err != nil {
		return err
	}
	err = c.eachNewest(codec.ScopeRecords, c.loadScope)
	if err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(c.scopes)) {
		if n == codec.SystemScope {
			continue
		}
		if err := c.loadHorizons(c.scopes[n]); err != nil {
			return err
		}
	}
	return nil
}

// eachNewest calls f with the newest version of every key of a primitive of the system scope.
func (c *inspection) eachNewest(
	p codec.Primitive, f func(user string, version uint64, value []byte),
) error {
	it, err := c.snap.NewIter(&pebble.IterOptions{
		LowerBound: append(codec.KeyPrefix(nil, codec.SystemScope, p), 0),
		UpperBound: codec.AppendRangeEnd(nil, codec.SystemScope, p, ""),
	})
	if err != nil {
		return c.db.readFailed(err)
	}
	for ok := it.First(); ok; ok = it.NextPrefix() {
		if err := c.ctx.Err(); err != nil {
			return closeIter(it, err)
		}
		_, _, user, version, err := codec.DecodeKey(it.Key())
		if err != nil {
			continue // the walk tells
		}
		value, err := it.ValueAndErr()
		if err != nil {
			break
		}
		f(string(user), version, value)
	}
	if err := closeIter(it, it.Error()); err != nil {
		if !c.damaged(err) {
			return c.ctx.Err()
		}
		c.blind = true
	}
	return nil
}

// loadScope takes over the newest record of a scope. One that cannot be read the walk tells of.
func (c *inspection) loadScope(user string, version uint64, value []byte) {
	env, err := codec.DecodeEnvelope(value)
	if err != nil {
		c.blind = true
		return
	}
	if env.Tombstone {
		return
	}
	rec, err := codec.DecodeScopeRecord(bytes.Clone(env.Payload))
	if err != nil {
		c.blind = true
		return
	}
	if other := c.scopes[rec.Number]; other != nil {
		c.note(backend.ProblemRecord, rec.Number, codec.ScopeRecords, user, version,
			"scope number %d is that of %q, too", uint64(rec.Number), other.key)
		return
	}
	s := &inspectedScope{number: rec.Number, key: user, record: rec, live: true}
	if rec.ReadsThrough() {
		s.above = rec.ForkVersion
	}
	c.scopes[rec.Number] = s
}

// loadHorizons reads what retention has removed of a scope.
func (c *inspection) loadHorizons(s *inspectedScope) error {
	value, err := c.get(codec.HorizonKey(s.number))
	if err != nil || value == nil {
		s.lost = err != nil
		return c.ctx.Err()
	}
	env, err := codec.DecodeEnvelope(value)
	var rec codec.HorizonRecord
	if err == nil {
		rec, err = codec.DecodeHorizonRecord(env.Payload)
	}
	if err != nil {
		s.lost = true
		c.note(backend.ProblemHorizon, s.number, codec.Horizons, "", 0, "%v", err)
		return nil
	}
	s.horizons = rec.Horizons
	return nil
}

// checkScopes compares the records of scopes with each other, and with the graveyard.
func (c *inspection) checkScopes() error {
	most := codec.Scope(0)
	for _, n := range slices.Sorted(maps.Keys(c.scopes)) {
		s := c.scopes[n]
		if most = max(most, n); n == codec.SystemScope || !c.wanted(n) {
			continue
		}
		c.info.Scopes++
		if version, dead := c.graves[n]; dead {
			c.note(backend.ProblemGrave, n, codec.Graveyard, codec.GraveUserKey(n), version,
				"the scope is in the graveyard, and its record is there")
		}
		if h := s.horizons.Newest(); h > c.info.Version && !c.blind {
			c.note(backend.ProblemHorizon, n, codec.Horizons, "", h,
				"history was removed up to version %d, the newest commit is %d", h, c.info.Version)
		}
		if s.record.ReadsThrough() {
			c.checkFork(s)
		}
	}
	c.ceilings(most)
	return c.ctx.Err()
}

// checkFork looks for what a fork reads through.
func (c *inspection) checkFork(s *inspectedScope) {
	r := &s.record
	note := func(format string, args ...any) {
		c.note(backend.ProblemFork, s.number, codec.ScopeRecords, s.key, r.ForkVersion,
			"fork of %s at version %d: %s", r.ParentKey(), r.ForkVersion, fmt.Sprintf(format, args...))
	}
	parent := c.scopes[r.ParentNumber]
	switch {
	case c.blind && parent == nil:
		return
	case r.ParentNumber == codec.SystemScope || parent == nil:
		note("its parent, scope %d, is not there", uint64(r.ParentNumber))
	case parent.key != r.ParentKey():
		note("scope %d is that of %s", uint64(r.ParentNumber), parent.key)
	case r.ParentNumber >= s.number:
		note("its parent, scope %d, came later than itself", uint64(r.ParentNumber))
	case r.ForkVersion > c.info.Version && !c.blind:
		note("the newest commit is %d", c.info.Version)
	case parent.horizons.Newest() > r.ForkVersion:
		note("history was removed from its parent up to version %d", parent.horizons.Newest())
	}
}

// standing is where a scope stood at a version, by what the snapshot holds.
func (c *inspection) standing(n codec.Scope, at uint64) (e extents, err error) {
	s := c.scopes[n]
	if s == nil || s.above != 0 && s.record.ParentNumber >= n {
		return e, errNoParent
	}
	if at <= s.above {
		return c.standing(s.record.ParentNumber, min(at, s.above))
	}
	var base extents
	var below uint64
	if s.above != 0 {
		if base, err = c.standing(s.record.ParentNumber, s.above); err != nil {
			return e, err
		}
		below = base.commits.Count + 1
	}
	journal, err := openDense(c.snap, n, codec.Journal)
	if err != nil {
		return e, err
	}
	e.commits = journal.extentAt(below, at)
	if err = journal.close(); err != nil {
		return e, err
	}
	if e.commits.Count == 0 {
		e.commits = base.commits
	}
	events, err := openDense(c.snap, n, codec.Events)
	if err != nil {
		return e, err
	}
	if e.events, err = events.eventHead(base.events.next, at); e.events.next == 0 {
		e.events = base.events
	}
	return e, errors.Join(err, events.close())
}

// errNoParent: checkFork has told.
var errNoParent = errors.New("a scope that a fork reads through is not there")
