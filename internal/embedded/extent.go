package embedded

import (
	"context"
	"errors"
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
) (backend.ScopeCommits, error) {
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
	if err := d.handover.reach(at); err != nil {
		return none, err
	}
	c, err := d.extent(s.Number, at)
	st, gone := d.stillThere(ctx, s, st)
	if gone != nil {
		return none, gone
	}
	if err := errors.Join(d.readFailed(err), st.refuse(s, codec.Journal, at)); err != nil {
		return none, err
	}
	if h := st.horizons.Load(); h != nil && h.first != 0 && c.Count > 0 {
		c.First = h.first // its journal record may be gone
	}
	return c, nil
}

// extent reads the journal of a scope.
func (d *DB) extent(n codec.Scope, at uint64) (backend.ScopeCommits, error) {
	lower, err := codec.AppendKey(nil, n, codec.Journal, "")
	if err != nil {
		return backend.ScopeCommits{}, err
	}
	it, err := d.store.NewIter(&pebble.IterOptions{
		LowerBound: lower, UpperBound: codec.AppendRangeEnd(nil, n, codec.Journal, ""),
	})
	if err != nil {
		return backend.ScopeCommits{}, err
	}
	c, err := searchJournal(it, n, at)
	return c, closeIter(it, err)
}

func searchJournal(
	it *pebble.Iterator, n codec.Scope, at uint64,
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
		key, err := codec.AppendKey(nil, n, codec.Journal, codec.EventUserKey(middle))
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
			return c, fmt.Errorf("%w: journal record %d of scope %d is missing, found %d",
				codec.ErrCorrupt, middle, n, found)
		}
		if version <= at {
			c.Last, c.Count = version, middle
		} else {
			high = middle
		}
	}
	return c, nil
}

// journalPlace is what the key of a journal record says: the number and the version of a commit.
func journalPlace(key []byte) (number, version uint64, err error) {
	_, _, user, version, err := codec.DecodeKey(key)
	if err != nil {
		return 0, 0, err
	}
	number, _, err = codec.DecodeJournalUserKey(user)
	return number, version, err
}
