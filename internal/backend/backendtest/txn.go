package backendtest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// txn is a transaction as the layer above makes one: it reads at its pin and collects the read set.
// It has no read-your-writes; the stories do without.
type txn struct {
	w   *world
	pin backend.Pin
	req backend.Request
	// serializable makes scans leave their range in the read set.
	serializable bool
}

func (w *world) begin() *txn {
	w.Helper()
	pin, err := w.b.Begin()
	require.NoError(w, err)
	return &txn{w: w, pin: pin, req: backend.Request{Pin: pin}}
}

func (w *world) beginSerializable() *txn {
	w.Helper()
	x := w.begin()
	x.serializable = true
	return x
}

// get reads at the snapshot and notes what was seen, absence and tombstones included (R064).
func (x *txn) get(s *backend.Scope, key string) backend.Record {
	x.w.Helper()
	return x.read(s, codec.KV, key)
}

func (x *txn) read(s *backend.Scope, p codec.Primitive, key string) backend.Record {
	x.w.Helper()
	r := x.w.read(s, p, key, x.pin.Version())
	x.req.Reads = append(x.req.Reads,
		backend.Read{Scope: s, Primitive: p, Key: key, Stamp: r.Stamp, Hint: r.Hint})
	return r
}

// scan reads a range at the snapshot and notes every key that it went over.
func (x *txn) scan(s *backend.Scope, r backend.Range) []pair {
	x.w.Helper()
	pairs := x.w.scan(s, r, x.pin.Version())
	for _, p := range pairs {
		x.req.Reads = append(x.req.Reads, backend.Read{Scope: s, Primitive: codec.KV, Key: p.key,
			Stamp: p.record.Stamp, Hint: p.record.Hint})
	}
	if x.serializable {
		x.req.Ranges = append(x.req.Ranges,
			backend.RangeRead{Scope: s, Primitive: codec.KV, Range: r})
	}
	return pairs
}

// write replaces an earlier write of the key: the last one in call order is what is written.
func (x *txn) write(writes ...backend.Write) *txn {
	for _, w := range writes {
		x.unwrite(w)
		x.req.Writes = append(x.req.Writes, w)
	}
	return x
}

func (x *txn) unwrite(w backend.Write) {
	for i, old := range x.req.Writes {
		if old.Scope == w.Scope && old.Primitive == w.Primitive && old.Key == w.Key {
			x.req.Writes = append(x.req.Writes[:i], x.req.Writes[i+1:]...)
			return
		}
	}
}

func (x *txn) put(s *backend.Scope, key, value string) *txn { return x.write(put(s, key, value)) }
func (x *txn) del(s *backend.Scope, key string) *txn        { return x.write(del(s, key)) }

// cas adds a condition, which stays whatever is written to the key later (semantics 2.11).
func (x *txn) cas(s *backend.Scope, key string, expected uint64, value string) *txn {
	x.req.Conditions = append(x.req.Conditions,
		backend.Condition{Scope: s, Primitive: codec.KV, Key: key, Expected: expected})
	return x.put(s, key, value)
}

func (x *txn) append(s *backend.Scope, typ, payload string) *txn {
	x.req.Appends = append(x.req.Appends, event(s, typ, payload))
	return x
}

// commit ends the transaction and gives its pin back.
func (x *txn) commit() (backend.Outcome, error) {
	defer x.pin.Release()
	return x.w.b.Commit(x.w.ctx, &x.req)
}

func (x *txn) mustCommit() backend.Outcome {
	x.w.Helper()
	return x.w.must(x.commit())
}

func (x *txn) rollback() { x.pin.Release() }

// wantConflict demands that the transaction is refused because of exactly these keys.
func (x *txn) wantConflict(want ...backend.Conflict) {
	x.w.Helper()
	out, err := x.commit()
	x.w.wantConflict(&x.req, out, err, want...)
}

func (w *world) wantConflict(
	r *backend.Request, out backend.Outcome, err error, want ...backend.Conflict,
) {
	w.Helper()
	require.ErrorIs(w, err, backend.ErrConflict)
	require.Zero(w, out, "a refused commit has no outcome")
	var conflict *backend.ConflictError
	require.True(w, errors.As(err, &conflict), "a conflict carries *ConflictError, found %T", err)
	require.NoError(w, sameConflicts(r, want, conflict.Keys))
	cas := false
	for _, k := range conflict.Keys {
		cas = cas || k.CAS
	}
	require.Equal(w, cas, errors.Is(err, backend.ErrVersionMismatch),
		"a conflict matches ErrVersionMismatch if and only if a CAS is among its keys")
}

// sameConflicts compares the conflicts of a refused commit with all that there are. Every key has
// to be named, in key order, with an expected and found version that are right, and as a CAS if one
// failed. A key that failed in several ways may be named once or more often. For a key of a range
// that was not read itself, the snapshot may be named in place of the stamp that lay there.
func sameConflicts(r *backend.Request, want, got []backend.Conflict) error {
	type id struct {
		scope codec.Scope
		p     codec.Primitive
		key   string
	}
	idOf := func(c backend.Conflict) id { return id{c.Scope, c.Primitive, c.Key} }
	wanted, cas := map[id]bool{}, map[id]bool{}
	for _, c := range want {
		wanted[idOf(c)] = true
		cas[idOf(c)] = cas[idOf(c)] || c.CAS
	}
	for i, c := range got {
		if !slices.Contains(want, c) && !slices.ContainsFunc(want, func(x backend.Conflict) bool {
			x.Expected = c.Expected
			return x == c && phantom(r, c)
		}) {
			return fmt.Errorf("conflict %s (CAS %t) is not one of %v", c, c.CAS, want)
		}
		if i > 0 && lessKey(c, got[i-1]) {
			return fmt.Errorf("conflicts out of key order: %v", got)
		}
		delete(wanted, idOf(c))
		if c.CAS {
			delete(cas, idOf(c))
		}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("conflicts name not every key: found %v, expected %v", got, want)
	}
	for k, failed := range cas {
		if failed {
			return fmt.Errorf("the failed CAS of %q is not named: found %v", k.key, got)
		}
	}
	return nil
}

// phantom reports whether a conflict is one that a range found and that names the snapshot.
func phantom(r *backend.Request, c backend.Conflict) bool {
	return !c.CAS && r.Pin != nil && c.Expected == r.Pin.Version() &&
		slices.ContainsFunc(r.Ranges, func(x backend.RangeRead) bool {
			return x.Scope.Number == c.Scope && x.Primitive == c.Primitive && x.Range.Contains(c.Key)
		})
}

func lessKey(x, y backend.Conflict) bool {
	return cmp.Or(cmp.Compare(x.Scope, y.Scope), cmp.Compare(x.Primitive, y.Primitive),
		cmp.Compare(x.Key, y.Key)) < 0
}

// readAt is the conflict of a key that was read at one stamp and is found at another.
func readAt(s *backend.Scope, key string, expected, found uint64) backend.Conflict {
	return backend.Conflict{Scope: s.Number, Primitive: codec.KV, Key: key,
		Expected: expected, Found: found}
}

// casOf is the conflict of a condition.
func casOf(s *backend.Scope, key string, expected, found uint64) backend.Conflict {
	c := readAt(s, key, expected, found)
	c.CAS = true
	return c
}
