package embedded

import (
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// checkDeadline looks for the entry by deadline of what expires in the future: without it nobody
// would delete it.
func (w *scopeWalk) checkDeadline(deadline int64) error {
	user := codec.ExpiryUserKey(deadline, w.n, w.letter, string(w.user))
	key, err := codec.AppendKey(nil, codec.SystemScope, codec.Expiries, user)
	if err != nil {
		return nil // too long to have been written: the key itself is told
	}
	value, err := w.c.get(codec.AppendVersion(key, w.version))
	if err == nil && value == nil {
		w.note(backend.ProblemDeadline, "it expires at %d, and is not in the index by deadline", deadline)
	}
	return w.c.ctx.Err()
}

// deadlineEntry checks an entry of the index by deadline: there is what it is about.
func (w *scopeWalk) deadlineEntry(record string) error {
	c := w.c
	deadline, n, p, user, err := codec.DecodeExpiryUserKey(string(w.user))
	if err != nil {
		w.note(backend.ProblemDeadline, "%v", err)
		return nil
	}
	if _, dead := c.graves[n]; dead {
		return nil // it goes with its scope
	}
	s := c.scopes[n]
	switch {
	case s == nil && c.blind:
		return nil
	case s == nil:
		w.note(backend.ProblemDeadline, "it is about scope %d, which is not there", uint64(n))
		return nil
	case s.key != record:
		w.note(backend.ProblemDeadline, "it names the record %q, that of scope %d is %q", record,
			uint64(n), s.key)
	}
	key, err := codec.AppendKey(nil, n, p, user)
	if err != nil {
		w.note(backend.ProblemDeadline, "%v", err)
		return nil
	}
	value, err := c.get(codec.AppendVersion(key, w.version))
	if err != nil {
		return c.ctx.Err() // the walk over that scope tells
	}
	env, err := codec.DecodeEnvelope(value)
	if value == nil || err == nil && max(env.Expiry, 0) != deadline {
		w.note(backend.ProblemDeadline, "it is about %s version %d, which does not expire then",
			codec.FormatKey(n, p, user), w.version)
	}
	return c.ctx.Err()
}
