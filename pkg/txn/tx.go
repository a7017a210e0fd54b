package txn

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Isolation is what a transaction's commit validates.
type Isolation uint8

const (
	// Snapshot validates every key that was read, and every key that a scan went over. Keys that
	// others add to a scanned range (phantoms) pass.
	Snapshot Isolation = iota
	// Serializable validates the scanned ranges as well, each up to where the scan stopped.
	Serializable
)

// Options of one transaction. The zero value is Snapshot isolation, the database's durability and
// retry policy.
type Options struct {
	Isolation  Isolation
	Durability backend.Durability
	// Retry is the policy of Update; nil takes the Manager's. Begin never retries.
	Retry *Retry
	// Housekeeping is for what the database writes on its own account, such as the records of runs
	// with their index: the default size limits hold where the Manager's are smaller.
	Housekeeping bool

	_ struct{}
}

// Tx is a read-write transaction: a snapshot, a read set, and buffered writes. Made by
// Manager.Update or Manager.Begin. It belongs to one goroutine at a time; used after its end it
// answers ErrTxnDone.
type Tx struct {
	m       *Manager
	only    *backend.Scope // the run it belongs to; nil: it names each scope explicitly
	options Options
	managed bool // ended by Update, not by its user
	ended   atomic.Bool
	claimed atomic.Bool // somebody is ending it, or has: see claim

	// untouched: nothing has been seen of the snapshot, and the transaction may take a turn yet.
	untouched bool
	turn      turn // the one that it took then

	hold    *hold
	own     hold            // what hold is for a transaction that Update ends in any case
	cleanup runtime.Cleanup // gives hold back if the transaction is dropped

	now      int64 // the authority's time at the start, by which expiry is judged
	snapshot uint64

	reads      readSet
	writes     writeSet
	conditions []backend.Condition
	ranges     rangeSet
	events     eventSet
	creates    []*backend.Scope
	open       map[*Cursor]struct{} // Serializable: scans whose range is not yet in ranges
	condBytes  int64
	lost       error    // why the sets above are gone although the transaction has not ended
	lent       *buffers // the room of the sets; nil once they are gone
}

// hold is what a transaction must give back: its pin and its place among the active ones. It lives
// apart from the Tx and does not know it, so that a Tx which its user dropped can be collected,
// with all its buffers, and the pin be released.
type hold struct {
	m        *Manager
	pin      backend.Pin
	released atomic.Bool
}

// release gives the hold back once; it reports whether this call did.
func (h *hold) release(why cause) bool {
	if !h.released.CompareAndSwap(false, true) {
		return false
	}
	h.pin.Release()
	h.m.count.end(why)
	return true
}

// begin starts a transaction on one run, or (nil) over scopes that it names.
func (m *Manager) begin(ctx context.Context, only *backend.Scope, o Options) (*Tx, error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	pin, err := m.b.Begin()
	if err != nil {
		return nil, err
	}
	m.count.begin()
	t := &Tx{
		m: m, only: only, options: o, snapshot: pin.Version(), now: m.b.Now(),
	}
	t.own.m, t.own.pin = m, pin
	t.hold = &t.own
	t.borrow()
	return t, nil
}

// Begin starts a transaction that its caller ends with Commit or Rollback. It is never retried. One
// that is dropped without either is rolled back when the garbage collector finds it.
//
// Errors: ErrTimeout or ErrCanceled if ctx is done, backend.ErrClosed.
func (m *Manager) Begin(ctx context.Context, only *backend.Scope, o Options) (*Tx, error) {
	t, err := m.begin(ctx, only, o)
	if err != nil {
		return nil, err
	}
	t.hold = &hold{m: m, pin: t.own.pin}
	t.own.pin = nil
	t.cleanup = runtime.AddCleanup(t, func(h *hold) { h.release(abandoned) }, t.hold)
	return t, nil
}

// Snapshot is the version that all reads come from.
func (t *Tx) Snapshot() uint64 {
	t.touch()
	return t.snapshot
}

// touch notes that the snapshot was looked at, so that it stays this one. A transaction that has
// ended may be in several hands: nothing of it is written then.
func (t *Tx) touch() {
	if !t.ended.Load() {
		t.untouched = false
	}
}

// Only is the run that the transaction belongs to; nil for one over several scopes.
func (t *Tx) Only() *backend.Scope { return t.only }

// Scope returns the form of s inside the transaction; nil names no run. A scope that the
// transaction does not belong to refuses every use. The system scope belongs to all.
func (t *Tx) Scope(s *backend.Scope) Scope {
	if s != nil && t.only != nil && s.Number != codec.SystemScope && t.only.Number != s.Number {
		s = nil
	}
	return Scope{m: t.m, s: s, tx: t}
}

// CreateScope lets s come into being with the commit. Its number is fresh from the authority and
// its record is among the writes.
func (t *Tx) CreateScope(s *backend.Scope) { t.creates = append(t.creates, s) }

// Counts says what a transaction holds so far.
type Counts struct {
	Reads      int   // keys in the read set
	Ranges     int   // scanned ranges to be validated (Serializable)
	Puts       int   // keys whose pending write is a put or a compare-and-set
	Deletes    int   // keys whose pending write is a delete
	Conditions int   // compare-and-sets, also those whose value was replaced
	Appends    int   // events to be appended
	Bytes      int64 // keys, values and events buffered for writing
}

// Counts returns what the transaction holds so far; nothing after its end.
func (t *Tx) Counts() Counts {
	if t.ended.Load() {
		return Counts{}
	}
	t.reads.compact()
	t.ranges.merge()
	c := Counts{
		Reads: len(t.reads.list), Ranges: len(t.ranges.list) + len(t.open),
		Conditions: len(t.conditions), Appends: len(t.events.list),
		Bytes: t.writes.bytes + t.condBytes + t.events.bytes,
	}
	for i := range t.writes.list {
		switch t.writes.list[i].Op {
		case backend.Delete:
			c.Deletes++
		case backend.Put:
			c.Puts++
		}
	}
	return c
}

// Rollback ends the transaction; nothing of it was written. After the end, and beside a Commit that
// has begun, it does nothing and answers ErrTxnDone, so that it can be deferred. The function of an
// Update cannot call it.
func (t *Tx) Rollback() error {
	switch {
	case t.ended.Load():
		return ErrTxnDone
	case t.managed:
		return fmt.Errorf("rollback: %w", errManaged)
	case !t.claim():
		return ErrTxnDone
	}
	t.end(rolledBack)
	return nil
}

// claim reports whether the transaction is the caller's to end. There is one such caller: a
// rollback by a timer must not give back what the authority looks at, neither the sets nor the pin.
func (t *Tx) claim() bool { return t.claimed.CompareAndSwap(false, true) }

// end gives everything back. A Tx that is kept for long after its end holds no data.
func (t *Tx) end(why cause) {
	if t.ended.Swap(true) {
		return
	}
	t.cleanup.Stop()
	t.hold.release(why)
	t.drop()
}

// drop gives up all that was read and is to be written.
func (t *Tx) drop() {
	t.giveBack()
	t.reads, t.writes, t.ranges, t.events = readSet{}, writeSet{}, rangeSet{}, eventSet{}
	t.conditions, t.creates, t.open = nil, nil, nil
	t.condBytes = 0
}

// usable refuses operations on a transaction that has ended, by its user or by the authority.
func (t *Tx) usable() error {
	if t.ended.Load() {
		return ErrTxnDone
	}
	if err := t.hold.pin.Err(); err != nil {
		// It was ended to free memory: its sets are the rest of that memory. What was to be written
		// is lost; what only read can still commit.
		if t.changes() {
			t.lost = err
		}
		t.drop()
		return err
	}
	return nil
}

// changes reports whether there is anything to decide.
func (t *Tx) changes() bool {
	return len(t.writes.list) > 0 || len(t.conditions) > 0 || len(t.creates) > 0 ||
		len(t.events.list) > 0
}

// get is Scope.Get inside the transaction.
func (t *Tx) get(ctx context.Context, s *backend.Scope, p codec.Primitive, key string,
) (Entry, error) {
	if err := t.usable(); err != nil {
		return Entry{}, err
	}
	if t.untouched {
		if err := t.firstRead(ctx, s, p, key); err != nil {
			return Entry{}, err
		}
	}
	if len(t.events.list) > 0 {
		if err := t.showEvents(p); err != nil {
			return Entry{}, err
		}
	}
	if w := t.writes.find(writeKey{s.Number, p, key}); w != nil {
		return pending(w), nil
	}
	r, err := t.m.b.Get(ctx, s, p, key, t.snapshot)
	if err != nil {
		return Entry{}, ContextError(err)
	}
	if r.Version == 0 {
		key = t.readAbsent(s, p, key)
	}
	t.reads.add(backend.Read{Scope: s, Primitive: p, Key: key, Stamp: r.Stamp, Hint: r.Hint})
	return entry(&r, t.now), nil
}

// plain is get where nothing speaks against the short way: no turn to be taken at the first read,
// nothing written, and the authority tells.
func (t *Tx) plain(s *backend.Scope, p codec.Primitive, key string,
) (value []byte, version uint64, ok bool) {
	if t.untouched && t.m.queue.anyHot() || len(t.writes.list) > 0 || len(t.events.list) > 0 ||
		t.usable() != nil {
		return nil, 0, false
	}
	t.untouched = false
	value, version, hint, ok := t.m.b.GetPlain(s, p, key, t.snapshot)
	if ok {
		t.reads.add(backend.Read{Scope: s, Primitive: p, Key: key, Stamp: version, Hint: hint})
	}
	return value, version, ok
}

// pending is what a transaction sees of its own write.
func pending(w *backend.Write) Entry {
	if w.Op == backend.Delete {
		return Entry{}
	}
	return Entry{Value: w.Value, Exists: true, Expiry: w.Expiry}
}

// write is Scope.Put inside the transaction.
func (t *Tx) write(w backend.Write) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.writes.put(w, t.fits)
}

// fits holds a write set against the size limits.
func (t *Tx) fits(keys int, bytes int64) error { return t.room(keys, bytes, 0, 0, 0) }

// room tells whether the transaction stays within its limits with a write set of that size, more
// conditions and more appends; more is what the latter two count for, in bytes.
func (t *Tx) room(keys int, bytes int64, conditions, appends int, more int64) error {
	n := max(keys+len(t.events.list)+appends, len(t.conditions)+conditions)
	bytes += t.condBytes + t.events.bytes + more
	if t.options.Housekeeping && n <= DefaultMaxWrites && bytes <= DefaultMaxBytes {
		return nil
	}
	return t.m.checkSize(n, bytes)
}

// delete is Scope.Delete inside the transaction. The write is kept even if the key does not exist
// here, for it may when the transaction commits; the look at it is no read in the sense of the read
// set, for the delete takes effect either way.
func (t *Tx) delete(ctx context.Context, w backend.Write) (bool, error) {
	if err := t.usable(); err != nil {
		return false, err
	}
	seen, err := t.peek(ctx, w.Scope, w.Primitive, w.Key)
	if err != nil {
		return false, err
	}
	return seen.Exists, t.writes.put(w, t.fits)
}

// compareAndSet is Scope.CAS inside the transaction.
func (t *Tx) compareAndSet(w backend.Write, c backend.Condition) error {
	if err := t.usable(); err != nil {
		return err
	}
	err := t.writes.put(w, func(keys int, bytes int64) error {
		return t.room(keys, bytes, 1, 0, size(c.Key, nil))
	})
	if err != nil {
		return err
	}
	t.conditions = append(t.conditions, c)
	t.condBytes += size(c.Key, nil)
	return nil
}
