// Package memtable is a stand-in with the final API: one mutex, maps, a sort per scan.
package memtable

import (
	"sort"
	"sync"
)

type keyID struct {
	p   byte
	key string
}

type entry struct {
	ref  Ref
	vers []Record // newest first
	cut  bool
	neg  uint64 // since + 1
}

// Table is the memtable.
type Table struct {
	mu     sync.RWMutex
	scopes map[*Scope]bool
	byRef  map[Ref]*entry
	next   Ref
	bytes  int64
	keys   int64
}

// Scope is one scope.
type Scope struct {
	t                       *Table
	complete, dropped, cold bool
	last, evicted           uint64
	m                       map[keyID]*entry
}

// New makes a table.
func New(Options) *Table {
	return &Table{scopes: map[*Scope]bool{}, byRef: map[Ref]*entry{}}
}

// Bytes is the memory held.
func (t *Table) Bytes() int64 { t.mu.RLock(); defer t.mu.RUnlock(); return t.bytes }

// Keys is the number of entries.
func (t *Table) Keys() int64 { t.mu.RLock(); defer t.mu.RUnlock(); return t.keys }

// NewScope adds a scope.
func (t *Table) NewScope(_ uint64, complete bool) *Scope {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &Scope{t: t, complete: complete, m: map[keyID]*entry{}}
	t.scopes[s] = true
	return s
}

// DropScope frees a scope.
func (t *Table) DropScope(s *Scope) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.dropped, s.complete = true, false
	for k := range s.m {
		s.remove(k)
	}
	delete(t.scopes, s)
}

func (s *Scope) remove(k keyID) (n int64) {
	e := s.m[k]
	for _, r := range e.vers {
		n += int64(len(r.Value)) + 80
	}
	delete(s.m, k)
	delete(s.t.byRef, e.ref)
	s.t.bytes -= n
	s.t.keys--
	return n
}

// Complete reports whether a miss is an absence.
func (s *Scope) Complete() bool { s.t.mu.RLock(); defer s.t.mu.RUnlock(); return s.complete }

// LastWrite is the version of the newest real write.
func (s *Scope) LastWrite() uint64 { s.t.mu.RLock(); defer s.t.mu.RUnlock(); return s.last }

// Keys is the number of entries of the scope.
func (s *Scope) Keys() int64 { s.t.mu.RLock(); defer s.t.mu.RUnlock(); return int64(len(s.m)) }

// Cold reports whether MarkCold was called.
func (s *Scope) Cold() bool { s.t.mu.RLock(); defer s.t.mu.RUnlock(); return s.cold }

// MarkCold makes the scope the first to be evicted.
func (s *Scope) MarkCold() { s.t.mu.Lock(); defer s.t.mu.Unlock(); s.cold = true }

// Get looks a key up.
func (s *Scope) Get(p byte, key string, at uint64) (Record, Ref, Answer) {
	s.t.mu.RLock()
	defer s.t.mu.RUnlock()
	e := s.m[keyID{p, key}]
	switch {
	case s.dropped:
		return Record{}, 0, Unknown
	case e == nil && s.complete:
		return Record{}, 0, Absent
	case e == nil:
		return Record{}, 0, Unknown
	}
	for _, r := range e.vers {
		if r.Version <= at && (r.Version != 0 || at+1 >= e.neg) {
			return r, e.ref, Found
		}
	}
	if e.cut {
		return Record{}, e.ref, Unknown
	}
	return Record{}, e.ref, Absent
}

// Newest looks the newest version up.
func (s *Scope) Newest(p byte, key string) (Record, Ref, Answer) { return s.Get(p, key, ^uint64(0)) }

// StampAt is the stamp of an entry.
func (t *Table) StampAt(ref Ref) (uint64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e := t.byRef[ref]; e != nil {
		return e.vers[0].Stamp, true
	}
	return 0, false
}

// Apply adds a version.
func (s *Scope) Apply(p byte, key string, r Record) Ref {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if r.Stamp == r.Version {
		s.last = r.Version
	}
	return s.add(p, key, r, !s.complete).ref
}

func (s *Scope) add(p byte, key string, r Record, cut bool) *entry {
	k := keyID{p, key}
	e := s.m[k]
	if e == nil {
		s.t.next++
		e = &entry{ref: s.t.next, cut: cut}
		s.m[k] = e
		s.t.byRef[e.ref] = e
		s.t.keys++
	}
	r.Value = append([]byte(nil), r.Value...)
	e.vers = append([]Record{r}, e.vers...)
	s.t.bytes += int64(len(r.Value)) + 80
	return e
}

// Admit adds what the store said as of since, unless there is an entry.
func (s *Scope) Admit(p byte, key string, r Record, since uint64) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.dropped || s.m[keyID{p, key}] != nil || since < s.evicted {
		return
	}
	e := s.add(p, key, r, true)
	if r.Version == 0 {
		e.neg = since + 1
	}
}

// WritesSince yields what was written since version.
func (s *Scope) WritesSince(version uint64, p byte, start, end string,
	yield func(key string, stamp uint64) bool) {
	s.t.mu.RLock()
	defer s.t.mu.RUnlock()
	for k, e := range s.m {
		if k.p == p && k.key >= start && (end == "" || k.key < end) && e.vers[0].Stamp > version {
			if !yield(k.key, e.vers[0].Stamp) {
				return
			}
		}
	}
}

// Forget says that WritesSince will not be asked below horizon.
func (t *Table) Forget(uint64) {}

// Evict frees memory.
func (t *Table) Evict(horizon uint64, bytes int64) (entries int, freed int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.scopes {
		for k, e := range s.m {
			if freed >= bytes {
				return entries, freed
			}
			if e.vers[0].Version <= horizon {
				s.complete = false
				s.evicted = max(s.evicted, e.vers[0].Version)
				freed += s.remove(k)
				entries++
			}
		}
	}
	return entries, freed
}

// Cursor walks a scope.
type Cursor struct {
	s       *Scope
	p       byte
	at      uint64
	keys    []string
	i       int
	rec     Record
	partial bool
}

// Scan walks a range.
func (s *Scope) Scan(p byte, start, end string, reverse bool, at uint64) *Cursor {
	s.t.mu.RLock()
	defer s.t.mu.RUnlock()
	c := &Cursor{s: s, p: p, at: at, i: -1}
	for k := range s.m {
		if k.p == p && k.key >= start && (end == "" || k.key < end) {
			c.keys = append(c.keys, k.key)
		}
	}
	sort.Slice(c.keys, func(i, j int) bool { return (c.keys[i] < c.keys[j]) != reverse })
	return c
}

// Next moves on.
func (c *Cursor) Next() bool {
	for !c.partial && c.i+1 < len(c.keys) {
		c.i++
		r, _, a := c.s.Get(c.p, c.keys[c.i], c.at)
		if !c.s.Complete() || a == Unknown {
			break
		}
		if a == Found && !r.Deleted && r.Version != 0 {
			c.rec = r
			return true
		}
	}
	c.partial = c.partial || !c.s.Complete() || c.i+1 < len(c.keys)
	c.i = len(c.keys)
	return false
}

// Key is the key.
func (c *Cursor) Key() string { return c.keys[c.i] }

// Record is the record.
func (c *Cursor) Record() Record { return c.rec }

// Partial reports whether the rest must come from the store.
func (c *Cursor) Partial() bool { return c.partial }

// Close ends the cursor.
func (c *Cursor) Close() {}
