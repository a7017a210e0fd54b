package embedded

import (
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The commit that deletes a scope's record is all that deletion takes: readers and writers go by
// the record. In the same batch it leaves a note in the graveyard, so that the space is freed
// whatever happens: the scope's number, and the keys of the system scope whose older versions go
// with it. What becomes of the notes is told in graveyard.go.

// buried is the scope that ceases to exist with a write, given the newest record of its key; 0 if
// none does.
func buried(w *planWrite, before backend.Record) codec.Scope {
	if !w.isScopeRecord() || w.skip || !before.Exists() {
		return 0
	}
	old, err := codec.DecodeScopeRecord(before.Value)
	if err != nil {
		return 0 // it was checked when it was written: nobody can know a scope by it
	}
	if w.Op == backend.Put {
		// It was checked by arrange.
		if rec, _ := codec.DecodeScopeRecord(w.Value); rec.Number == old.Number {
			return 0
		}
	}
	return old.Number
}

// recordKnown tells whether the newest value of every scope record that is written is at hand. A
// large one is not kept in memory, and was read by prepare; if there is a newer one, prepare has to
// read again when version stale is published. REQUIRES: the commit lock.
func (p *plan) recordKnown() bool {
	for i := range p.writes {
		w := &p.writes[i]
		if w.Scope.Number != codec.SystemScope {
			break // the system scope's come first
		}
		if !w.isScopeRecord() {
			continue
		}
		st := p.db.stateLocked(w.Scope)
		rec, _, answer := st.mem.Newest(byte(w.Primitive), w.Key)
		if answer == memtable.Found && rec.Elsewhere && rec.Version != w.found.Version {
			p.stale = rec.Version
			return false
		}
	}
	return true
}

// before is the newest record of a scope record's key, with its value. REQUIRES: the commit lock,
// recordKnown.
func (p *plan) before(w *planWrite) backend.Record {
	rec := p.newest(w.Scope, w.Primitive, w.Key, w.found)
	if rec.Version == w.found.Version {
		return w.found
	}
	return rec
}

// encodeGraves adds a note for every scope that ceases to exist. The first one also names the index
// entries that the commit deletes in the system scope.
func (p *plan) encodeGraves() error {
	var entries []codec.Change
	for i := range p.writes {
		w := &p.writes[i]
		if w.Scope.Number != codec.SystemScope {
			break // the system scope's come first
		}
		if w.Primitive == codec.RunIndex && w.Op != backend.Put && !w.skip {
			entries = append(entries,
				codec.Change{Primitive: w.Primitive, Op: codec.ChangeDelete, Key: w.Key})
		}
		if w.buries == 0 {
			continue
		}
		op := codec.ChangeDelete
		if w.Op == backend.Put {
			op = codec.ChangePut
		}
		key, err := codec.AppendKey(p.scratch[:0], codec.SystemScope, codec.Graveyard,
			codec.GraveUserKey(w.buries))
		if err != nil {
			return err
		}
		p.scratch = codec.AppendVersion(key, maxVersion)
		p.scratch2 = codec.AppendJournalRecord(p.scratch2[:0], codec.JournalRecord{
			Parts:   1,
			Changes: append(entries, codec.Change{Primitive: w.Primitive, Op: op, Key: w.Key}),
		})
		entries = nil
		p.set(p.scratch, p.scratch2)
	}
	return nil
}

// applyRecord lets a scope record that is written rule from this commit on. REQUIRES: the commit
// lock.
func (p *plan) applyRecord(w *planWrite) {
	if w.buries != 0 {
		p.db.buryLocked(w.buries, p.version)
		p.db.graveyard.add(grave{scope: w.buries, version: p.version})
		p.buries = true
	}
	if w.Op == backend.Put {
		p.db.watchLocked(w.Value)
	}
}
