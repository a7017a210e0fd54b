package memtable

import (
	"math"
	"sync/atomic"
)

// Table is the memtable. See the package comment for who may call what.
type Table struct {
	index index
	arena arena
	held  atomic.Int64 // bytes
	keys  atomic.Int64

	// The writer's:
	log    writeLog
	scopes map[uint64]*Scope // by id; a dropped scope is not in it
	lastID uint64
	newest uint64   // greatest version in the store
	cold   []*Scope // marked, with entries to evict
	doomed []*Scope // dropped, with entries to remove
}

// New makes an empty table.
func New(o Options) *Table {
	t := &Table{scopes: make(map[uint64]*Scope), newest: o.Newest}
	t.index.init()
	t.arena.init(o.SegmentSize, &t.held)
	return t
}

// Bytes is the memory held now: segments, index, orders, log. Memory that only handed-out values
// keep alive is not in it. Any goroutine.
func (t *Table) Bytes() int64 { return t.held.Load() }

// Keys is the number of entries, tombstones and known absences included. Any goroutine.
func (t *Table) Keys() int64 { return t.keys.Load() }

// StampAt is what validation sees of the entry at ref: the stamp of its newest record. ok is false
// when the entry was moved or evicted since: then look the key up. Cost: one load from the entry.
// Writer.
func (t *Table) StampAt(ref Ref) (stamp uint64, ok bool) {
	if ref == 0 {
		return 0, false
	}
	e := t.arena.at(uint64(ref))
	if e == nil {
		return 0, false
	}
	stamp = atomic.LoadUint64(&e[entryStamp])
	if stamp == dead {
		return 0, false
	}
	if len(t.doomed) > 0 && t.scopes[identScope(e[entryIdent])] == nil {
		return 0, false
	}
	return stamp, true
}

// Get finds the newest record of a key at or below version at. Unknown, with an empty record, says
// that the store must be asked: the key is not in memory, or only newer versions of it are, or the
// scope was dropped. The Ref is set whenever there is an entry. Zero copy, no allocation, no lock.
// Any goroutine.
func (s *Scope) Get(p byte, key string, at uint64) (Record, Ref, Answer) {
	if len(key) > maxKeyLen {
		return Record{}, 0, s.miss()
	}
	t := s.t
	h, id := t.index.hash(s.id, p, key), ident(s.id, p, len(key))
	for {
		e, off, _, _ := t.find(h, id, key)
		if e == nil {
			// The mark is read after the lookup: eviction sets it before it removes anything, so
			// a complete scope here means that the lookup missed nothing.
			return Record{}, 0, s.miss()
		}
		if v, value, ok := t.arena.plain(e, off, at); ok && s.state.Load()&stateDropped == 0 {
			return Record{Version: v, Stamp: v, Value: value}, Ref(off), Found
		}
		var r Record
		ans, stale := t.arena.read(e, off, at, &r)
		if stale {
			continue
		}
		if s.state.Load()&stateDropped != 0 {
			return Record{}, 0, Unknown
		}
		return r, Ref(off), ans
	}
}

// Plain is Get for what most reads meet, a third faster because nothing but words is returned: the
// value of a key whose newest record at or below at is an ordinary one, or the certainty that the
// key is absent (version 0). Of anything else it says not ok, and Get tells. Any goroutine.
func (s *Scope) Plain(
	p byte, key string, at uint64,
) (value []byte, version uint64, ref Ref, ok bool) {
	if len(key) > maxKeyLen {
		return nil, 0, 0, s.miss() == Absent
	}
	t := s.t
	e, off, _, _ := t.find(t.index.hash(s.id, p, key), ident(s.id, p, len(key)), key)
	if e == nil {
		return nil, 0, 0, s.miss() == Absent // the mark is read after the lookup, see Get
	}
	version, value, ok = t.arena.plain(e, off, at)
	if !ok || s.state.Load()&stateDropped != 0 {
		return nil, 0, 0, false
	}
	return value, version, Ref(off), true
}

// Newest is Get of the newest record, whatever its version. Writer.
func (s *Scope) Newest(p byte, key string) (Record, Ref, Answer) {
	return s.Get(p, key, math.MaxUint64)
}

// miss is the answer for a key that is not in the index.
func (s *Scope) miss() Answer {
	if s.state.Load()&stateComplete != 0 {
		return Absent
	}
	return Unknown
}
