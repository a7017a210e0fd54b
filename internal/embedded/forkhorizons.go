package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

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

// errRaised: a horizon has risen since it was looked at.
var errRaised = errors.New("a horizon has risen")

// adoptHorizons gives a fork that is being flattened the horizons of what it was copied from: the
// copies reach back no further. Horizons that rise meanwhile, of the fork itself too, are not lost:
// it begins anew then.
func (d *DB) adoptHorizons(ctx context.Context, s *backend.Scope) error {
	for {
		raised := d.retained.raised.Load()
		list, pending, err := d.horizonsThrough(ctx, s)
		if err != nil || list == nil {
			return err
		}
		h, b, err := d.adoption(ctx, s, list, pending)
		if err != nil {
			return err
		}
		err = d.writeCopies(ctx, s, b, func(st *scopeState) error {
			d.retained.mu.Lock()
			defer d.retained.mu.Unlock()
			if !d.retained.raised.CompareAndSwap(raised, raised+1) {
				return errRaised
			}
			st.horizons.Store(h)
			return nil
		})
		if !errors.Is(err, errRaised) {
			return err
		}
	}
}

// adoption makes the batch of adoptHorizons: the record, and the removal of copied journal records
// that lie before the newest one at or below the horizon. A layer above has pruned those that come
// behind them, so there would be a hole.
func (d *DB) adoption(
	ctx context.Context, s *backend.Scope, list backend.Horizons, pending bool,
) (*horizons, *pebble.Batch, error) {
	c, err := d.Commits(ctx, s, list.Newest())
	if err != nil {
		return nil, nil, err
	}
	h := newHorizons(codec.HorizonRecord{Horizons: list, First: c.First, Pending: pending})
	b := d.store.NewBatch()
	err = b.Set(codec.HorizonKey(s.Number), codec.AppendEnvelope(nil,
		codec.Envelope{Payload: codec.AppendHorizonRecord(nil, h.record())}), nil)
	at := list.Of(codec.Journal)
	if err != nil || at == 0 {
		return h, b, err
	}
	if c, err = d.Commits(ctx, s, at); err != nil {
		return nil, nil, err
	}
	st, err := d.readable(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	own, _ := st.lineage.Load().below()
	from, err := codec.AppendKey(nil, s.Number, codec.Journal, codec.EventUserKey(0))
	if err != nil {
		return nil, nil, err
	}
	end, err := codec.AppendKey(nil, s.Number, codec.Journal, codec.EventUserKey(min(c.Count, own)))
	if err != nil {
		return nil, nil, err
	}
	return h, b, b.DeleteRange(from, end, nil)
}
