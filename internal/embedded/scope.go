package embedded

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// scopeState is what the engine knows of one scope while it is in use. It can be dropped at any
// time when no open transaction could miss it (DB.retireIdle) and is read again from the store when
// needed.
type scopeState struct {
	number  codec.Scope
	mem     *memtable.Scope
	retired atomic.Bool // dropped from the registry: look it up anew
	phase   atomic.Uint32
	goneAt  uint64 // version of the deletion; written before phase becomes scopeGone
	// horizons say what retention has removed; nil: nothing. Known from phase scopeOpen on.
	horizons atomic.Pointer[horizons]

	// lineage is where a fork comes from; nil for any other scope. Known from phase scopeOpen on.
	lineage atomic.Pointer[lineage]

	// Guarded by the commit lock. Known from phase scopeOpen on.
	status    codec.Status // of the scope's record
	importing bool         // it takes only what was committed elsewhere
	extents
}

// The phases of a scopeState. They only rise; changed under the commit lock, read without.
const (
	scopeUnknown uint32 = iota // its record was not read yet
	scopeOpen                  // its record exists
	scopeGone                  // deleted, or its id belongs to another scope now
)

// eventHead is where the next event goes.
type eventHead struct {
	next uint64
	hash codec.EventDigest
	time int64 // of the event before: an imported one may be of a clock that is ahead of ours
}

// registry finds the state of a scope by its number. Lock order: the commit lock comes before mu.
type registry struct {
	mu     sync.RWMutex
	states map[codec.Scope]*scopeState // guarded by mu
}

func (r *registry) get(n codec.Scope) *scopeState {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.states[n]
}

// state returns the state behind a handle for reading, or nil if the engine holds none; then the
// store answers.
func (d *DB) state(s *backend.Scope) *scopeState {
	if p := s.Cache.Load(); p != nil {
		if st, ok := (*p).(*scopeState); ok && !st.retired.Load() {
			return st
		}
	}
	st := d.scopes.get(s.Number)
	if st != nil {
		remember(s, st)
	}
	return st
}

func remember(s *backend.Scope, st *scopeState) {
	var a any = st
	s.Cache.Store(&a)
}

// stateLocked returns the state behind a handle, made anew if need be. A scope of which the engine
// held no state is not complete: its keys may be in the store. REQUIRES: the commit lock.
func (d *DB) stateLocked(s *backend.Scope) *scopeState {
	if st := d.state(s); st != nil {
		return st
	}
	st := d.addStateLocked(s.Number, false)
	remember(s, st)
	return st
}

// addStateLocked makes and registers a state. Only a scope that comes into being is complete: it
// provably has no key in the store. REQUIRES: the commit lock; there is no such state yet.
func (d *DB) addStateLocked(n codec.Scope, complete bool) *scopeState {
	st := &scopeState{number: n, mem: d.table.NewScope(uint64(n), complete)}
	if n == codec.SystemScope {
		st.status = codec.Active
		st.phase.Store(scopeOpen)
	}
	d.scopes.mu.Lock()
	d.scopes.states[n] = st
	d.scopes.mu.Unlock()
	return st
}

// scopeFacts are read from the store, outside the commit lock, at a pinned version.
type scopeFacts struct {
	stamp  uint64 // of the scope's record: proves under the lock that the facts still hold
	status codec.Status
	kind   codec.ScopeKind
	extents
	lineage *lineage

	horizons *horizons
	raised   uint64 // retentions.raised, before they were read
}

// loadScope reads what a commit must know of a scope.
func (d *DB) loadScope(ctx context.Context, s *backend.Scope, at uint64) (scopeFacts, error) {
	var f scopeFacts
	rec, err := d.lookup(ctx, d.system, codec.ScopeRecords, s.Record, at)
	if err != nil {
		return f, err
	}
	f.stamp = rec.Stamp
	if !rec.Exists() {
		return f, goneError(s)
	}
	scope, err := codec.DecodeScopeRecord(rec.Value)
	if err != nil {
		return f, err
	}
	if scope.Number != s.Number {
		return f, fmt.Errorf("%w: %s: there is a new run under this id", backend.ErrScopeGone, s.Record)
	}
	f.status, f.kind = scope.Status, scope.Kind
	f.raised = d.retained.raised.Load()
	if f.horizons, err = d.loadHorizons(s.Number); err != nil {
		return f, err
	}
	if f.lineage, err = d.loadLineage(ctx, scope); err != nil {
		return f, err
	}
	f.extents, err = d.ownExtents(s.Number, f.lineage, f.horizons, at)
	return f, err
}

// installLocked puts facts into a state if they still hold: the scope's record has the stamp that
// was read. Otherwise it returns the version at which the record was written since.
// REQUIRES: the commit lock, a pin at the version the facts were read at, a state not yet loaded.
func (d *DB) installLocked(s *backend.Scope, st *scopeState, f scopeFacts) (stale uint64) {
	system := d.stateLocked(d.system)
	rec, _, answer := system.mem.Newest(byte(codec.ScopeRecords), s.Record)
	if answer == memtable.Found && rec.Stamp != f.stamp {
		return rec.Version
	}
	st.status, st.extents = f.status, f.extents
	st.importing = f.kind == codec.KindImport
	st.lineage.Store(f.lineage)
	st.horizons.Store(f.horizons)
	st.phase.Store(scopeOpen)
	return 0
}

// gone tells whether readers find the scope gone: they see the commit that deleted it. Until then
// its keys are all in the store, and are read from there.
func (d *DB) gone(st *scopeState) bool {
	return st.phase.Load() == scopeGone && st.goneAt <= d.published.load()
}

// stillThere is asked after a read: do readers still find the scope? It returns the state to go on
// with. One that was dropped since the read began does not learn of a deletion any more, and the
// keys may have been freed under the read.
func (d *DB) stillThere(
	ctx context.Context, s *backend.Scope, st *scopeState,
) (*scopeState, error) {
	if st.retired.Load() {
		return d.readable(ctx, s)
	}
	if d.gone(st) {
		return st, goneError(s)
	}
	return st, nil
}

// buryLocked ends a scope with the commit of this version. A state is kept for it even if it was
// not in use: transactions that read from it must find out at their commits. REQUIRES: the commit
// lock.
func (d *DB) buryLocked(n codec.Scope, version uint64) {
	st := d.scopes.get(n)
	if st == nil {
		st = d.addStateLocked(n, false)
	}
	st.goneAt = version
	st.phase.Store(scopeGone)
	d.table.DropScope(st.mem)
	d.forks.bury(n)
}

// watchLocked takes note of a scope record that was put, so that what it says rules from this
// commit on. REQUIRES: the commit lock, and a value that decodes.
func (d *DB) watchLocked(value []byte) {
	rec, _ := codec.DecodeScopeRecord(value) // was checked by arrange
	d.forks.note(rec)
	if rec.Flattened {
		d.flattened.Add(1)
	}
	if st := d.scopes.get(rec.Number); st != nil && rec.Number != 0 {
		st.status, st.importing = rec.Status, rec.Kind == codec.KindImport
		st.settle(rec)
		if rec.Status != codec.Active {
			st.mem.MarkCold()
		}
	}
}

// readable returns the state of a scope that exists, for a read. The first read of a scope that is
// not in use looks its record up.
func (d *DB) readable(ctx context.Context, s *backend.Scope) (*scopeState, error) {
	for {
		if st := d.state(s); st != nil {
			switch st.phase.Load() {
			case scopeOpen:
				return st, nil
			case scopeGone:
				if d.gone(st) {
					return nil, goneError(s)
				}
				return st, nil
			}
		}
		if err := d.openScope(ctx, s); err != nil {
			return nil, err
		}
	}
}

func goneError(s *backend.Scope) error {
	return fmt.Errorf("%w: %s", backend.ErrScopeGone, s.Record)
}

// openScope reads the facts of a scope and installs them, if they still hold then.
func (d *DB) openScope(ctx context.Context, s *backend.Scope) error {
	if err := validScope(s); err != nil {
		return err
	}
	if !d.storeGate.TryRLock() {
		return backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return backend.ErrClosed
	}
	stale, err := d.readScope(ctx, s)
	if err != nil || stale == 0 {
		return err
	}
	return d.published.wait(ctx, stale, d.running)
}

// readScope reads and installs the facts of a scope. If its record was written since, by a commit
// that readers do not see yet, it returns that one's version.
func (d *DB) readScope(ctx context.Context, s *backend.Scope) (stale uint64, err error) {
	pin := d.pins.acquire()
	defer pin.Release()
	// Asked behind the pin. If there is no state, the store has all of the scope up to the pin:
	// a state goes only when nothing of its scope is queued. And one that comes after this, and
	// takes commits above the pin, stays.
	if st := d.state(s); st != nil && st.phase.Load() != scopeUnknown {
		return 0, nil
	}
	facts, err := d.loadScope(ctx, s, pin.version)
	if err != nil {
		return 0, err
	}
	d.commitLock.Lock()
	defer d.commitLock.Unlock()
	if st := d.stateLocked(s); st.phase.Load() == scopeUnknown && !pin.ended.Load() &&
		facts.raised == d.retained.raised.Load() {
		return d.installLocked(s, st, facts), nil
	}
	return 0, nil
}

// maxIdleScopes bounds the states kept for scopes that hold nothing in memory.
const maxIdleScopes = 1 << 16

// retireIdleLocked bounds the number of states: when there are many, the idle ones go.
// REQUIRES: the commit lock.
func (d *DB) retireIdleLocked(horizon uint64) {
	if n := len(d.scopes.states); n < max(maxIdleScopes, d.retireAt) {
		return
	}
	d.dropIdleLocked(horizon)
	// What is still in use is not looked at again before there is twice as much.
	d.retireAt = 2 * len(d.scopes.states)
}

// dropIdleLocked drops states of scopes that hold no key in memory and were not written to since
// the horizon: no open transaction could miss them. It returns how many. REQUIRES: the commit lock,
// which also guards writes of the registry.
func (d *DB) dropIdleLocked(horizon uint64) (dropped int) {
	d.scopes.mu.Lock()
	defer d.scopes.mu.Unlock()
	for n, st := range d.scopes.states {
		if n == codec.SystemScope || st.mem.Keys() > 0 || st.mem.LastWrite() > horizon ||
			st.goneAt > horizon {
			continue
		}
		d.dropLocked(st)
		dropped++
	}
	return dropped
}

// dropLocked drops one state. REQUIRES: the commit lock, scopes.mu, and that no open transaction
// could miss it.
func (d *DB) dropLocked(st *scopeState) {
	st.retired.Store(true)
	delete(d.scopes.states, st.number)
	d.table.DropScope(st.mem)
}
