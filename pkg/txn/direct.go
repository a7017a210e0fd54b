package txn

import (
	"context"
	"sync"

	"github.com/inmem-db/inmem/internal/backend"
)

// oneWrite is the request of a direct operation with room for what it holds, so that a put
// allocates nothing of its own. The authority keeps no slice of a request after Commit.
type oneWrite struct {
	request    backend.Request
	writes     [1]backend.Write
	conditions [1]backend.Condition
}

var oneWrites = sync.Pool{New: func() any { return new(oneWrite) }}

// commitOne commits a single write, with a condition or (nil) blind. It is never retried: a blind
// write cannot conflict, and a lost condition is the caller's to judge.
func (m *Manager) commitOne(ctx context.Context, w backend.Write, c *backend.Condition,
) (backend.Outcome, error) {
	if err := m.checkSize(1, size(w.Key, w.Value)); err != nil {
		return backend.Outcome{}, err
	}
	one := oneWrites.Get().(*oneWrite)
	one.writes[0] = w
	one.request.Writes = one.writes[:]
	if c != nil {
		one.conditions[0] = *c
		one.request.Conditions = one.conditions[:]
	}
	o, err := m.b.Commit(ctx, &one.request)
	if err != nil {
		err = explain(err, &one.request)
	} else if o.Version != 0 {
		err = m.settle(ctx, o.Version)
	}
	*one = oneWrite{}
	oneWrites.Put(one)
	return o, err
}
