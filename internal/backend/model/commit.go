package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Commit implements backend.Backend. Holding the mutex from the first check to the last write is
// what makes the commit one step and its place in the order the moment it got the mutex.
func (b *Backend) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	outcome, err := b.commit(ctx, r)
	var conflict *backend.ConflictError
	switch {
	case errors.As(err, &conflict):
		b.stats.Conflicts++
	case err != nil:
		b.stats.Refused++
	case outcome.Version == 0:
		b.stats.ReadOnly++
	default:
		b.stats.Commits++
	}
	return outcome, err
}

// commit is the protocol: form, status of the scopes, conflicts, then the writes that have an
// effect under one new version. Callers hold mu.
func (b *Backend) commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	if err := b.usable(ctx); err != nil {
		return backend.Outcome{}, fmt.Errorf("commit: %w", err)
	}
	if err := checkForm(r); err != nil {
		return backend.Outcome{}, fmt.Errorf("commit: %w", err)
	}
	events, err := encodeEvents(r.Appends)
	if err != nil {
		return backend.Outcome{}, fmt.Errorf("commit: %w", err)
	}
	if r.Pin != nil && r.Pin.Err() != nil {
		return backend.Outcome{}, fmt.Errorf("commit: %w", r.Pin.Err())
	}
	if readOnly(r) { // it saw one snapshot, and that is all that it is promised
		return backend.Outcome{}, nil
	}
	if err := b.admit(r); err != nil {
		return backend.Outcome{}, err
	}
	if err := b.admitForks(r); err != nil {
		return backend.Outcome{}, err
	}
	if keys := b.conflicts(r); len(keys) > 0 {
		return backend.Outcome{}, &backend.ConflictError{Keys: keys}
	}
	now := b.tick()
	judged := now
	if r.Origin.Version != 0 {
		judged = r.Origin.Time
	}
	writes := b.effective(r.Writes, judged)
	if len(writes)+len(r.Appends) == 0 {
		return backend.Outcome{}, nil
	}
	if b.published == math.MaxUint64 {
		return backend.Outcome{}, fmt.Errorf("commit: the version counter is exhausted: %w",
			backend.ErrReadOnly)
	}
	return b.apply(r, writes, events, now, judged), nil
}

func readOnly(r *backend.Request) bool {
	return len(r.Writes)+len(r.Appends)+len(r.Conditions) == 0
}

// checkForm refuses what no state of the store could make right.
func checkForm(r *backend.Request) error {
	if r.Pin == nil && len(r.Reads)+len(r.Ranges) > 0 {
		return fmt.Errorf("reads without a pin: %w", codec.ErrInvalidArgument)
	}
	seen := map[key]bool{}
	for _, w := range r.Writes {
		if _, err := codec.AppendKey(nil, w.Scope.Number, w.Primitive, w.Key); err != nil {
			return err
		}
		name := codec.FormatKey(w.Scope.Number, w.Primitive, w.Key)
		if w.Op < backend.Put || w.Op > backend.Expire {
			return fmt.Errorf("write of %s: unknown op %d: %w", name, w.Op, codec.ErrInvalidArgument)
		}
		if len(w.Value) > backend.MaxEncoded {
			return fmt.Errorf("write of %s: value of %d bytes, limit %d: %w",
				name, len(w.Value), backend.MaxEncoded, codec.ErrTooLarge)
		}
		k := keyOf(w.Scope, w.Primitive, w.Key)
		if seen[k] {
			return fmt.Errorf("second write of %s: %w", name, codec.ErrInvalidArgument)
		}
		seen[k] = true
	}
	return nil
}

// encodeEvents makes the records of events, without what their place in the order decides.
func encodeEvents(appends []backend.Append) ([][]byte, error) {
	var events [][]byte
	for _, a := range appends {
		if codec.PayloadDigest(a.Payload) != a.Digest {
			return nil, fmt.Errorf("append of %q: digest is not of this payload: %w",
				a.Type, codec.ErrInvalidArgument)
		}
		b, err := codec.AppendEventRecord(nil, codec.EventRecord{Type: a.Type, Payload: a.Payload})
		if err != nil {
			return nil, fmt.Errorf("append of %q: %w", a.Type, err)
		}
		events = append(events, b)
	}
	return events, nil
}

// admit refuses writes to scopes that are not Active, but for index entries, which may be mended as
// long as the scope exists, and requests that have read what does not exist any more. A scope that
// comes into being with the request has no status yet: its own commit may fill it. Callers hold mu.
func (b *Backend) admit(r *backend.Request) error {
	created := map[codec.Scope]bool{}
	for _, s := range r.CreateScopes {
		created[s.Number] = true
	}
	origin := r.Origin.Version != 0
	check := func(s *backend.Scope, derived bool) error {
		if created[s.Number] {
			return nil
		}
		status, kind, err := b.status(s)
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		open := status == codec.Active && kind != codec.KindImport
		if origin {
			open = kind == codec.KindImport
		}
		if !open && (!derived || origin) {
			return &backend.ScopeStatusError{Record: s.Record, Status: status}
		}
		return nil
	}
	for _, w := range r.Writes {
		if err := check(w.Scope, w.Primitive.IsIndex()); err != nil {
			return err
		}
	}
	for _, a := range r.Appends {
		if err := check(a.Scope, false); err != nil {
			return err
		}
	}
	for _, x := range r.Reads {
		if err := check(x.Scope, true); err != nil {
			return err
		}
	}
	for _, x := range r.Ranges {
		if err := check(x.Scope, true); err != nil {
			return err
		}
	}
	for _, x := range r.Conditions {
		if err := check(x.Scope, true); err != nil {
			return err
		}
	}
	return nil
}

// conflicts lists, in key order and each once, the keys that no longer are what the request relies
// on. Callers hold mu.
func (b *Backend) conflicts(r *backend.Request) []backend.Conflict {
	found := map[backend.Conflict]bool{}
	compare := func(k key, expected uint64, cas bool) {
		if stamp := b.latest(k).Stamp; stamp != expected {
			found[backend.Conflict{Scope: k.scope, Primitive: k.primitive, Key: k.user,
				Expected: expected, Found: stamp, CAS: cas}] = true
		}
	}
	for _, x := range r.Reads {
		compare(keyOf(x.Scope, x.Primitive, x.Key), x.Stamp, false)
	}
	for _, x := range r.Conditions {
		compare(keyOf(x.Scope, x.Primitive, x.Key), x.Expected, true)
	}
	for _, x := range r.Ranges {
		// A key of the range whose stamp moved was inserted, changed, deleted or created again.
		for _, k := range b.keys(space{x.Scope.Number, x.Primitive}, x.Range) {
			compare(k, b.at(k, r.Pin.Version()).Stamp, false)
		}
	}
	var list []backend.Conflict
	for c := range found {
		list = append(list, c)
	}
	sort.Slice(list, func(i, j int) bool { return lessConflict(list[i], list[j]) })
	return list
}

func lessConflict(x, y backend.Conflict) bool {
	kx := key{space{x.Scope, x.Primitive}, x.Key}
	ky := key{space{y.Scope, y.Primitive}, y.Key}
	if kx != ky {
		return kx.less(ky)
	}
	if x.CAS != y.CAS {
		return y.CAS
	}
	return x.Expected < y.Expected
}

// effective keeps the writes that have something to do. Callers hold mu.
func (b *Backend) effective(writes []backend.Write, now int64) []backend.Write {
	var kept []backend.Write
	for _, w := range writes {
		old := b.latest(keyOf(w.Scope, w.Primitive, w.Key))
		expired := old.Expiry != 0 && old.Expiry <= now
		switch {
		case w.Op == backend.Put,
			w.Op == backend.Delete && old.Exists() && !expired,
			w.Op == backend.Expire && old.Exists() && expired && old.Stamp == w.Stamp:
			kept = append(kept, w)
		}
	}
	return kept
}
