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
		rec, err := codec.DecodeCommitRecord(version, value)
		rec.Version = version
		if err := f(rec, err); err != nil {
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
			key := codec.AppendJournalKey(nil, x.Scope, x.Number, 0)
			codec.PatchVersion(key, rec.Version)
			value, err := c.get(key)
			if err == nil && value == nil {
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
		found, err := c.get(codec.AppendCommitKey(nil, version))
		if err != nil {
			return nil // it was told with the commits
		}
		user := codec.EventUserKey(number)
		if found == nil {
			c.note(backend.ProblemJournal, n, codec.Journal, user, version, "record %d of the journal is "+
				"of commit %d, of which there is no record", number, version)
			return nil
		}
		rec, err := codec.DecodeCommitRecord(version, found)
		if err != nil {
			return nil // it was told
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
		if err := f(number, version, part, value); err != nil {
			return closeIter(it, err)
		}
	}
	_ = it.Close() // damage was told by the walk
	return c.ctx.Err()
}
