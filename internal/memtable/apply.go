package memtable

import (
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/invariants"
)

// Apply adds a key's new newest version and returns where its entry is. r.Version is greater than
// all versions applied before, or equal within one commit; r.Value is copied. A new entry of a
// scope that is not complete has its chain marked cut: snapshots below r.Version are Unknown.
// The caller publishes the version when the whole commit is applied; until then no reader asks for
// it. On a dropped scope it does nothing. Writer.
//
// REQUIRES: 0 < r.Stamp <= r.Version, len(key) < 64 KiB, len(r.Value) < 1 GiB.
func (s *Scope) Apply(p byte, key string, r Record) Ref {
	if s.state.Load()&stateDropped != 0 || len(key) > maxKeyLen {
		return 0
	}
	t := s.t
	if invariants.Enabled && (r.Version < t.newest || r.Stamp == 0 || r.Stamp > r.Version) {
		invariants.Failf("apply: version %d, stamp %d after version %d",
			r.Version, r.Stamp, t.newest)
	}
	t.newest = r.Version
	h, id := t.index.hash(s.id, p, key), ident(s.id, p, len(key))
	e, off, _, _ := t.find(h, id, key)
	var serial uint32
	if e == nil {
		var cut uint64
		if s.state.Load()&stateComplete == 0 {
			cut = flagCut
		}
		off, serial = s.create(h, id, key, &r, cut, 0)
	} else {
		t.overwrite(e, off, &r)
		serial = uint32(e[entrySerial])
	}
	if r.Stamp == r.Version {
		s.lastLog = t.log.add(&t.held, r.Version, s.lastLog, p, serial)
		s.lastWrite.Store(r.Version)
	}
	return Ref(off)
}

// create makes an entry with its first record and publishes it: record and entry first, then the
// order, then the index.
func (s *Scope) create(h, id uint64, key string, r *Record, cut, since uint64) (uint64, uint32) {
	t := s.t
	sh := shapeOf(r)
	sh.meta |= cut
	n, first := entrySize(id), sh.words
	apart := t.arena.large(n + first)
	if apart {
		first = recordTail // an empty record in the place of the first, dead from the start
	}
	off, w := t.arena.alloc(n+first, r.Version)
	w[entryHead] = off + uint64(n)
	w[entryStamp] = r.Stamp
	w[entryIdent] = id
	if len(key) > 0 {
		copy(bytesAt(w[entryKey:], len(key)), key)
	}
	if apart {
		t.arena.free(off+uint64(n), first)
		w[entryHead] = t.appendRecord(off, sh, r, 0)
	} else {
		putRecord(w[n:], sh, r, 0, since)
	}
	o := s.makeOrder(identPrimitive(id))
	serial := o.reserve()
	w[entrySerial] = uint64(serial)
	o.add(s, serial, off, keyOf(w))
	t.insert(h, off)
	s.keys.Add(1)
	t.keys.Add(1)
	return off, serial
}

// overwrite puts a record in front of an entry's chain. The stamp follows the head: validation,
// which is the only one to read it, shares the writer's lock.
func (t *Table) overwrite(e []uint64, off uint64, r *Record) {
	old := e[entryHead]
	atomic.StoreUint64(&e[entryHead], t.appendRecord(off, shapeOf(r), r, old))
	atomic.StoreUint64(&e[entryStamp], r.Stamp)
	t.arena.free(old, t.recordItem(e, off, old))
}

// appendRecord writes a record as an item of its own and returns where it is.
func (t *Table) appendRecord(off uint64, sh shape, r *Record, older uint64) uint64 {
	at, w := t.arena.alloc(1+sh.words, r.Version)
	w[0] = recordMark | off
	putRecord(w[1:], sh, r, older, 0)
	return at + 1
}

// recordItem is the number of words that an entry's record takes up in the arena: one that was
// appended has a word before it.
func (t *Table) recordItem(e []uint64, off, record uint64) int {
	n := recordLen(t.arena.at(record))
	if record != off+uint64(entrySize(e[entryIdent])) {
		n++
	}
	return n
}

// Admit takes over what the store said of a key at version since: its newest record then, or, with
// r.Version 0, that it did not exist. It does nothing if there is an entry, or if a newer version
// may have come and gone since. Snapshots below r.Version, or below since for a key that did not
// exist, stay Unknown. Admission is no write: neither LastWrite nor WritesSince sees it. Writer.
//
// REQUIRES: what Apply requires of sizes; r.Version <= since; every commit up to since was applied.
func (s *Scope) Admit(p byte, key string, r Record, since uint64) {
	if s.state.Load()&stateDropped != 0 || len(key) > maxKeyLen || since < s.evicted {
		return
	}
	if invariants.Enabled && r.Version > since {
		invariants.Failf("admit: version %d read at %d", r.Version, since)
	}
	t := s.t
	h, id := t.index.hash(s.id, p, key), ident(s.id, p, len(key))
	if e, _, _, _ := t.find(h, id, key); e != nil || r.Version == 0 && s.Complete() {
		return // in a complete scope a miss says more: absent at every version
	}
	s.create(h, id, key, &r, flagCut, since)
}
