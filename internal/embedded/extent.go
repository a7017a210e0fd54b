package embedded

import (
	"context"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Commits implements backend.Reader. Commit numbers are dense and rise with the versions, and the
// journal is sorted by number: its ends tell the extent, and a binary search by number finds the
// newest commit at an older version.
func (d *DB) Commits(
	ctx context.Context, s *backend.Scope, at uint64,
) (c backend.ScopeCommits, err error) {
	var none backend.ScopeCommits
	if d.closed.Load() {
		return none, backend.ErrClosed
	}
	st, err := d.readable(ctx, s)
	if err != nil {
		return none, err
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if !d.storeGate.TryRLock() {
		return none, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return none, backend.ErrClosed
	}
	at = min(at, d.published.load())
	if e, ok := d.standing(st, at); ok && s.Number != codec.SystemScope {
		return e.commits, nil // nothing since: who asks often, asks at what is published
	}
	if err := d.handover.reach(at); err != nil {
		return none, err
	}
	err = d.retold(func() error {
		c, err = d.commitsAt(ctx, s, at)
		return err
	})
	if err == nil && st.lineage.Load() != nil {
		// Each layer was asked for its own journal: together they may have lost more.
		err = d.stillReadable(ctx, s, at)
	}
	if err != nil {
		return none, d.restate(ctx, s, codec.Journal, at, err)
	}
	return c, nil
}

// extent reads the own journal of a scope, from a number on.
func (d *DB) extent(n codec.Scope, first, at uint64) (backend.ScopeCommits, error) {
	c, err := openDense(d.store, n, codec.Journal)
	if err != nil {
		return backend.ScopeCommits{}, err
	}
	x := c.extentAt(first, at)
	return x, c.close()
}
