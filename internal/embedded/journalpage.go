package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// journalPage is a run of commits of one layer.
type journalPage struct {
	db    *DB
	ctx   context.Context
	layer journalLayer
	r     *backend.JournalRange
	next  uint64
	limit int
	// whole, if not 0, takes the place of limit if the history ends within so many changes.
	whole int
	// most, if not 0, is how many commits it has at most.
	most int

	entries []backend.JournalEntry
	// lists are the changes of each entry as the journal names them, as long as they wait for what
	// a walk finds: then the entries have none. nil if they have.
	lists   []changeList
	changes int
	bytes   int
	cut     bool // given up for being too large
	gap     bool // a journal record is missing
	values  arena

	free    []backend.JournalChange // room for the changes of the commits to come
	named   []codec.Change          // the same for lists
	last    int                     // how many changes the last part had
	scratch []codec.Change          // of one part of a record
	scanned *scannedValues          // the values of all changes, if a walk has read them
}

// changeList are changes of a commit, with a checksum over what a walk should find of them.
type changeList struct {
	changes []codec.Change
	check   uint64
}

// read reads the journal records, and the values that are asked for.
func (p *journalPage) read() error {
	c, err := openDense(p.db.store, p.layer.scope.Number, codec.Journal)
	if err != nil {
		return err
	}
	err = p.readRecords(c)
	p.db.noteHistory(c.it)
	if err = errors.Join(err, c.close()); err != nil || p.r.Values == backend.NoValues {
		return err
	}
	return p.readValues()
}

// readRecords reads commits up to the limit.
func (p *journalPage) readRecords(c *denseCursor) error {
	number, limit := p.next, max(p.limit, p.whole)
	for ok := c.seek(number); ok; number++ {
		if c.version > p.layer.at {
			return nil
		}
		if p.changes >= limit {
			p.shorten()
			return nil
		}
		if p.most > 0 && len(p.entries) == p.most {
			return nil
		}
		if c.number != number {
			p.gap = true
			return p.layer.missing(number, c.number)
		}
		e := backend.JournalEntry{Version: c.version, Number: number}
		var err error
		if ok, err = p.readParts(c, &e); err != nil {
			return err
		}
		p.entries = append(p.entries, e)
	}
	return nil
}

// waits tells whether the changes wait in lists. A change in an entry is more than twice as large,
// and written a second time when its value is there.
func (p *journalPage) waits() bool {
	return p.r.Values == backend.NewValues && p.layer.scope.Number != codec.SystemScope
}

// shorten leaves out what was read in the hope that it would be all.
func (p *journalPage) shorten() {
	n := 0
	for i := range p.entries {
		if n += p.count(i); n >= p.limit {
			p.entries, p.changes = p.entries[:i+1], n
			if p.lists != nil {
				p.lists = p.lists[:i+1]
			}
			return
		}
	}
}

// count is how many changes of an entry are kept.
func (p *journalPage) count(i int) int {
	if p.lists != nil {
		return len(p.lists[i].changes)
	}
	return len(p.entries[i].Changes)
}

// primitive is that of a change of an entry.
func (p *journalPage) primitive(i, j int) codec.Primitive {
	if p.lists != nil {
		return p.lists[i].changes[j].Primitive
	}
	return p.entries[i].Changes[j].Primitive
}

// readParts reads all parts of the record under a cursor, and moves it on to the next one.
func (p *journalPage) readParts(c *denseCursor, e *backend.JournalEntry) (more bool, err error) {
	more = true
	before := p.changes
	var list []codec.Change
	for part, parts := 0, 1; part < parts; part++ {
		if part > 0 && (!more || c.number != e.Number || c.version != e.Version) {
			return false, fmt.Errorf("%w: commit %d: part %d of record %d of scope %d", errNoJournal,
				e.Version, part, e.Number, p.layer.scope.Number)
		}
		room := p.scratch
		if p.waits() {
			room = p.nameRoom()
		}
		rec, err := codec.DecodeJournalRecordInto(e.Number, p.values.clone(c.record), room)
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
		if p.waits() {
			list = p.name(list, rec.Changes)
		} else {
			p.scratch = rec.Changes[:0]
			p.take(e, rec.Changes)
		}
		more = c.next()
	}
	if p.waits() {
		p.lists = append(p.lists, changeList{list, listCheck(list, uint32(before))})
	}
	return more, nil
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

const (
	fewestRoom = 16
	mostRoom   = 512
)

// take keeps the changes that are asked for. The commits of a page share what they lie in.
func (p *journalPage) take(e *backend.JournalEntry, changes []codec.Change) {
	before := len(e.Changes)
	if before == 0 {
		if len(p.free) < len(changes) {
			p.free = make([]backend.JournalChange,
				max(len(changes), min(max(2*p.changes, fewestRoom), mostRoom)))
		}
		e.Changes = p.free[:0:len(changes)]
	}
	for i := range changes {
		if p.r.Keeps(changes[i]) {
			e.Changes = append(e.Changes, backend.JournalChange{})
			e.Changes[len(e.Changes)-1].Change = changes[i]
		}
	}
	if before == 0 {
		n := len(e.Changes)
		e.Changes, p.free = e.Changes[:n:n], p.free[n:]
	}
	p.changes += len(e.Changes) - before
}

// nameRoom is where the changes of the next part go, as far as they fit.
func (p *journalPage) nameRoom() []codec.Change {
	if len(p.named) < p.last {
		p.named = make([]codec.Change, max(p.last, min(max(2*p.changes, fewestRoom), mostRoom)))
	}
	return p.named
}

// name keeps the changes of a part of a record that are asked for, in the list of its commit. Those
// of a page share what they lie in.
func (p *journalPage) name(list, changes []codec.Change) []codec.Change {
	kept := changes[:0]
	if len(p.r.Only) == 0 {
		kept = changes
	}
	for _, c := range changes[len(kept):] {
		if p.r.Keeps(c) {
			kept = append(kept, c)
		}
	}
	p.changes += len(kept)
	if len(changes) <= len(p.named) && len(changes) > 0 && &changes[0] == &p.named[0] {
		p.named = p.named[len(kept):]
	}
	p.last = len(changes)
	if list == nil {
		return kept[:len(kept):len(kept)]
	}
	return append(list, kept...)
}

// noteHistory counts what an iterator went over.
func (d *DB) noteHistory(it *pebble.Iterator) {
	s := it.Stats().InternalStats
	d.counters.historyKeys.Add(s.PointCount)
	d.counters.historyBytes.Add(s.KeyBytes + s.ValueBytes)
}

// arena copies small slices into blocks that they share: an allocation each would cost more than
// the read. Whoever keeps a slice keeps its block. The first blocks are small: who follows what is
// committed reads one commit at a time.
type arena struct{ block []byte }

const (
	firstBlock = 512
	arenaBlock = 64 << 10
)

func (a *arena) clone(b []byte) []byte {
	if len(b) > arenaBlock/8 {
		return bytes.Clone(b)
	}
	if len(b) > cap(a.block)-len(a.block) {
		a.block = make([]byte, 0, max(len(b), min(max(2*cap(a.block), firstBlock), arenaBlock)))
	}
	start := len(a.block)
	a.block = append(a.block, b...)
	return a.block[start:len(a.block):len(a.block)]
}
