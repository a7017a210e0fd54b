package txn

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/internal/backend"
)

// Update runs fn in a transaction, commits if it returns nil, and returns the commit version (0 if
// nothing was written). An error of fn rolls back and comes back unchanged; a panic rolls back and
// goes on up.
//
// A conflict at commit is retried: fn runs again from scratch, on a new transaction with a new
// snapshot, so it must be free of side effects and must not keep the Tx. A retry waits as the
// policy says and then takes its turn at the first key that was lost. An attempt that begins with
// the Get of a key at which others take turns, or with the EventHead of such a log, joins them
// there, and begins when its turn comes. A conflict that fn itself returns, say of a direct
// compare-and-set, is an error of fn like any other. When the retries are used up the last conflict
// is returned.
//
// Errors: those of fn, of Begin and of Tx.Commit; ErrTimeout or ErrCanceled when ctx ends before
// the commit has its place in the log, also while waiting for a retry.
func (m *Manager) Update(ctx context.Context, only *backend.Scope, o Options, fn func(*Tx) error,
) (uint64, error) {
	retry := o.Retry
	if retry == nil {
		retry = m.cfg.Retry
	}
	var mine turn
	defer func() { m.queue.leave(mine) }() // also when fn panics
	for attempt := 0; ; attempt++ {
		version, err, own := m.attempt(ctx, only, o, mine, fn)
		if err == nil || own {
			return version, err
		}
		var lost *ConflictError
		if !errors.As(err, &lost) || attempt >= retry.Max {
			return version, err
		}
		m.queue.leave(mine)
		if mine, err = m.backoff(ctx, retry, attempt, lost); err != nil {
			return 0, err
		}
		m.count.retries.Add(1)
	}
}

// attempt is one run of fn with its commit, in turn or, with the zero turn, without. Own tells an
// error of fn from one of ours.
func (m *Manager) attempt(ctx context.Context, only *backend.Scope, o Options, mine turn,
	fn func(*Tx) error,
) (version uint64, err error, own bool) {
	t, err := m.begin(ctx, only, o)
	if err != nil {
		return 0, err, false
	}
	t.managed, t.untouched = true, mine.number == 0
	// Rolls back if fn panics or ends its goroutine; after a commit it does nothing.
	defer t.end(functionFailed)
	defer func() { m.queue.leave(t.turn) }()
	if err := fn(t); err != nil {
		return 0, err, true
	}
	version, err = t.commit(ctx)
	return version, err, false
}
