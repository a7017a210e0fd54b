package embedded

import (
	"cmp"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// check decides whether the request may commit here and now. It reads memory only, and it writes
// nothing. REQUIRES: the commit lock.
func (p *plan) check() error {
	if err := p.db.running(); err != nil {
		return err
	}
	if p.req.Pin != nil {
		if err := p.req.Pin.Err(); err != nil {
			return err
		}
	}
	for i := range p.scopes {
		s := &p.scopes[i]
		if s.created {
			if err := p.checkParent(s); err != nil {
				return err
			}
			continue
		}
		if s.handle.Number == codec.SystemScope {
			continue
		}
		if s.state.phase.Load() == scopeGone {
			return goneError(s.handle)
		}
		if err := p.admits(s); err != nil {
			return err
		}
	}
	if err := p.checkRead(); err != nil {
		return err
	}
	return p.checkKeys()
}

// checkRead refuses requests that have read from a scope that is gone: what they read is gone too.
// (A pin keeps the state of a scope that was deleted after it.)
func (p *plan) checkRead() error {
	var last *backend.Scope
	exists := func(s *backend.Scope) bool {
		if s == last {
			return true
		}
		last = s
		st := p.db.state(s)
		return st == nil || st.phase.Load() != scopeGone
	}
	for i := range p.req.Reads {
		if s := p.req.Reads[i].Scope; !exists(s) {
			return goneError(s)
		}
	}
	for i := range p.req.Ranges {
		if s := p.req.Ranges[i].Scope; !exists(s) {
			return goneError(s)
		}
	}
	for i := range p.req.Conditions {
		if s := p.req.Conditions[i].Scope; !exists(s) {
			return goneError(s)
		}
	}
	return nil
}

// checkKeys validates conditions, reads and ranges, and lists every key that fails.
func (p *plan) checkKeys() error {
	var failed []backend.Conflict
	for i, c := range p.req.Conditions {
		found := p.newest(c.Scope, c.Primitive, c.Key, p.conditions[i])
		if found.Stamp != c.Expected {
			failed = append(failed, backend.Conflict{
				Scope: c.Scope.Number, Primitive: c.Primitive, Key: c.Key,
				Expected: c.Expected, Found: found.Stamp, CAS: true,
			})
		}
	}
	for i := range p.req.Reads {
		r := &p.req.Reads[i]
		if stamp, changed := p.changed(i, r); changed {
			failed = append(failed, backend.Conflict{
				Scope: r.Scope.Number, Primitive: r.Primitive, Key: r.Key,
				Expected: r.Stamp, Found: stamp,
			})
		}
	}
	for i := range p.ranges {
		failed = p.ranges[i].check(p, failed)
	}
	failed = p.older.check(p, failed)
	if len(failed) == 0 {
		return nil
	}
	return &backend.ConflictError{Keys: sortConflicts(failed)}
}

// changed tells whether a key that was read has another stamp now. A key that the memtable does not
// know is unchanged: it has no version newer than the request's pin.
func (p *plan) changed(i int, r *backend.Read) (stamp uint64, changed bool) {
	if r.Hint != 0 {
		if stamp, ok := p.db.table.StampAt(memtable.Ref(r.Hint)); ok {
			return stamp, stamp != r.Stamp
		}
	}
	st := p.db.state(r.Scope)
	if st == nil {
		return 0, false
	}
	rec, _, answer := st.mem.Newest(byte(r.Primitive), r.Key)
	switch {
	case rec.Version == 0 && st.lineage.Load() != nil:
		return p.older.changed(i, r) // it has no own record of the key
	case answer == memtable.Found:
		return rec.Stamp, rec.Stamp != r.Stamp
	case answer == memtable.Absent:
		return 0, r.Stamp != 0
	}
	return 0, false
}

// sortConflicts brings conflicts into key order and drops what is listed twice: a key that was read
// and also lies in a range. The entry of a CAS, then that of a read, comes first.
func sortConflicts(keys []backend.Conflict) []backend.Conflict {
	slices.SortStableFunc(keys, func(a, b backend.Conflict) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Primitive, b.Primitive),
			cmp.Compare(a.Key, b.Key))
	})
	return slices.CompactFunc(keys, func(a, b backend.Conflict) bool {
		return a.Scope == b.Scope && a.Primitive == b.Primitive && a.Key == b.Key &&
			a.CAS == b.CAS && (!a.CAS || a.Expected == b.Expected)
	})
}

// settle decides, at the commit's place and time, which deletes and expiries take effect. If
// prepare foresaw it differently the batch is encoded anew: rare, and memory only.
// REQUIRES: the commit lock.
func (p *plan) settle(now int64) error {
	changed := false
	for i := range p.writes {
		w := &p.writes[i]
		record := w.isScopeRecord()
		if w.Op == backend.Put && !record {
			continue
		}
		skip := idle(w.Write, p.newest(w.Scope, w.Primitive, w.Key, w.found), now)
		changed = changed || skip != w.skip
		w.skip = skip
		if record {
			buries := buried(w, p.before(w))
			changed = changed || buries != w.buries
			w.buries = buries
		}
	}
	if !changed {
		return nil
	}
	return p.encode()
}

// empty tells whether nothing is left to write.
func (p *plan) empty() bool { return p.live == 0 && len(p.req.Appends) == 0 }

// apply puts the commit into the memtable, where readers do not see it before its version is
// published. REQUIRES: the commit lock, and that the batch is logged.
func (p *plan) apply() {
	for i := range p.scopes {
		s := &p.scopes[i]
		if s.created {
			s.state = p.db.addStateLocked(s.handle.Number, true)
			s.state.extents = s.facts.extents
			s.state.lineage.Store(s.facts.lineage)
			s.state.phase.Store(scopeOpen)
			remember(s.handle, s.state)
		}
	}
	for i := range p.writes {
		p.applyWrite(&p.writes[i])
	}
	p.applyEvents()
	for i := range p.scopes {
		if s := &p.scopes[i]; s.number != 0 {
			s.state.count(s.number, p.version)
		}
	}
	p.db.order.commit = p.version
}

// applyEvents puts the events and their index entries into the memtable, out of what was encoded:
// the memtable copies.
func (p *plan) applyEvents() {
	for i := range p.events {
		e := &p.events[i]
		st := p.scopes[e.scope].state
		key := p.out[e.keyEnd-codec.EventTypeSequenceOffset : e.keyEnd-userKeyEnd]
		st.mem.Apply(byte(codec.Events), alias(key), p.record(p.out[e.value+1:e.valueEnd]))
		key = p.out[e.typeKey+codec.UserKeyOffset(st.number) : e.typeKeyEnd-userKeyEnd]
		st.mem.Apply(byte(codec.Events.Index()), alias(key), p.record(indexEntry[1:]))
	}
	if len(p.events) == 0 {
		return
	}
	for i := range p.scopes {
		if s := &p.scopes[i]; s.number != 0 {
			s.state.events = s.events
		}
	}
}

// record is a memtable record of this commit. Values too large to keep stay in the store.
func (p *plan) record(value []byte) memtable.Record {
	r := memtable.Record{Version: p.version, Stamp: p.version, Value: value}
	if len(value) > p.db.maxKept {
		r.Value, r.Elsewhere = nil, true
	}
	return r
}

func (p *plan) applyWrite(w *planWrite) {
	if w.skip {
		return
	}
	r := p.record(w.Value)
	r.Expiry = w.Expiry
	switch w.Op {
	case backend.Delete:
		r = memtable.Record{Version: p.version, Stamp: p.version, Deleted: true}
	case backend.Expire:
		r = memtable.Record{Version: p.version, Stamp: w.Stamp, Deleted: true}
	}
	if w.isScopeRecord() {
		p.applyRecord(w)
	}
	p.scopes[w.scope].state.mem.Apply(byte(w.Primitive), w.Key, r)
}
