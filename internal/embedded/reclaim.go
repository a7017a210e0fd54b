package embedded

import (
	"context"
	"maps"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Reclaim implements backend.Retainer: it has the tables of pruned and of deleted scopes rewritten,
// so that the disk space of what was removed comes back at once. What a crash leaves undone comes
// back in the course of Pebble's own compactions.
func (d *DB) Reclaim(ctx context.Context) (backend.Reclaimed, error) {
	if d.closed.Load() {
		return backend.Reclaimed{}, backend.ErrClosed
	}
	ctx, leave, err := d.enter(ctx)
	if err != nil {
		return backend.Reclaimed{}, err
	}
	defer leave()
	r, err := d.reclaim(ctx)
	return r, d.ended(err)
}

func (d *DB) reclaim(ctx context.Context) (r backend.Reclaimed, err error) {
	dirty := d.pruner.dirty
	if err := d.graveyard.freeAll(ctx); err != nil {
		return r, err
	}
	maps.Copy(dirty, d.graveyard.takeEmptied())
	if len(dirty) == 0 {
		return r, nil
	}
	if !d.storeGate.TryRLock() {
		return r, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if err := d.flushFor(ctx); err != nil {
		return r, err
	}
	for _, x := range neighbours(slices.Sorted(maps.Keys(dirty))) {
		lower, _ := codec.ScopeBounds(x.from)
		_, upper := codec.ScopeBounds(x.to)
		before, err := d.store.EstimateDiskUsage(lower, upper)
		if err == nil {
			err = d.store.Compact(ctx, lower, upper, false)
		}
		if err != nil && ctx.Err() != nil {
			return r, ctx.Err()
		}
		after, failed := d.store.EstimateDiskUsage(lower, upper)
		if err == nil {
			err = failed
		}
		if err != nil {
			return r, d.readFailed(err)
		}
		r.Before, r.After = r.Before+before, r.After+after
		maps.DeleteFunc(dirty, func(n codec.Scope, _ struct{}) bool {
			return x.from <= n && n <= x.to
		})
	}
	return r, nil
}

// flushFor brings what was removed into tables. REQUIRES: the caller keeps the store open.
func (d *DB) flushFor(ctx context.Context) error {
	done, err := d.store.AsyncFlush()
	if err != nil {
		return d.readFailed(err)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done(): // also after a fault
		return ctx.Err()
	}
}

// span are scopes whose numbers follow each other.
type span struct{ from, to codec.Scope }

// neighbours joins sorted numbers into spans: one rewrite each.
func neighbours(sorted []codec.Scope) []span {
	var spans []span
	for _, n := range sorted {
		if last := len(spans) - 1; last >= 0 && spans[last].to+1 == n {
			spans[last].to = n
		} else {
			spans = append(spans, span{n, n})
		}
	}
	return spans
}
