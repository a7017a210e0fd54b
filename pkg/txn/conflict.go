package txn

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// ConflictError lists every key that stood in the way of a commit, in key order, each key once per
// demand that failed. It matches backend.ErrConflict, and backend.ErrVersionMismatch if a
// compare-and-set is among them.
type ConflictError struct {
	Keys []ConflictKey // ordered by run, primitive, key

	_ struct{}
}

// ConflictKey is one key that stood in the way of a commit.
type ConflictKey struct {
	Run       string          // the run's id; empty for a record of the database itself
	Primitive codec.Primitive // the letter of the primitive that the key belongs to
	Key       string
	Expected  uint64 // the version that was read, or that a compare-and-set named; 0: absent
	Found     uint64 // the version at commit; 0: absent
	CAS       bool   // a compare-and-set demanded it; otherwise it was read
	// Phantom: the key itself was not read, but a range was in which it has been written. Expected
	// is then the version at which the range was read. Serializable only.
	Phantom bool
}

// shownKey bounds the part of a key that the text of a conflict shows, in bytes.
const shownKey = 64

// String names the key, up to its first 64 bytes, what was expected, and what was found.
func (k ConflictKey) String() string {
	verb := "read at"
	switch {
	case k.CAS:
		verb = "expected"
	case k.Phantom:
		verb = "in a range read at"
	}
	where := "database"
	if k.Run != "" {
		where = "run " + k.Run
	}
	key, dots := k.Key, ""
	if len(key) > shownKey {
		key, dots = key[:shownKey], "..."
	}
	return fmt.Sprintf("%s %c/%q%s %s version %d, found %d",
		where, byte(k.Primitive), key, dots, verb, k.Expected, k.Found)
}

// conflictsInMessage bounds the text of an error; Keys has all of them.
const conflictsInMessage = 3

// Error names the first keys and counts the others.
func (e *ConflictError) Error() string {
	var b strings.Builder
	b.WriteString("conflict: ")
	for i, k := range e.Keys {
		if i == conflictsInMessage {
			fmt.Fprintf(&b, "; and %d more", len(e.Keys)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(k.String())
	}
	return b.String()
}

// Is implements errors.Is for ErrConflict and ErrVersionMismatch.
func (e *ConflictError) Is(target error) bool {
	switch target {
	case backend.ErrConflict:
		return true
	case backend.ErrVersionMismatch:
		return slices.ContainsFunc(e.Keys, func(k ConflictKey) bool { return k.CAS })
	}
	return false
}

// latest is the newest version that the commit lost to.
func (e *ConflictError) latest() uint64 {
	var v uint64
	for _, k := range e.Keys {
		v = max(v, k.Found)
	}
	return v
}

// place is where the next attempt takes its turn: at the first key, so that those who lost over the
// same keys meet.
func (e *ConflictError) place() hotKey {
	if len(e.Keys) == 0 {
		return hotKey{}
	}
	k := &e.Keys[0]
	return newHotKey(k.Run, k.Primitive, k.Key)
}

// explain turns what the authority answered to a request into what the caller is told: conflicts
// name runs instead of scope numbers, a context's error carries our names.
func explain(err error, r *backend.Request) error {
	var c *backend.ConflictError
	if !errors.As(err, &c) {
		return ContextError(err)
	}
	runs, read := runNames(r), readKeys(r)
	e := &ConflictError{Keys: make([]ConflictKey, 0, len(c.Keys))}
	for _, k := range c.Keys {
		at := writeKey{k.Scope, k.Primitive, k.Key}
		key := ConflictKey{
			Run: runs[k.Scope], Primitive: k.Primitive, Key: k.Key,
			Expected: k.Expected, Found: k.Found, CAS: k.CAS,
		}
		if k.CAS {
			e.Keys = appendFailed(e.Keys, key, at, r.Conditions)
			continue
		}
		if read != nil {
			stamp, ok := read[at]
			if key.Expected = stamp; !ok {
				key.Expected, key.Phantom = r.Pin.Version(), true
			}
		}
		e.Keys = append(e.Keys, key)
	}
	// A key that was read twice, or lies in a range as well, is one conflict.
	slices.SortFunc(e.Keys, compareConflicts)
	e.Keys = slices.Compact(e.Keys)
	return e
}

// appendFailed appends a lost compare-and-set once for each of the request's conditions on its key
// that do not hold: an authority names the key, but need not name all that was demanded of it.
func appendFailed(keys []ConflictKey, lost ConflictKey, at writeKey, all []backend.Condition,
) []ConflictKey {
	keys = append(keys, lost)
	for i := range all {
		c := &all[i]
		if c.Expected != lost.Found && at == (writeKey{c.Scope.Number, c.Primitive, c.Key}) {
			lost.Expected = c.Expected
			keys = append(keys, lost)
		}
	}
	return keys
}

func compareConflicts(a, b ConflictKey) int {
	cas := func(k ConflictKey) int {
		if k.CAS {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.Run, b.Run),
		cmp.Compare(a.Primitive, b.Primitive),
		cmp.Compare(a.Key, b.Key),
		cmp.Compare(cas(a), cas(b)),
		cmp.Compare(a.Expected, b.Expected),
	)
}

// readKeys is the read set of a request by key, for telling phantoms apart; nil if it has no
// ranges.
func readKeys(r *backend.Request) map[writeKey]uint64 {
	if len(r.Ranges) == 0 {
		return nil
	}
	stamps := make(map[writeKey]uint64, len(r.Reads))
	for i := range r.Reads {
		k := &r.Reads[i]
		stamps[writeKey{k.Scope.Number, k.Primitive, k.Key}] = k.Stamp
	}
	return stamps
}

// runNames maps the scopes that a request speaks of to their record keys.
func runNames(r *backend.Request) map[codec.Scope]string {
	names := map[codec.Scope]string{}
	note := func(s *backend.Scope) { names[s.Number] = s.Record }
	for i := range r.Reads {
		note(r.Reads[i].Scope)
	}
	for i := range r.Ranges {
		note(r.Ranges[i].Scope)
	}
	for i := range r.Conditions {
		note(r.Conditions[i].Scope)
	}
	return names
}
