package txn

import (
	"context"
	"sync"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Expect is what a conditional write demands of a key: that its version is still the one in
// Entry.Version, 0 for a key that never existed. Primitive and key name any key of the scope, not
// only the written one.
type Expect struct {
	Primitive codec.Primitive
	Key       string
	Version   uint64
}

// Direct reports whether every write is a transaction of its own: false inside a transaction and in
// a view.
func (s Scope) Direct() bool { return s.tx == nil && s.view == nil }

// PutIf is Put without a deadline that takes effect only if all expectations hold at the commit. It
// is one request where Atomic would be a transaction: what CAS is for the written key, for several.
//
// Inside a transaction it returns 0, the expectations are conditions of the commit as a CAS is, and
// their keys do not join the read set. Lost expectations are a *ConflictError that lists each and
// matches backend.ErrVersionMismatch; directly it is never retried.
func (s Scope) PutIf(ctx context.Context, p codec.Primitive, key string, value []byte,
	expect ...Expect,
) (uint64, error) {
	w := backend.Write{Scope: s.s, Primitive: p, Key: key, Op: backend.Put, Value: value}
	if err := s.conditional(key, expect); err != nil {
		return 0, err
	}
	if s.tx != nil {
		return 0, s.tx.writeIf(w, expect)
	}
	o, err := s.m.commitIf(ctx, w, expect)
	return o.Version, err
}

// DeleteIf is Delete that takes effect only if all expectations hold at the commit; see PutIf. They
// are checked also when there is nothing to delete.
func (s Scope) DeleteIf(ctx context.Context, p codec.Primitive, key string, expect ...Expect,
) (bool, error) {
	w := backend.Write{Scope: s.s, Primitive: p, Key: key, Op: backend.Delete}
	if err := s.conditional(key, expect); err != nil {
		return false, err
	}
	if s.tx == nil {
		o, err := s.m.commitIf(ctx, w, expect)
		return o.Existed > 0, err
	}
	seen, err := s.tx.peek(ctx, s.s, p, key)
	if err != nil {
		return false, err
	}
	return seen.Exists, s.tx.writeIf(w, expect)
}

// conditional is writable for a key and what is demanded of others.
func (s Scope) conditional(key string, expect []Expect) error {
	if err := s.writable(key); err != nil {
		return err
	}
	for i := range expect {
		if err := checkKey(expect[i].Key); err != nil {
			return err
		}
	}
	return nil
}

// writeIf is Scope.PutIf and Scope.DeleteIf inside the transaction.
func (t *Tx) writeIf(w backend.Write, expect []Expect) error {
	if err := t.usable(); err != nil {
		return err
	}
	var more int64
	for i := range expect {
		more += size(expect[i].Key, nil)
	}
	err := t.writes.put(w, func(keys int, bytes int64) error {
		return t.room(keys, bytes, len(expect), 0, more)
	})
	if err != nil {
		return err
	}
	t.conditions = appendConditions(t.conditions, w.Scope, expect)
	t.condBytes += more
	return nil
}

func appendConditions(list []backend.Condition, s *backend.Scope, expect []Expect,
) []backend.Condition {
	for _, e := range expect {
		list = append(list, backend.Condition{
			Scope: s, Primitive: e.Primitive, Key: e.Key, Expected: e.Version,
		})
	}
	return list
}

// conditionalWrite is the request of a direct conditional write with room for what it holds. The
// authority keeps no slice of a request after Commit.
type conditionalWrite struct {
	request    backend.Request
	writes     [1]backend.Write
	conditions [2]backend.Condition // what the usual one needs; more are allocated
}

var conditionalWrites = sync.Pool{New: func() any { return new(conditionalWrite) }}

// commitIf commits a single write on conditions. It is never retried: a lost one is the caller's to
// judge.
func (m *Manager) commitIf(ctx context.Context, w backend.Write, expect []Expect,
) (backend.Outcome, error) {
	if err := m.checkSize(max(1, len(expect)), size(w.Key, w.Value)); err != nil {
		return backend.Outcome{}, err
	}
	one := conditionalWrites.Get().(*conditionalWrite)
	one.writes[0] = w
	one.request.Writes = one.writes[:]
	one.request.Conditions = appendConditions(one.conditions[:0], w.Scope, expect)
	o, err := m.b.Commit(ctx, &one.request)
	if err != nil {
		err = explain(err, &one.request)
	} else if o.Version != 0 {
		err = m.settle(ctx, o.Version)
	}
	*one = conditionalWrite{}
	conditionalWrites.Put(one)
	return o, err
}
