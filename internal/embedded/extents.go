package embedded

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// How far the history of a scope reaches at a version, through its lineage: commit numbers and
// event numbers are dense and rise with the versions, over all layers.

// extentsAt is where a scope stood at a published version. If nothing was committed to it since,
// its state tells without a look at the store.
func (d *DB) extentsAt(ctx context.Context, s *backend.Scope, at uint64) (extents, error) {
	st, err := d.readable(ctx, s)
	if err != nil {
		return extents{}, err
	}
	if e, ok := d.standing(st, at); ok {
		return e, nil
	}
	if !d.storeGate.TryRLock() {
		return extents{}, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return extents{}, backend.ErrClosed
	}
	if err := d.handover.reach(at); err != nil {
		return extents{}, err
	}
	var e extents
	if e.commits, err = d.commitsAt(ctx, s, at); err != nil {
		return extents{}, err
	}
	e.events, err = d.eventsAt(ctx, s, at)
	return e, err
}

// ownExtents is where a scope stands by its own records and its lineage. REQUIRES: the caller keeps
// the store open.
func (d *DB) ownExtents(
	n codec.Scope, l *lineage, h *horizons, at uint64,
) (e extents, err error) {
	commits, events := l.below()
	if e.commits, err = d.extent(n, commits, at); err != nil {
		return extents{}, d.readFailed(err)
	}
	if e.events, err = d.eventHeadAt(n, events, at); err != nil {
		return extents{}, d.readFailed(err)
	}
	return extents{commits: l.under(e.commits, h), events: l.underEvents(e.events)}, nil
}

// under puts what lies below own commits under them.
func (l *lineage) under(own backend.ScopeCommits, h *horizons) backend.ScopeCommits {
	if h != nil && h.first != 0 && own.Count > 0 {
		own.First = h.first // its journal record may be gone
	}
	switch {
	case l == nil || l.isFloor():
	case own.Count == 0:
		return l.base.commits
	case l.base.commits.Count != 0:
		own.First = l.base.commits.First
	}
	return own
}

// underEvents is where the next event goes, above own ones or else above what lies below. Above a
// floor the own ones are all there are: copies, of which none may be as old as what is asked for.
func (l *lineage) underEvents(own eventHead) eventHead {
	if own.next == 0 && l != nil && !l.isFloor() {
		return l.base.events
	}
	return own
}

// standing is where a scope stands now, if that is where it stood at a version.
func (d *DB) standing(st *scopeState, at uint64) (e extents, ok bool) {
	d.commitLock.Lock()
	defer d.commitLock.Unlock()
	e = extents{commits: st.commits, events: st.events}
	return e, st.phase.Load() == scopeOpen && !st.retired.Load() && st.commits.Last <= at
}

// commitsAt is Commits through the layers of a scope. REQUIRES: everything up to the version was
// handed over, and the caller keeps the store open.
func (d *DB) commitsAt(
	ctx context.Context, s *backend.Scope, at uint64,
) (backend.ScopeCommits, error) {
	s, st, l, err := d.layerAt(ctx, s, at)
	if err != nil {
		return backend.ScopeCommits{}, err
	}
	first, _ := l.below()
	own, err := d.extent(s.Number, first, at)
	st, gone := d.stillThere(ctx, s, st)
	if gone != nil {
		return backend.ScopeCommits{}, gone
	}
	if err := errors.Join(d.readFailed(err), st.refuse(s, codec.Journal, at)); err != nil {
		return backend.ScopeCommits{}, err
	}
	return l.under(own, st.horizons.Load()), nil
}

// eventsAt is where the next event of a scope would have gone at a version. REQUIRES: as commitsAt.
func (d *DB) eventsAt(ctx context.Context, s *backend.Scope, at uint64) (eventHead, error) {
	s, st, l, err := d.layerAt(ctx, s, at)
	if err != nil {
		return eventHead{}, err
	}
	_, first := l.below()
	head, err := d.eventHeadAt(s.Number, first, at)
	if _, gone := d.stillThere(ctx, s, st); gone != nil {
		return eventHead{}, gone
	}
	return l.underEvents(head), d.readFailed(err)
}

// layerAt finds the layer of a scope that tells how far its history reached at a version: the one
// that has own records there, or would have.
func (d *DB) layerAt(
	ctx context.Context, s *backend.Scope, at uint64,
) (*backend.Scope, *scopeState, *lineage, error) {
	for {
		st, err := d.readable(ctx, s)
		if err != nil {
			return nil, nil, nil, err
		}
		l := st.lineage.Load()
		if l == nil || l.isFloor() || at >= l.fork {
			return s, st, l, nil
		}
		if err := st.refuse(s, codec.Journal, at); err != nil {
			return nil, nil, nil, err
		}
		s = l.parent
	}
}

// eventHeadAt finds the head of a scope's own events, from a number on, at a version; zero if it
// has none.
func (d *DB) eventHeadAt(n codec.Scope, first, at uint64) (head eventHead, err error) {
	c, err := openDense(d.store, n, codec.Events)
	if err != nil {
		return head, err
	}
	head, err = c.eventHead(first, at)
	return head, errors.Join(err, c.close())
}

// eventHead finds the newest event at a version, from a number on: the next one goes behind it.
func (c *denseCursor) eventHead(first, at uint64) (eventHead, error) {
	x := c.extentAt(first, at)
	if x.Last == 0 || !c.seek(x.Count) {
		return eventHead{}, nil
	}
	value, err := c.it.ValueAndErr()
	if err != nil {
		return eventHead{}, err
	}
	env, err := codec.DecodeEnvelope(value)
	if err != nil {
		return eventHead{}, err
	}
	ev, err := codec.DecodeEventRecord(env.Payload)
	return eventHead{next: x.Count + 1, hash: ev.Hash, time: ev.Time}, err
}

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
