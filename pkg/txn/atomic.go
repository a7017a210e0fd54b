package txn

import (
	"context"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Atomic lets fn do several operations as one step and returns the commit version.
//
// Directly it is a transaction of its own, retried on conflicts like Manager.Update. Inside a
// transaction fn works on that one and the version is 0; what fn wrote before it failed is then
// part of the transaction, so fn looks at everything before it writes. A view refuses it.
func (s Scope) Atomic(ctx context.Context, fn func(Scope) error) (uint64, error) {
	if err := s.writable(""); err != nil {
		return 0, err
	}
	if s.tx != nil {
		return 0, fn(s)
	}
	return s.m.Update(ctx, s.s, Options{}, func(t *Tx) error { return fn(t.Scope(s.s)) })
}

// Peek is Get that leaves no trace in the read set. It is for what cannot change once it is seen.
func (s Scope) Peek(ctx context.Context, p codec.Primitive, key string) (Entry, error) {
	if s.tx == nil {
		return s.Get(ctx, p, key)
	}
	if err := s.usable(); err != nil {
		return Entry{}, err
	}
	if err := checkKey(key); err != nil {
		return Entry{}, err
	}
	return s.tx.peek(ctx, s.s, p, key)
}

// peek is Scope.Peek inside the transaction.
func (t *Tx) peek(ctx context.Context, s *backend.Scope, p codec.Primitive, key string,
) (Entry, error) {
	if err := t.usable(); err != nil {
		return Entry{}, err
	}
	if len(t.events.list) > 0 {
		if err := t.showEvents(p); err != nil {
			return Entry{}, err
		}
	}
	if w := t.writes.find(writeKey{s.Number, p, key}); w != nil {
		return pending(w), nil
	}
	t.touch()
	r, err := t.m.b.Get(ctx, s, p, key, t.snapshot)
	if err != nil {
		return Entry{}, ContextError(err)
	}
	return entry(&r, t.now), nil
}
