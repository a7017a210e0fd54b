package embedded

import (
	"context"
	"iter"

	"github.com/inmem-db/inmem/internal/backend"
)

// The journal of a scope, walked in the order of its commits, with the values.
//
// Purpose: a walk costs what the scope's history cost, whatever else the store holds. Everything
// that it reads lies in the scope's own range: the journal in the order of the walk, with the times
// of the commits, and the values under their keys. So a page of commits is read at once. Its values
// are read by a walk over the keys that it changed, if it changed most of what lies there
// (journalscan.go), else looked up in key order, by one iterator that only goes forward
// (journalvalues.go).
//
// A short history is one page. Of a long one the first pages are small: who stops early pays
// little. Who goes on gets pages so large that neighbours in key order are close together. Between
// two pages nothing is held: a slow reader pins nothing.

const (
	firstPage = 64        // changes of the first page of a walk that reads values
	shortRun  = 2048      // a history that is read at once
	largePage = 512 << 10 // changes of the pages after the first
	growth    = 8         // by how much less the next attempt takes
	// pageBytes is how much a page may hold in values before smaller ones are taken. Pages are made
	// for three quarters of it. Of keys in the order of chance each page goes over all: half as many
	// pages are half the steps.
	pageBytes = 48 << 20
)

// journalWalk is where a walk stands.
type journalWalk struct {
	db    *DB
	ctx   context.Context
	scope *backend.Scope
	r     backend.JournalRange
	next  uint64 // number of the next commit
	limit int    // changes that the next page may have
	most  int    // if not 0: commits that it has at most, because the one behind is pruned
}

// Journal implements backend.History.
func (d *DB) Journal(
	ctx context.Context, s *backend.Scope, r backend.JournalRange,
) iter.Seq2[backend.JournalEntry, error] {
	return func(yield func(backend.JournalEntry, error) bool) {
		w := journalWalk{
			db: d, ctx: ctx, scope: s, r: r, next: max(r.From, 1), limit: firstPage,
		}
		for {
			page, err := w.page()
			if err != nil {
				yield(backend.JournalEntry{}, err)
				return
			}
			ready := 0
			for i := range page.entries {
				if i == ready {
					ready = page.fill(i)
				}
				if err := ctx.Err(); err != nil && i%firstPage == 0 {
					yield(backend.JournalEntry{}, err)
					return
				}
				if !yield(page.entries[i], nil) {
					return
				}
			}
			if len(page.entries) == 0 {
				return
			}
		}
	}
}

// page reads the next commits; none are left if it is empty.
func (w *journalWalk) page() (p *journalPage, err error) {
	err = w.db.retold(func() error {
		for again := true; again && err == nil; {
			p, again, err = w.tryPage()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	w.next += uint64(len(p.entries))
	return p, nil
}

// tryPage reads a page. It asks to be called again, for a smaller one, when that would take too
// much memory.
func (w *journalWalk) tryPage() (page *journalPage, again bool, err error) {
	d := w.db
	if d.closed.Load() {
		return nil, false, backend.ErrClosed
	}
	layer, err := d.journalLayer(w.ctx, w.scope, w.next, w.r.At)
	if err != nil {
		return nil, false, err
	}
	at, leave, err := d.enterStore(w.ctx, layer.at)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	layer.at = at
	p := &journalPage{db: d, ctx: w.ctx, layer: layer, r: &w.r, next: w.next, limit: w.limit,
		most: w.most}
	if w.limit == firstPage && w.r.Values == backend.NewValues {
		p.whole = shortRun
	}
	failed := d.readFailed(p.read())
	h, err := d.historyHorizons(w.ctx, w.scope, &layer)
	if err == nil {
		if w.most, err = p.pruned(w.scope, h); w.most > 0 {
			return nil, true, nil // what lies before that is told first
		}
	}
	if err == nil {
		err = failed
	}
	switch {
	case err != nil:
		return nil, false, err
	case p.cut:
		w.limit = max(1, p.changes/growth)
		return nil, true, nil
	}
	w.limit = p.nextLimit()
	return p, false, nil
}

// nextLimit is how many changes the page after this one may have: many more, unless their values
// are large.
func (p *journalPage) nextLimit() int {
	most := largePage
	if p.limit < shortRun && p.r.Values == backend.NoValues {
		most = shortRun
	}
	if p.bytes > 0 {
		most = min(most, int(int64(pageBytes/4*3)*int64(p.changes)/int64(p.bytes)))
	}
	return max(1, most)
}
