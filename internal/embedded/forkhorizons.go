package embedded

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// What retention has removed of a fork is what was removed of any scope that it reads through: none
// of them is cut above the fork version, so it only shows to who reads below that.

// horizonsThrough are the horizons of a scope and of all that it reads through.
func (d *DB) horizonsThrough(
	ctx context.Context, s *backend.Scope,
) (list backend.Horizons, pending bool, err error) {
	err = d.retold(func() error {
		list, pending = nil, false
		for next := s; next != nil; {
			st, err := d.readable(ctx, next)
			if err != nil {
				return err
			}
			if h := st.horizons.Load(); h != nil {
				list, pending = list.Raise(h.list), pending || h.pending
			}
			l := st.lineage.Load()
			if l == nil {
				break
			}
			next = l.parent
		}
		return nil
	})
	return list, pending, err
}

// restate tells of a fork what one of its layers has told of itself: that it was pruned.
func (d *DB) restate(
	ctx context.Context, s *backend.Scope, p codec.Primitive, at uint64, err error,
) error {
	var pruned *backend.PrunedError
	if !errors.As(err, &pruned) {
		return err
	}
	list, _, failed := d.horizonsThrough(ctx, s)
	if failed != nil {
		return failed
	}
	return &backend.PrunedError{Run: s.Record, Version: at, Earliest: list.Of(p)}
}

// adoptHorizons gives a fork that is being flattened the horizons of what it was copied from: the
// copies reach back no further.
func (d *DB) adoptHorizons(ctx context.Context, s *backend.Scope) error {
	list, pending, err := d.horizonsThrough(ctx, s)
	if err != nil || list == nil {
		return err
	}
	c, err := d.Commits(ctx, s, list.Newest())
	if err != nil {
		return err
	}
	h := newHorizons(codec.HorizonRecord{Horizons: list, First: c.First, Pending: pending})
	b := d.store.NewBatch()
	err = b.Set(codec.HorizonKey(s.Number), codec.AppendEnvelope(nil,
		codec.Envelope{Payload: codec.AppendHorizonRecord(nil, h.record())}), nil)
	if err != nil {
		return err
	}
	return d.writeCopies(ctx, s, b, func(st *scopeState) {
		d.retained.mu.Lock()
		defer d.retained.mu.Unlock()
		st.horizons.Store(h)
		d.retained.raised.Add(1)
	})
}
