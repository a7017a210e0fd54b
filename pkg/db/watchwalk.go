package inmem

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The two walks of a watch. Neither holds anything while its consumer works: the journal and the
// tail are read in pages.

// scope walks the journal of one scope.
func (w *watch) scope(ctx context.Context, s *backend.Scope, name string) error {
	number, err := w.firstNumber(ctx, s)
	if err != nil {
		return w.ended(ctx, s, name, err)
	}
	for durable := w.next - 1; ; {
		if durable, err = w.d.b.WaitBeyond(ctx, durable); err != nil {
			return err
		}
		for e, err := range w.d.b.Journal(ctx, s, w.journal(number, durable)) {
			if err == nil {
				number = e.Number + 1
				err = w.tell(name, &e)
			}
			if err != nil {
				return w.ended(ctx, s, name, err)
			}
		}
	}
}

// firstNumber is the commit number at which a scope's journal is taken up.
func (w *watch) firstNumber(ctx context.Context, s *backend.Scope) (uint64, error) {
	if w.all {
		h, err := w.d.b.Horizons(ctx, s)
		if err != nil {
			return 0, err
		}
		begin := h.Of(codec.Journal)
		switch newest := h.Newest(); {
		case newest == 0 || w.values == backend.NoValues:
		case w.values == backend.NewValues:
			begin = newest
		default:
			begin = newest + 1 // what was there before it is gone
		}
		w.next = max(w.next, begin)
	}
	c, err := w.d.b.Commits(ctx, s, min(w.next, w.d.b.Published()))
	if err == nil && c.Last == w.next {
		return c.Count, nil
	}
	return c.Count + 1, err
}

// ended tells of the deletion of a scope if that is what an error means.
func (w *watch) ended(ctx context.Context, s *backend.Scope, name string, err error) error {
	if !errors.Is(err, ErrRunNotFound) {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	c := Commit{Run: name, Deleted: true}
	// There may be a new run under the id: what is sought is the newest tombstone.
	records := w.d.b.Versions(ctx, w.d.system, codec.ScopeRecords, s.Record, w.d.b.Published())
	for r, err := range records {
		if err != nil {
			return err
		}
		if !r.Deleted {
			continue
		}
		t, err := w.d.b.CommitTime(ctx, r.Version)
		if err != nil {
			return err
		}
		c.Version, c.Time = r.Version, timeOf(t)
		break
	}
	return w.give(c)
}

// database walks all commits.
func (w *watch) database(ctx context.Context) (err error) {
	for durable := w.next - 1; ; {
		if durable, err = w.d.b.WaitBeyond(ctx, durable); err != nil {
			return err
		}
		for c, err := range w.d.b.Tail(ctx, w.next) {
			if err != nil {
				return err
			}
			if c.Version > durable {
				break
			}
			if err := w.commit(ctx, &c); err != nil {
				return err
			}
			w.next = c.Version + 1
		}
	}
}

// commit tells what a commit did in each scope.
func (w *watch) commit(ctx context.Context, c *backend.Commit) error {
	// Every commit names the one before it, so none is missed unnoticed.
	if c.Previous >= w.next && !w.mayBeLeft(c) {
		return &backend.PrunedError{Run: "database", Version: w.next, Earliest: c.Version}
	}
	for i := range c.Scopes {
		s := &c.Scopes[i]
		var err error
		switch {
		case s.Scope == codec.SystemScope:
			err = w.deletions(c, s)
		case s.Gone:
			err = w.settle(ctx)
		case s.Pruned != 0:
			err = w.pruned(ctx, c, s)
		case w.concerns(s):
			err = w.part(ctx, c, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayBeLeft tells whether a commit that retention has removed may be passed over: the beginning is
// what was left of it when the watch began.
func (w *watch) mayBeLeft(c *backend.Commit) bool { return w.all && c.Version <= w.begun }

// deletions tells of the scopes that a commit deleted.
func (w *watch) deletions(c *backend.Commit, s *backend.ScopeChanges) error {
	for _, x := range s.Changes {
		if x.Primitive != codec.ScopeRecords || x.Op != codec.ChangeDelete {
			continue
		}
		name, err := scopeName(x.Key)
		if err == nil {
			err = w.give(Commit{Version: c.Version, Time: timeOf(c.Time), Run: name, Deleted: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pruned judges a commit whose changes retention has removed.
func (w *watch) pruned(ctx context.Context, c *backend.Commit, s *backend.ScopeChanges) error {
	if w.mayBeLeft(c) {
		return nil
	}
	record, _, err := w.d.names.record(ctx, w.d, s.Scope)
	if err != nil {
		return err
	}
	return &backend.PrunedError{Run: record, Version: c.Version, Earliest: s.Pruned}
}

// part tells what a commit did in one scope.
func (w *watch) part(ctx context.Context, c *backend.Commit, s *backend.ScopeChanges) error {
	record, ok, err := w.d.names.record(ctx, w.d, s.Scope)
	if err != nil {
		return err
	}
	if !ok { // it was deleted a moment ago
		return w.settle(ctx)
	}
	name, err := scopeName(record)
	if err != nil {
		return err
	}
	e := w.entry(c, s)
	scope := &backend.Scope{Number: s.Scope, Record: record}
	switch err := w.fill(ctx, scope, e); {
	case err == nil:
		return w.tell(name, e)
	case errors.Is(err, ErrRunNotFound):
		return w.settle(ctx)
	case errors.Is(err, ErrPruned) && w.mayBeLeft(c):
		return nil
	default:
		return err
	}
}

// fill reads the values that are asked for. A consumer that keeps up finds them in memory.
func (w *watch) fill(ctx context.Context, s *backend.Scope, e *backend.JournalEntry) error {
	if w.values == backend.NoValues {
		return nil
	}
	for i := range e.Changes {
		x := &e.Changes[i]
		if x.Op == ChangePut || x.Op == ChangeAppend {
			r, err := w.d.b.Get(ctx, s, x.Primitive, x.Key, e.Version)
			if err != nil {
				return err
			}
			if r.Version != e.Version {
				return fmt.Errorf("%w: commit %d of run %s: key %q: expected it at this version, "+
					"found version %d", ErrCorrupt, e.Version, s.Record, x.Key, r.Version)
			}
			x.Value, x.Expiry = r.Value, r.Expiry
		}
		if w.values != backend.OldAndNewValues || x.Op == ChangeAppend {
			continue
		}
		r, err := w.d.b.Get(ctx, s, x.Primitive, x.Key, e.Version-1)
		if err != nil {
			return err
		}
		if r.Exists() && (r.Expiry == 0 || r.Expiry > e.Judged()) {
			x.Old = &r
		}
	}
	return nil
}
