package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Commits implements backend.Reader. Commit numbers are dense and rise with the versions, and the
// journal is sorted by number: its ends tell the extent, and a binary search by number finds the
// newest commit at an older version.
func (d *DB) Commits(
	ctx context.Context, s *backend.Scope, at uint64,
) (c backend.ScopeCommits, err error) {
	var none backend.ScopeCommits
	if d.closed.Load() {
		return none, backend.ErrClosed
	}
	st, err := d.readable(ctx, s)
	if err != nil {
		return none, err
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if !d.storeGate.TryRLock() {
		return none, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return none, backend.ErrClosed
	}
	at = min(at, d.published.load())
	if e, ok := d.standing(st, at); ok && s.Number != codec.SystemScope {
		return e.commits, nil // nothing since: who asks often, asks at what is published
	}
	if err := d.handover.reach(at); err != nil {
		return none, err
	}
	err = d.retold(func() error {
		c, err = d.commitsAt(ctx, s, at)
		return err
	})
	if err != nil {
		return none, d.restate(ctx, s, codec.Journal, at, err)
	}
	return c, nil
}

// extent reads the own journal of a scope, from a number on.
func (d *DB) extent(n codec.Scope, first, at uint64) (backend.ScopeCommits, error) {
	it, err := d.denseIter(n, codec.Journal, first)
	if err != nil {
		return backend.ScopeCommits{}, err
	}
	c, err := searchJournal(it, n, at)
	return c, closeIter(it, err)
}

func searchJournal(it *pebble.Iterator, n codec.Scope, at uint64) (backend.ScopeCommits, error) {
	return searchDense(it, n, codec.Journal, at)
}

// searchDense searches what is numbered without a gap, in the order of versions: the journal, or
// the events, whose sequence numbers it calls Count.
func searchDense(
	it *pebble.Iterator, n codec.Scope, p codec.Primitive, at uint64,
) (c backend.ScopeCommits, err error) {
	if !it.First() {
		return c, it.Error()
	}
	low, version, err := journalPlace(it.Key())
	if err != nil || version > at {
		return c, err
	}
	c = backend.ScopeCommits{First: version, Last: version, Count: low}
	if !it.Last() {
		return c, it.Error()
	}
	high, version, err := journalPlace(it.Key())
	if err != nil {
		return c, err
	}
	if version <= at {
		c.Last, c.Count = version, high
		return c, nil
	}
	// Commit c.Count lies at or below the version that is asked for, commit high above it.
	for high-c.Count > 1 {
		middle := c.Count + (high-c.Count)/2
		key, err := codec.AppendKey(nil, n, p, codec.EventUserKey(middle))
		if err != nil {
			return c, err
		}
		if !it.SeekGE(key) {
			return c, it.Error()
		}
		found, version, err := journalPlace(it.Key())
		if err != nil {
			return c, err
		}
		if found != middle {
			return c, fmt.Errorf("%w: record %d of %s of scope %d is missing, found %d",
				codec.ErrCorrupt, middle, p, n, found)
		}
		if version <= at {
			c.Last, c.Count = version, middle
		} else {
			high = middle
		}
	}
	return c, nil
}

// journalPlace is what the key of a journal record says: the number and the version of a commit; or
// that of an event.
func journalPlace(key []byte) (number, version uint64, err error) {
	_, _, user, version, err := codec.DecodeKey(key)
	if err != nil {
		return 0, 0, err
	}
	number, _, err = codec.DecodeJournalUserKey(user)
	return number, version, err
}
