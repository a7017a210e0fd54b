package txn

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Scope reads and writes the keys of one run, in one of the three forms that the package comment
// names. It is a small value: copy it freely, keep as many as you like, it holds no resource.
//
// Errors of every method, besides its own: codec.ErrInvalidArgument (the zero Scope, or a
// transaction that names no run), codec.ErrTooLarge, ErrTxnDone, and what the authority answers.
type Scope struct {
	m    *Manager
	s    *backend.Scope // nil: no run was named
	tx   *Tx            // inside a transaction
	view *View          // read-only
}

// Entry is what a scope shows of one key.
type Entry struct {
	// Value is the encoded value; nil unless Exists. Immutable.
	Value []byte
	// Exists is false for what never existed, was deleted, or has expired.
	Exists bool
	// Version is what a compare-and-set has to name: the version of the key's last put or delete, 0
	// if there was none. Also 0, because not known yet, for a transaction's own pending write.
	Version uint64
	// Expiry is the deadline of what exists, in Unix nanoseconds, 0 for none.
	Expiry int64
}

// entry judges a record by the clock at now.
func entry(r *backend.Record, now int64) Entry {
	if !r.Exists() || expired(r.Expiry, now) {
		// Nothing tells whether the sweeper has been here.
		return Entry{Version: r.Stamp}
	}
	return Entry{Value: r.Value, Exists: true, Version: r.Stamp, Expiry: r.Expiry}
}

func expired(expiry, now int64) bool { return expiry != 0 && expiry <= now }

// Name says which run this is, for errors: its id, or "database".
func (s Scope) Name() string {
	switch {
	case s.s == nil:
		return "(none)"
	case s.s.Record == "":
		return "database"
	}
	return s.s.Record
}

// Number is the number of the scope, which tells a run from a later one with the same id; 0 if no
// run is named.
func (s Scope) Number() codec.Scope {
	if s.s == nil {
		return 0
	}
	return s.s.Number
}

// usable refuses scopes on which nothing can be done.
func (s Scope) usable() error {
	switch {
	case s.s != nil:
		return nil
	case s.tx != nil && s.tx.only != nil:
		return fmt.Errorf("%w: the transaction belongs to run %s; start one on the database",
			codec.ErrInvalidArgument, s.tx.only.Record)
	case s.tx != nil || s.view != nil:
		return errNoScope
	}
	return errZeroScope
}

// version is the one that the scope shows now.
func (s Scope) version() (uint64, error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	switch {
	case s.tx != nil:
		return s.tx.Snapshot(), s.tx.usable()
	case s.view != nil:
		return s.view.at, s.view.usable()
	}
	return s.m.b.Published(), nil
}

// Get returns what the scope shows of a key. In a transaction the key joins the read set, unless
// the answer comes from the transaction's own writes. No allocation when the record is in memory.
func (s Scope) Get(ctx context.Context, p codec.Primitive, key string) (Entry, error) {
	if err := s.usable(); err != nil {
		return Entry{}, err
	}
	if err := checkKey(key); err != nil {
		return Entry{}, err
	}
	if s.tx != nil {
		return s.tx.get(ctx, s.s, p, key)
	}
	at, err := s.version()
	if err != nil {
		return Entry{}, err
	}
	now := int64(0)
	r, err := s.m.b.Get(ctx, s.s, p, key, at)
	if err == nil && p == codec.ScopeRecords && s.Lasting() && r.Exists() {
		err = s.view.hideDeleted(ctx, s.s, key, &r)
	}
	if err != nil {
		return Entry{}, ContextError(err)
	}
	if r.Expiry != 0 { // asked only when it matters: the clock costs as much as the lookup
		if s.view == nil {
			now = s.m.b.Now()
		} else if now, err = s.judge(ctx); err != nil {
			return Entry{}, err
		}
	}
	return entry(&r, now), nil
}

// Value is Get for those who want the value and nothing else, a third faster where it is in memory.
// exists is false for what never existed, was deleted, or has expired.
func (s Scope) Value(ctx context.Context, p codec.Primitive, key string,
) (value []byte, exists bool, err error) {
	if s.s != nil && len(key) <= codec.MaxKeySize {
		var version uint64
		ok := false
		switch {
		case s.tx != nil:
			value, version, ok = s.tx.plain(s.s, p, key)
		case s.view == nil:
			value, version, _, ok = s.m.b.GetPlain(s.s, p, key, math.MaxUint64)
		case p != codec.ScopeRecords && s.view.usable() == nil:
			value, version, _, ok = s.m.b.GetPlain(s.s, p, key, s.view.at)
		}
		if ok {
			return value, version != 0, nil
		}
	}
	e, err := s.Get(ctx, p, key)
	return e.Value, e.Exists, err
}

// Put writes a value with a deadline in Unix nanoseconds (0: none) and returns the commit version,
// which is 0 inside a transaction.
func (s Scope) Put(ctx context.Context, p codec.Primitive, key string, value []byte, expiry int64,
) (uint64, error) {
	w := backend.Write{
		Scope: s.s, Primitive: p, Key: key, Op: backend.Put, Value: value, Expiry: expiry,
	}
	if err := s.writable(key); err != nil {
		return 0, err
	}
	if s.tx != nil {
		return 0, s.tx.write(w)
	}
	o, err := s.m.commitOne(ctx, w, nil)
	return o.Version, err
}

// Delete deletes a key and reports whether it existed: at the commit's place in the order, or
// inside a transaction, provisionally, as the transaction sees it. It adds nothing to the read
// set.
func (s Scope) Delete(ctx context.Context, p codec.Primitive, key string) (bool, error) {
	w := backend.Write{Scope: s.s, Primitive: p, Key: key, Op: backend.Delete}
	if err := s.writable(key); err != nil {
		return false, err
	}
	if s.tx != nil {
		return s.tx.delete(ctx, w)
	}
	o, err := s.m.commitOne(ctx, w, nil)
	return o.Existed > 0, err
}

// CAS writes a value on the condition that the key's version is still expected (0: the key never
// existed) and returns the commit version. Inside a transaction it returns 0, the condition is
// checked at commit whatever happens to the value until then, and the key does not join the read
// set. A lost CAS is a *ConflictError that matches backend.ErrVersionMismatch; it is never retried
// here.
func (s Scope) CAS(ctx context.Context, p codec.Primitive, key string, expected uint64,
	value []byte,
) (uint64, error) {
	w := backend.Write{Scope: s.s, Primitive: p, Key: key, Op: backend.Put, Value: value}
	c := backend.Condition{Scope: s.s, Primitive: p, Key: key, Expected: expected}
	if err := s.writable(key); err != nil {
		return 0, err
	}
	if s.tx != nil {
		return 0, s.tx.compareAndSet(w, c)
	}
	o, err := s.m.commitOne(ctx, w, &c)
	return o.Version, err
}

// writable refuses what can be refused before a write is tried.
func (s Scope) writable(key string) error {
	if err := s.usable(); err != nil {
		return err
	}
	if s.view != nil {
		return errView
	}
	return checkKey(key)
}

// Now is the authority's time in Unix nanoseconds, for what a primitive dates itself: inside a
// transaction or view the time at its start, by which it judges expiry as well, so that everything
// in it has one time; otherwise the time of the call. It never goes back. 0 for the zero Scope.
func (s Scope) Now() int64 {
	switch {
	case s.tx != nil:
		s.tx.touch()
		return s.tx.now
	case s.view != nil:
		return s.view.now
	case s.m == nil:
		return 0
	}
	return s.m.b.Now()
}

// Deadline is the expiry of a value put now with a time to live, in Unix nanoseconds. A time to
// live that is not positive is codec.ErrInvalidArgument; one that leads beyond the calendar
// saturates.
func (s Scope) Deadline(ttl time.Duration) (int64, error) {
	if ttl <= 0 {
		return 0, fmt.Errorf("%w: time to live %v, must be positive",
			codec.ErrInvalidArgument, ttl)
	}
	if err := s.usable(); err != nil {
		return 0, err
	}
	now := s.m.b.Now() // never before the start of a transaction, also if the clock went back
	if int64(ttl) > math.MaxInt64-now {
		return math.MaxInt64, nil
	}
	return now + int64(ttl), nil
}

// Snapshot returns a scope whose reads all come from one version: this one inside a transaction or
// view, otherwise a read-only one of what is published now.
func (s Scope) Snapshot() Scope {
	if s.tx == nil && s.view == nil && s.s != nil {
		s.view = s.m.newView()
	}
	return s
}

// CommitTime is the time of the commit with a version, in Unix nanoseconds; 0 if there is none. Of
// an imported commit of the scope it is the time which that had where it was made.
func (s Scope) CommitTime(ctx context.Context, version uint64) (int64, error) {
	if err := s.usable(); err != nil || version == 0 {
		return 0, err
	}
	if o, at, err := s.m.originAt(ctx, s.s, version); err != nil || o.Version != 0 && at == version {
		return o.Time, err
	}
	t, err := s.m.b.CommitTime(ctx, version)
	return t, ContextError(err)
}
