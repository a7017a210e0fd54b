package embedded

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The journal of a scope, walked in the order of its commits, with the values.
//
// Purpose: a walk costs what the scope's history cost, whatever else the store holds. Everything
// that it reads lies in the scope's own range: the journal in the order of the walk, with the times
// of the commits, and the values under their keys. So a page of commits is read at once, and its
// values are looked up in key order, by one iterator that only goes forward (journalvalues.go).
//
// The first pages are small: who stops early pays little. Who goes on gets pages so large that
// neighbours in key order are close together. Between two pages nothing is held: a slow reader pins
// nothing.

const (
	firstPage  = 256 // changes of the first page of a walk
	secondPage = 8 * firstPage
	largePage  = 128 << 10 // of all others
	growth     = 8
	// pageBytes is how much a page may hold in values before smaller ones are taken.
	pageBytes = 32 << 20
)

// journalWalk is where a walk stands.
type journalWalk struct {
	db    *DB
	ctx   context.Context
	scope *backend.Scope
	r     backend.JournalRange
	next  uint64 // number of the next commit
	limit int    // changes that the next page may have
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
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if err != nil {
				yield(backend.JournalEntry{}, err)
				return
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// page reads the next commits; none are left if it is empty.
func (w *journalWalk) page() (entries []backend.JournalEntry, err error) {
	err = w.db.retold(func() error {
		for again := true; again && err == nil; {
			entries, again, err = w.tryPage()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	w.next += uint64(len(entries))
	return entries, nil
}

// tryPage reads a page. It asks to be called again, for a smaller one, when that would take too
// much memory.
func (w *journalWalk) tryPage() (entries []backend.JournalEntry, again bool, err error) {
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
	p := journalPage{db: d, ctx: w.ctx, layer: layer, r: &w.r, next: w.next, limit: w.limit}
	failed := d.readFailed(p.read())
	h, err := d.historyHorizons(w.ctx, w.scope, &layer)
	if err == nil {
		err = p.pruned(w.scope, h)
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
	return p.entries, false, nil
}

// nextLimit is how many changes the page after this one may have: many more, unless their values
// are large.
func (p *journalPage) nextLimit() int {
	most := largePage
	if p.limit < secondPage {
		most = secondPage
	}
	if p.bytes > 0 {
		most = min(most, int(int64(pageBytes/2)*int64(p.changes)/int64(p.bytes)))
	}
	return max(1, most)
}

// journalPage is a run of commits of one layer.
type journalPage struct {
	db    *DB
	ctx   context.Context
	layer journalLayer
	r     *backend.JournalRange
	next  uint64
	limit int

	entries []backend.JournalEntry
	changes int
	bytes   int
	cut     bool // given up for being too large
	gap     bool // a journal record is missing
	values  arena
}

// read reads the journal records, and the values that are asked for.
func (p *journalPage) read() error {
	n := p.layer.scope.Number
	lower, err := codec.AppendKey(nil, n, codec.Journal, codec.EventUserKey(p.next))
	if err != nil {
		return err
	}
	it, err := p.db.store.NewIter(&pebble.IterOptions{
		LowerBound: lower, UpperBound: codec.AppendRangeEnd(nil, n, codec.Journal, ""),
	})
	if err != nil {
		return err
	}
	err = p.readRecords(it)
	p.db.noteHistory(it)
	if err = closeIter(it, err); err != nil || p.r.Values == backend.NoValues {
		return err
	}
	return p.readValues()
}

// readRecords reads commits up to the limit.
func (p *journalPage) readRecords(it *pebble.Iterator) error {
	number := p.next
	for ok := it.First(); ok && p.changes < p.limit; number++ {
		found, version, err := journalPlace(it.Key())
		if err != nil {
			return err
		}
		if version > p.layer.at {
			return nil
		}
		if found != number {
			p.gap = true
			return p.layer.missing(number, found)
		}
		e := backend.JournalEntry{Version: version, Number: number}
		if ok, err = p.readParts(it, &e); err != nil {
			return err
		}
		p.entries = append(p.entries, e)
	}
	return it.Error()
}

// readParts reads all parts of the record under an iterator, and moves it on to the next one.
func (p *journalPage) readParts(
	it *pebble.Iterator, e *backend.JournalEntry,
) (more bool, err error) {
	more = true
	for part, parts := 0, 1; part < parts; part++ {
		if part > 0 && !p.isPart(it, more, e) {
			return false, fmt.Errorf("%w: commit %d: part %d of record %d of scope %d", errNoJournal,
				e.Version, part, e.Number, p.layer.scope.Number)
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return false, err
		}
		rec, err := codec.DecodeJournalRecord(e.Number, p.values.clone(value))
		if err != nil {
			return false, err
		}
		if part == 0 {
			parts = rec.Parts
			err = p.begin(e, &rec)
		}
		if err != nil {
			return false, err
		}
		p.take(e, rec.Changes)
		more = it.Next()
	}
	return more, nil
}

// isPart tells whether an iterator stands on a further part of a commit's record.
func (p *journalPage) isPart(it *pebble.Iterator, valid bool, e *backend.JournalEntry) bool {
	if !valid {
		return false
	}
	number, version, err := journalPlace(it.Key())
	return err == nil && number == e.Number && version == e.Version
}

// begin reads what the first part of a record says of the whole.
func (p *journalPage) begin(e *backend.JournalEntry, rec *codec.JournalRecord) error {
	if rec.Parts == 0 {
		return fmt.Errorf("%w: commit %d: record %d of scope %d begins in the middle",
			codec.ErrCorrupt, e.Version, e.Number, p.layer.scope.Number)
	}
	e.Time, e.Origin = rec.Time, rec.Origin
	if rec.Timed {
		return nil
	}
	c, err := p.db.commitRecord(e.Version) // it was written before journals told the time
	e.Time = c.Time
	return err
}

// take keeps the changes that are asked for.
func (p *journalPage) take(e *backend.JournalEntry, changes []codec.Change) {
	if e.Changes == nil {
		e.Changes = make([]backend.JournalChange, 0, len(changes))
	}
	for _, c := range changes {
		if p.r.Keeps(c) {
			e.Changes = append(e.Changes, backend.JournalChange{Change: c})
			p.changes++
		}
	}
}

// noteHistory counts what an iterator went over.
func (d *DB) noteHistory(it *pebble.Iterator) {
	s := it.Stats().InternalStats
	d.counters.historyKeys.Add(s.PointCount)
	d.counters.historyBytes.Add(s.KeyBytes + s.ValueBytes)
}

// arena copies small slices into blocks that they share: an allocation each would cost more than
// the read. Whoever keeps a slice keeps its block.
type arena struct{ block []byte }

const arenaBlock = 64 << 10

func (a *arena) clone(b []byte) []byte {
	if len(b) > arenaBlock/8 {
		return bytes.Clone(b)
	}
	if len(b) > cap(a.block)-len(a.block) {
		a.block = make([]byte, 0, arenaBlock)
	}
	start := len(a.block)
	a.block = append(a.block, b...)
	return a.block[start:len(a.block):len(a.block)]
}
