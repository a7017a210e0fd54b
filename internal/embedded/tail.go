package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// tailPage is how many commit records one iterator reads: an iterator pins what it was opened on,
// and a slow consumer must not pin the store.
const tailPage = 256

// Tail implements backend.Reader.
func (d *DB) Tail(ctx context.Context, from uint64) iter.Seq2[backend.Commit, error] {
	return func(yield func(backend.Commit, error) bool) {
		for next := from; ; {
			upTo := d.published.load()
			page, err := d.tailPage(ctx, next, upTo)
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
				next = c.Version + 1
			}
			if err != nil {
				yield(backend.Commit{}, err)
				return
			}
			if len(page) < tailPage && upTo == d.published.load() {
				return
			}
		}
	}
}

// tailPage reads the first commits with from <= version <= upTo.
func (d *DB) tailPage(ctx context.Context, from, upTo uint64) ([]backend.Commit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !d.storeGate.TryRLock() {
		return nil, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return nil, backend.ErrClosed
	}
	if err := d.handover.reach(upTo); err != nil {
		return nil, err
	}
	it, err := d.store.NewIter(&pebble.IterOptions{
		LowerBound: codec.AppendCommitKey(nil, from),
		UpperBound: codec.AppendCommitKey(nil, upTo+1),
	})
	if err != nil {
		return nil, d.readFailed(err)
	}
	var page []backend.Commit
	told := horizonCache{}
	for ok := it.First(); ok && len(page) < tailPage; ok = it.Next() {
		c, err := d.decodeCommit(it, told)
		if err != nil {
			return page, d.readFailed(closeIter(it, err))
		}
		page = append(page, c)
	}
	return page, d.readFailed(closeIter(it, nil))
}

// decodeCommit reads the commit record under an iterator and the journal records it names.
func (d *DB) decodeCommit(it *pebble.Iterator, told horizonCache) (backend.Commit, error) {
	version, err := codec.DecodeCommitKey(it.Key())
	if err != nil {
		return backend.Commit{}, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return backend.Commit{}, err
	}
	rec, err := codec.DecodeCommitRecord(version, value)
	if err != nil {
		return backend.Commit{}, err
	}
	c := backend.Commit{CommitRecord: rec}
	for _, s := range rec.Scopes {
		x, err := d.changes(s, version, told)
		if err != nil {
			return backend.Commit{}, err
		}
		c.Scopes = append(c.Scopes, x)
	}
	return c, nil
}

// changes reads what a commit changed in one scope, if the scope was not deleted since, and its
// journal not pruned.
func (d *DB) changes(
	s codec.ScopeCommit, version uint64, told horizonCache,
) (x backend.ScopeChanges, err error) {
	x = backend.ScopeChanges{Scope: s.Scope, Number: s.Number}
	if v := d.graveyard.version(s.Scope); v != 0 && v <= d.published.load() {
		x.Gone = true
		return x, nil
	}
	if x.Pruned, err = told.journal(d, s.Scope, version); x.Pruned != 0 || err != nil {
		return x, err
	}
	x.Changes, x.Origin, err = d.journal(s.Scope, s.Number, version)
	if !errors.Is(err, errNoJournal) {
		return x, err
	}
	// It may have been pruned a moment ago. A deleted scope is freed as a whole, in one step.
	delete(told, s.Scope)
	pruned, failed := told.journal(d, s.Scope, version)
	if x.Pruned = pruned; failed != nil || pruned != 0 {
		return x, failed
	}
	empty, failed := d.noKeys(s.Scope)
	if x.Gone = empty; failed != nil || empty {
		return x, failed
	}
	return x, err
}

// horizonCache has the horizons of the journals that a page of commits is about.
type horizonCache map[codec.Scope]uint64

// journal returns the horizon of a scope's journal if a version lies below it, else 0.
func (c horizonCache) journal(d *DB, n codec.Scope, version uint64) (uint64, error) {
	horizon, ok := c[n]
	if !ok {
		h, err := d.horizonsOf(n)
		if err != nil {
			return 0, err
		}
		horizon = h.known().Of(codec.Journal)
		c[n] = horizon
	}
	if version < horizon {
		return horizon, nil
	}
	return 0, nil
}

// noKeys tells whether the store holds no key of a scope.
func (d *DB) noKeys(n codec.Scope) (bool, error) {
	lower, upper := codec.ScopeBounds(n)
	it, err := d.store.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return false, err
	}
	found := it.First()
	return !found, closeIter(it, nil)
}

// errNoJournal: a commit record names a journal record that does not exist.
var errNoJournal = fmt.Errorf("%w: a journal record is missing", codec.ErrCorrupt)

// journal reads all parts of one journal record.
func (d *DB) journal(
	n codec.Scope, number, version uint64,
) (changes []codec.Change, origin codec.Origin, err error) {
	for part, parts := 0, 1; part < parts; part++ {
		key := codec.AppendJournalKey(nil, n, number, part)
		codec.PatchVersion(key, version)
		value, closer, err := d.store.Get(key)
		if errors.Is(err, pebble.ErrNotFound) {
			return nil, origin, fmt.Errorf("%w: commit %d: part %d of record %d of scope %d", errNoJournal,
				version, part, number, n)
		}
		if err != nil {
			return nil, origin, err
		}
		rec, err := codec.DecodeJournalRecord(number, bytes.Clone(value))
		if err = errors.Join(err, closer.Close()); err != nil {
			return nil, origin, err
		}
		if part == 0 {
			parts, origin = rec.Parts, rec.Origin
		}
		changes = append(changes, rec.Changes...)
	}
	return changes, origin, nil
}
