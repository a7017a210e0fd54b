package txn

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// mostInTurn is how often AtomicOn tries at most.
const mostInTurn = 20

// AtomicOn is Atomic for functions that read one key and rewrite it. Directly, callers that meet on
// a key take turns: each begins when the one before has committed, in the order in which they came.
// So they do not conflict with each other. What comes between from others, who take no turn, is
// tried again at once, up to 20 times in all.
//
// A turn that takes too long while others wait (Config.Turn) goes to the next. A conflict after
// that counts as a retry of the Manager's policy; every conflict does if that is never to retry.
//
// fn may use the same key directly, as a transaction of its own. That one has to wait until the
// turn of its caller is over time, and the caller then conflicts with it.
func (s Scope) AtomicOn(ctx context.Context, p codec.Primitive, key string, fn func(Scope) error,
) (uint64, error) {
	if err := s.writable(key); err != nil {
		return 0, err
	}
	if s.tx != nil {
		return 0, fn(s)
	}
	return s.m.updateInTurn(ctx, s.s, newHotKey(s.s.Record, p, key),
		func(t *Tx) error { return fn(t.Scope(s.s)) })
}

// updateInTurn is Update in turn from the first attempt on.
func (m *Manager) updateInTurn(ctx context.Context, only *backend.Scope, k hotKey,
	fn func(*Tx) error,
) (uint64, error) {
	mine, err := m.queue.enter(ctx, k)
	if err != nil {
		return 0, inLine(err)
	}
	defer func() { m.queue.leave(mine) }() // also when fn panics
	late := 0
	for attempt := 1; ; attempt++ {
		version, err, own := m.attempt(ctx, only, Options{}, mine, fn)
		var lost *ConflictError
		if err == nil || own || !errors.As(err, &lost) {
			return version, err
		}
		inTurn := m.queue.has(mine)
		if !inTurn {
			late++
		}
		if late > m.cfg.Retry.Max || attempt == mostInTurn || m.cfg.Retry.Max == 0 {
			return version, err
		}
		err = m.awaitPublished(ctx, lost.latest())
		if err == nil && !inTurn {
			mine, err = m.queue.enter(ctx, k)
		}
		if err != nil {
			return 0, &retryError{retry: attempt, cause: ContextError(err), lost: lost}
		}
		m.count.retries.Add(1)
	}
}

// firstRead lets a transaction that begins by reading a hot key take its turn there, too. Nothing
// was seen of the snapshot yet, so it is exchanged for a newer one afterwards: the transaction
// begins when its turn comes.
func (t *Tx) firstRead(ctx context.Context, s *backend.Scope, p codec.Primitive, key string) error {
	t.untouched = false
	k := newHotKey(s.Record, p, key)
	if !t.m.queue.isHot(k) {
		return nil
	}
	var err error
	if t.turn, err = t.m.queue.enter(ctx, k); err != nil {
		return inLine(err)
	}
	pin, err := t.m.b.Begin()
	if err != nil {
		return err
	}
	t.hold.pin.Release()
	t.hold.pin, t.snapshot, t.now = pin, pin.Version(), t.m.b.Now()
	return nil
}

// inLine is a context's error that ended the wait for a turn.
func inLine(err error) error {
	e := ContextError(err)
	if c, ok := e.(*contextError); ok {
		c.story = ": while others had their turn at the key"
	}
	return e
}
