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
	c, err := newCommitCursor(d.store)
	if err != nil {
		return nil, d.readFailed(err)
	}
	t := tailReader{db: d, told: horizonCache{}}
	var page []backend.Commit
	for ok := c.seek(from); ok && c.rec.Version <= upTo && len(page) < tailPage; ok = c.next() {
		var x backend.Commit
		if x, err = t.commit(c.rec); err != nil {
			break
		}
		page = append(page, x)
	}
	return page, d.readFailed(errors.Join(err, t.close(), c.close()))
}

// tailReader reads, for a page of commits, what they changed.
type tailReader struct {
	db   *DB
	told horizonCache

	it    *pebble.Iterator // over everything; nil before the first read
	freed uint64           // how many scopes were freed when it was opened
}

// refresh opens an iterator that does not see what was freed before this call: what a scope wrote
// is not to come back once it was told to be gone.
func (t *tailReader) refresh() error {
	freed := t.db.graveyard.freed.Load()
	if t.it != nil && t.freed == freed {
		return nil
	}
	if err := t.close(); err != nil {
		return err
	}
	var err error
	t.it, err = t.db.store.NewIter(nil)
	t.freed = freed
	return err
}

func (t *tailReader) close() error {
	if t.it == nil {
		return nil
	}
	err := t.it.Close()
	t.it = nil
	return err
}

// commit reads the journal records that a commit record names.
func (t *tailReader) commit(rec codec.CommitRecord) (backend.Commit, error) {
	c := backend.Commit{CommitRecord: rec}
	for _, s := range rec.Scopes {
		x, err := t.changes(s, rec.Version)
		if err != nil {
			return backend.Commit{}, err
		}
		c.Scopes = append(c.Scopes, x)
	}
	return c, nil
}

// changes reads what a commit changed in one scope, if the scope was not deleted since, and its
// journal not pruned.
func (t *tailReader) changes(
	s codec.ScopeCommit, version uint64,
) (x backend.ScopeChanges, err error) {
	d, told := t.db, t.told
	x = backend.ScopeChanges{Scope: s.Scope, Number: s.Number}
	if v := d.graveyard.version(s.Scope); v != 0 && v <= d.published.load() {
		x.Gone = true
		return x, nil
	}
	if x.Pruned, err = told.journal(d, s.Scope, version); x.Pruned != 0 || err != nil {
		return x, err
	}
	x.Changes, x.Origin, err = t.journal(s.Scope, s.Number, version)
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
func (t *tailReader) journal(
	n codec.Scope, number, version uint64,
) (changes []codec.Change, origin codec.Origin, err error) {
	if err := t.refresh(); err != nil {
		return nil, origin, err
	}
	c := newDenseCursor(t.it, n, codec.Journal)
	for part, parts := 0, 1; part < parts; part++ {
		ok := false
		if part == 0 {
			ok = c.seek(number)
		} else {
			ok = c.next()
		}
		if !ok || c.number != number || c.version != version || c.part != part {
			return nil, origin, errors.Join(c.err, fmt.Errorf("%w: commit %d: part %d of record %d of "+
				"scope %d", errNoJournal, version, part, number, n))
		}
		rec, err := codec.DecodeJournalRecord(number, bytes.Clone(c.record))
		if err != nil {
			return nil, origin, err
		}
		if part == 0 {
			parts, origin = rec.Parts, rec.Origin
		}
		changes = append(changes, rec.Changes...)
	}
	return changes, origin, nil
}
