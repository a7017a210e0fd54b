package embedded

import (
	"context"
	"sync"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// plan is a request on its way through the commit path. Plans are pooled; nothing of one outlives
// its commit.
type plan struct {
	db  *DB
	req *backend.Request

	pin        *pin   // held while what was read must stay true; nil if nothing is read
	at         uint64 // its version
	stale      uint64 // a scope's record was written at this version since: wait for it, then again
	scopes     []planScope
	writes     []planWrite
	ranges     []rangeGroup
	conditions []backend.Record // what prepare found, in the order of req.Conditions
	older      older

	// What the log gets: out, a batch of Pebble's without the journal and commit records, which lie
	// apart because most commits bring them into the queue without keys of their own.
	out          []byte
	count        uint32 // records in out
	patches      []int  // where in out a version goes
	journals     []byte // the values of the journal records
	commitRecord []byte // the commit record, in scratch2

	scratch  []byte // for keys
	scratch2 []byte // for values
	numbers  []codec.ScopeCommit

	seen     uint64 // newest commit when the request was checked
	existed  int
	expired  int
	deadline int64 // the latest of what is put; 0: none
	live     int   // writes that take effect
	version  uint64
	appended []backend.Appended
	events   []planEvent // in the order of req.Appends
	wait     bool
	handed   bool // to Pebble, which may keep out; what became of it is not known if that failed
	buries   bool // a scope ceased to exist
}

// planScope is one scope that the commit writes to.
type planScope struct {
	handle  *backend.Scope
	state   *scopeState // set under the lock
	created bool
	derived bool // only index entries of it are written
	facts   scopeFacts
	known   bool   // facts were read
	number  uint64 // the commit's number in the scope
	changes []codec.Change
	journal []journalPart
	writes  int       // how many of the changes are writes; the events come after them
	events  eventHead // where the next event goes, while the commit is stamped
}

// planEvent is where one event lies in plan.out: the ends of the keys of the event and of its
// index entry, and its envelope.
type planEvent struct {
	scope           int // index into plan.scopes
	keyEnd          int
	value, valueEnd int
	typeKey         int // start of the index entry's key
	typeKeyEnd      int
}

// journalPart is where the value of one part of a scope's journal record lies in plan.journals.
type journalPart struct{ from, to, part int }

// planWrite is one write with what is known of its key.
type planWrite struct {
	*backend.Write
	scope int            // index into plan.scopes
	found backend.Record // by prepare, at plan.at
	skip  bool           // has nothing to do
	// buries is the scope that ceases to exist with this write of its record; 0 for none.
	buries codec.Scope
}

// maxPooled is the number of writes, events and conditions, each, up to which a plan's slices are
// kept for the next commit.
const maxPooled = 1024

// maxPooledBytes is the size up to which each of its buffers is kept.
const maxPooledBytes = 1 << 20

var planPool = sync.Pool{New: func() any { return new(plan) }}

func (d *DB) newPlan(r *backend.Request) *plan {
	p := planPool.Get().(*plan)
	p.db, p.req = d, r
	return p
}

// release returns everything the plan holds.
func (p *plan) release() {
	p.unpin()
	p.reset()
	planPool.Put(p)
}

// reset forgets the commit, and keeps what may serve the next one.
func (p *plan) reset() {
	if p.handed {
		p.out = nil
	}
	for i := range p.scopes {
		s := &p.scopes[i]
		changes, journal := s.changes, s.journal
		clear(changes)
		*s = planScope{changes: changes[:0], journal: journal[:0]}
	}
	clear(p.writes)
	clear(p.conditions)
	if max(cap(p.writes), cap(p.events), cap(p.conditions)) > maxPooled || max(cap(p.out),
		cap(p.journals), cap(p.scratch2)) > maxPooledBytes {
		*p = plan{} // one huge commit must not keep its memory for ever
	}
	*p = plan{
		scopes: p.scopes[:0], writes: p.writes[:0], conditions: p.conditions[:0],
		out: p.out[:0], patches: p.patches[:0], journals: p.journals[:0],
		scratch: p.scratch[:0], scratch2: p.scratch2[:0],
		numbers: p.numbers[:0], events: p.events[:0],
	}
}

// prepare does all that needs no lock: sort the writes, read what the checks will need, encode.
func (p *plan) prepare(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.arrange(); err != nil {
		return err
	}
	if err := p.db.relieve(ctx); err != nil {
		return err
	}
	p.ranges = groupRanges(p.req.Ranges)
	if p.needsReads() {
		p.takePin()
	}
	if err := p.loadScopes(ctx); err != nil {
		return err
	}
	if err := p.lookUp(ctx); err != nil {
		return err
	}
	if err := p.readOlder(ctx); err != nil {
		return err
	}
	return p.encode()
}

// needsReads tells whether something must be read before the lock: then a pin is needed. The state
// of a scope that is in use is known already.
func (p *plan) needsReads() bool {
	if len(p.req.Conditions) > 0 {
		return true
	}
	for i := range p.writes {
		if p.writes[i].Op != backend.Put || p.writes[i].isScopeRecord() {
			return true
		}
	}
	for i := range p.scopes {
		if !p.scopes[i].created && !p.isLoaded(p.scopes[i].handle) {
			return true
		}
	}
	return false
}

func (p *plan) isLoaded(s *backend.Scope) bool {
	st := p.db.state(s)
	return st != nil && st.phase.Load() != scopeUnknown
}

// loadScopes reads the facts of scopes that are not in use yet.
func (p *plan) loadScopes(ctx context.Context) (err error) {
	for i := range p.scopes {
		s := &p.scopes[i]
		s.known = false // what an earlier round read may be stale
		if s.created {
			if err := p.loadCreated(ctx, s); err != nil {
				return err
			}
			continue
		}
		if s.handle.Number == codec.SystemScope || p.isLoaded(s.handle) {
			continue
		}
		if p.pin == nil { // its state was dropped a moment ago
			p.takePin()
			if p.isLoaded(s.handle) { // asked behind the pin, see readScope
				continue
			}
		}
		if s.facts, err = p.db.loadScope(ctx, s.handle, p.at); err != nil {
			return err
		}
		s.known = true
	}
	return nil
}

// lookUp finds the current record of every key whose version decides something at the commit.
func (p *plan) lookUp(ctx context.Context) (err error) {
	p.conditions = p.conditions[:0]
	for _, c := range p.req.Conditions {
		if err := p.knowScope(ctx, c.Scope); err != nil {
			return err
		}
		rec, err := p.lookup(ctx, c.Scope, c.Primitive, c.Key)
		if err != nil {
			return err
		}
		p.conditions = append(p.conditions, rec)
	}
	now := int64(0)
	for i := range p.writes {
		w := &p.writes[i]
		if w.Op == backend.Put && !w.isScopeRecord() {
			continue
		}
		if now == 0 {
			now = p.judged(p.db.clock.now()) // reading it costs as much as encoding a small write
		}
		if w.found, err = p.lookup(ctx, w.Scope, w.Primitive, w.Key); err != nil {
			return err
		}
		w.skip = idle(w.Write, w.found, now)
		w.buries = buried(w, w.found)
	}
	return nil
}

// knowScope makes sure that the engine knows whether the scope of a condition exists.
func (p *plan) knowScope(ctx context.Context, s *backend.Scope) error {
	if err := validScope(s); err != nil || p.scopeOf(s) >= 0 || p.isLoaded(s) {
		return err
	}
	_, err := p.db.readable(ctx, s)
	return err
}

// idle tells whether a delete or expiry has nothing to do, given the key's newest record.
func idle(w *backend.Write, newest backend.Record, now int64) bool {
	expired := newest.Expiry != 0 && newest.Expiry <= now
	switch w.Op {
	case backend.Delete:
		return !newest.Exists() || expired
	case backend.Expire:
		return !newest.Exists() || !expired || newest.Stamp != w.Stamp
	}
	return false
}

// newest is a key's newest record, published or not. found is what prepare read: it still holds if
// the memtable cannot tell (invariant 2). REQUIRES: the commit lock.
func (p *plan) newest(
	s *backend.Scope, prim codec.Primitive, key string, found backend.Record,
) backend.Record {
	st := p.db.state(s)
	if st == nil {
		return found
	}
	rec, ref, answer := st.mem.Newest(byte(prim), key)
	switch {
	case rec.Version == 0 && st.lineage.Load() != nil:
		return found // inherited
	case answer == memtable.Found:
		return toRecord(rec, ref)
	case answer == memtable.Absent:
		return backend.Record{}
	}
	return found
}

// takePin fixes the version at which prepare reads.
func (p *plan) takePin() {
	p.pin = p.db.pins.acquire()
	p.at = p.pin.version
}

// unpin gives the own pin back.
func (p *plan) unpin() {
	if p.pin != nil {
		p.pin.Release()
		p.pin = nil
	}
}

// install puts the facts that were read into the states of the scopes. It reports false if facts
// are missing or stale. REQUIRES: the commit lock.
func (p *plan) install() bool {
	p.stale = 0
	if p.pin != nil && p.pin.ended.Load() {
		return false // memory was short: what prepare read is not vouched for any more
	}
	for i := range p.scopes {
		s := &p.scopes[i]
		if s.created {
			continue // made by apply, when the commit has its place
		}
		s.state = p.db.stateLocked(s.handle)
		if s.state.phase.Load() != scopeUnknown {
			continue
		}
		if !s.known || s.facts.raised != p.db.retained.raised.Load() {
			return false
		}
		if p.stale = p.db.installLocked(s.handle, s.state, s.facts); p.stale != 0 {
			return false
		}
	}
	return p.recordKnown()
}
