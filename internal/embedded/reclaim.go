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
	for n := range d.graveyard.takeEmptied() {
		dirty[n] += 0 // it is there now
	}
	if len(dirty) == 0 {
		return r, nil
	}
	if !d.storeGate.TryRLock() {
		return r, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	spans := neighbours(slices.Sorted(maps.Keys(dirty)))
	for i, x := range spans {
		now, err := d.diskUsage(x.span)
		if err != nil {
			return r, err
		}
		for n := x.from; n <= x.to; n++ {
			spans[i].before += dirty[n]
		}
		spans[i].before = max(spans[i].before, now)
	}
	if err := d.flushFor(ctx); err != nil {
		return r, err
	}
	for _, x := range spans {
		after, err := d.rewrite(ctx, x.span)
		if err != nil {
			return r, err
		}
		r.Before, r.After = r.Before+x.before, r.After+after
		maps.DeleteFunc(dirty, func(n codec.Scope, _ uint64) bool {
			return x.from <= n && n <= x.to
		})
	}
	return r, nil
}

// rewrite has the tables of a span rewritten, and tells what it takes on disk then.
func (d *DB) rewrite(ctx context.Context, x span) (uint64, error) {
	lower, upper := x.bounds()
	err := d.compactions.hurried(func() error { return d.store.Compact(ctx, lower, upper, false) })
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, d.readFailed(err)
	}
	return d.diskUsage(x)
}

// diskUsage is what the tables hold of a span, about. REQUIRES: the caller keeps the store open.
func (d *DB) diskUsage(x span) (uint64, error) {
	n, err := d.store.EstimateDiskUsage(x.bounds())
	return n, d.readFailed(err)
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

func (x span) bounds() (lower, upper []byte) {
	lower, _ = codec.ScopeBounds(x.from)
	_, upper = codec.ScopeBounds(x.to)
	return lower, upper
}

// usedSpan is a span and what it took on disk.
type usedSpan struct {
	span
	before uint64
}

// neighbours joins sorted numbers into spans: one rewrite each.
func neighbours(sorted []codec.Scope) []usedSpan {
	var spans []usedSpan
	for _, n := range sorted {
		if last := len(spans) - 1; last >= 0 && spans[last].to+1 == n {
			spans[last].to = n
		} else {
			spans = append(spans, usedSpan{span: span{n, n}})
		}
	}
	return spans
}
