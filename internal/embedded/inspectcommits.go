package embedded

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// commits walks the chain of commit records, and sums up for every scope what they say of its
// journal.
func (c *inspection) commits() error {
	var last codec.CommitRecord
	broken := false
	err := c.eachCommit(func(rec codec.CommitRecord, err error) error {
		c.info.Commits++
		switch {
		case err != nil:
			c.note(backend.ProblemCommit, 0, codec.Commits, "", rec.Version, "%v", err)
			broken, last.Version = true, rec.Version
			return nil
		case !broken && rec.Previous != last.Version:
			c.note(backend.ProblemCommit, 0, codec.Commits, "", rec.Version, "commit %d follows %d, but "+
				"%d was found before it", rec.Version, rec.Previous, last.Version)
		case rec.Time < last.Time:
			c.note(backend.ProblemCommit, 0, codec.Commits, "", rec.Version, "time %d, before that of "+
				"commit %d, %d", rec.Time, last.Version, last.Time)
		}
		broken, last = false, rec
		for _, x := range rec.Scopes {
			if s := c.scopes[x.Scope]; s != nil && s.tells(rec.Version) {
				s.told.add(c.hashCommit(x.Number, rec.Version, rec.Time))
			}
		}
		return nil
	})
	c.info.Version = last.Version
	return err
}

// tells tells whether a scope's own journal must have a commit.
func (s *inspectedScope) tells(version uint64) bool {
	return version > max(s.horizons.Of(codec.Journal), s.record.ForkVersion)
}

// hashCommit is the hash of a place in a journal.
func (c *inspection) hashCommit(number, version uint64, time int64) uint64 {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], number)
	binary.BigEndian.PutUint64(b[8:], version)
	binary.BigEndian.PutUint64(b[16:], uint64(time))
	return maphash.Bytes(c.seed, b[:])
}

// eachCommit calls f with all commit records, in order; with an error for one that cannot be read,
// of which only the version is known.
func (c *inspection) eachCommit(f func(codec.CommitRecord, error) error) error {
	lower := codec.KeyPrefix(nil, codec.SystemScope, codec.Commits)
	upper := codec.AppendRangeEnd(nil, codec.SystemScope, codec.Commits, "")
	it, err := c.snap.NewIter(&pebble.IterOptions{LowerBound: append(lower, 0), UpperBound: upper})
	if err != nil {
		return c.db.readFailed(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := c.ctx.Err(); err != nil {
			return closeIter(it, err)
		}
		version, err := codec.DecodeCommitKey(it.Key())
		if err != nil {
			c.note(backend.ProblemKey, 0, codec.Commits, string(it.Key()), 0, "%v", err)
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			break // the iterator has the error, too
		}
		if err := eachInGroup(version, value, f); err != nil {
			return closeIter(it, err)
		}
	}
	if err := closeIter(it, it.Error()); err != nil {
		if !c.damaged(err) {
			return c.ctx.Err()
		}
		c.blind = true
		c.note(backend.ProblemUnreadable, 0, codec.Commits, "", 0, "commit records: %s", firstLine(err))
	}
	return nil
}

// eachInGroup calls f with the commit records under one key; with an error for those that cannot be
// read.
func eachInGroup(
	version uint64, value []byte, f func(codec.CommitRecord, error) error,
) error {
	g := codec.OpenGroup(version, value)
	for g.Next() {
		rec, err := codec.DecodeCommitRecord(g.Version(), g.Record())
		rec.Version = g.Version()
		if err := f(rec, err); err != nil {
			return err
		}
	}
	if g.Err() != nil {
		return f(codec.CommitRecord{Version: version}, g.Err())
	}
	return nil
}

// commitRecord reads the record of a commit; found tells whether there is one.
func (c *inspection) commitRecord(version uint64) (rec codec.CommitRecord, found bool, err error) {
	records, err := newCommitCursor(c.snap)
	if err != nil {
		return rec, false, err
	}
	if records.seek(version) && records.rec.Version == version {
		rec, found = records.rec, true
	}
	return rec, found, records.close()
}

// hasJournal tells whether a journal has the record of a commit.
func (c *inspection) hasJournal(n codec.Scope, number, version uint64) (bool, error) {
	journal, err := openDense(c.snap, n, codec.Journal)
	if err != nil {
		return false, err
	}
	found := journal.seek(number) && journal.number == number && journal.version == version
	return found, journal.close()
}

// disagree notes that the journal of a scope and the commit records say different things.
func (c *inspection) disagree(n codec.Scope) {
	if c.suspect == nil {
		c.suspect = map[codec.Scope]bool{}
	}
	c.suspect[n] = true
}

// compareCommits names where journals and commit records disagree, for the scopes in question.
func (c *inspection) compareCommits() error {
	if len(c.suspect) == 0 || c.blind {
		return nil
	}
	err := c.eachCommit(func(rec codec.CommitRecord, err error) error {
		for _, x := range rec.Scopes {
			s := c.scopes[x.Scope]
			if err != nil || !c.suspect[x.Scope] || !s.tells(rec.Version) {
				continue
			}
			found, err := c.hasJournal(x.Scope, x.Number, rec.Version)
			if err == nil && !found {
				c.note(backend.ProblemJournal, x.Scope, codec.Journal, codec.EventUserKey(x.Number),
					rec.Version, "commit %d is number %d of the scope, and its journal has no such "+
						"record", rec.Version, x.Number)
			}
		}
		return nil
	})
	for _, n := range slices.Sorted(maps.Keys(c.suspect)) {
		if err == nil {
			err = c.compareJournal(n)
		}
	}
	return err
}

// compareJournal names the records of a journal that no commit record, or another one, tells of.
func (c *inspection) compareJournal(n codec.Scope) error {
	s := c.scopes[n]
	return c.eachJournal(n, func(number, version uint64, part int, value []byte) error {
		if part != 0 || !s.tells(version) {
			return nil
		}
		rec, found, err := c.commitRecord(version)
		if err != nil {
			return nil // it was told with the commits
		}
		user := codec.EventUserKey(number)
		if !found {
			c.note(backend.ProblemJournal, n, codec.Journal, user, version, "record %d of the journal is "+
				"of commit %d, of which there is no record", number, version)
			return nil
		}
		if !slices.Contains(rec.Scopes, codec.ScopeCommit{Scope: n, Number: number}) {
			c.note(backend.ProblemJournal, n, codec.Journal, user, version, "record %d of the journal is "+
				"of commit %d, which names other places: %v", number, version, rec.Scopes)
		}
		j, err := codec.DecodeJournalRecord(number, value)
		if err == nil && j.Timed && j.Time != rec.Time {
			c.note(backend.ProblemJournal, n, codec.Journal, user, version, "time %d, commit %d is of %d",
				j.Time, version, rec.Time)
		}
		return nil
	})
}

// eachJournal calls f with the records of a journal. What cannot be read is passed over.
func (c *inspection) eachJournal(
	n codec.Scope, f func(number, version uint64, part int, value []byte) error,
) error {
	it, err := c.snap.NewIter(&pebble.IterOptions{
		LowerBound: append(codec.KeyPrefix(nil, n, codec.Journal), 0),
		UpperBound: codec.AppendRangeEnd(nil, n, codec.Journal, ""),
	})
	if err != nil {
		return c.db.readFailed(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := c.ctx.Err(); err != nil {
			return closeIter(it, err)
		}
		_, _, user, version, err := codec.DecodeKey(it.Key())
		if err != nil {
			continue
		}
		number, part, err := codec.DecodeJournalUserKey(user)
		value, unread := it.ValueAndErr()
		if errors.Join(err, unread) != nil {
			continue
		}
		if part > 0 {
			err = f(number, version, part, value)
		} else {
			err = eachRecord(number, version, value, f)
		}
		if err != nil {
			return closeIter(it, err)
		}
	}
	_ = it.Close() // damage was told by the walk
	return c.ctx.Err()
}

// eachRecord calls f with the journal records under one key. What cannot be read is passed over.
func eachRecord(
	number, version uint64, value []byte, f func(number, version uint64, part int, value []byte) error,
) error {
	g := codec.OpenGroup(version, value)
	for g.Next() {
		if err := f(number-uint64(g.Left()), g.Version(), 0, g.Record()); err != nil {
			return err
		}
	}
	return nil
}
