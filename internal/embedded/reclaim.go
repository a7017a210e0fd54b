package embedded

import (
	"context"
	"errors"
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
	commits, failed := d.thinForReclaim(ctx) // a damaged record does not keep the rest from it
	if ctx.Err() != nil || len(dirty) == 0 && commits == nil {
		return r, failed
	}
	defer func() { err = errors.Join(err, failed) }()
	if !d.storeGate.TryRLock() {
		return r, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	ranges := commits
	for _, x := range neighbours(slices.Sorted(maps.Keys(dirty))) {
		u := usedRange{scopes: x}
		u.lower, u.upper = x.bounds()
		for n := x.from; n <= x.to; n++ {
			u.before += dirty[n]
		}
		now, err := d.diskUsage(u.lower, u.upper)
		if err != nil {
			return r, err
		}
		u.before = max(u.before, now)
		ranges = append(ranges, u)
	}
	if err := d.flushFor(ctx); err != nil {
		return r, err
	}
	for _, x := range ranges {
		after, err := d.rewrite(ctx, x)
		if err != nil {
			return r, err
		}
		r.Before, r.After = r.Before+x.before, r.After+after
		maps.DeleteFunc(dirty, func(n codec.Scope, _ uint64) bool {
			return x.scopes.from <= n && n <= x.scopes.to
		})
	}
	return r, nil
}

// thinForReclaim thins the list of commits, and returns where it lies if anything of it has gone.
func (d *DB) thinForReclaim(ctx context.Context) ([]usedRange, error) {
	x := usedRange{}
	x.lower, x.upper = listBounds()
	var err error
	if x.before, err = d.listSize(); err != nil {
		return nil, err
	}
	if err := d.flushForThinning(ctx); err != nil {
		return nil, err
	}
	gone, err := d.thinAll(ctx)
	if err != nil || gone == 0 {
		return nil, err
	}
	return []usedRange{x}, nil
}

// flushForThinning brings what was committed so far into tables, if scopes were freed since the
// list of commits was thinned, and notes that it is there: Pebble tells of a flush before the next.
func (d *DB) flushForThinning(ctx context.Context) error {
	due := false
	err := d.graveyard.inTurn(ctx, func() error {
		due = d.graveyard.freed.Load() != d.graveyard.thinned.freed
		return nil
	})
	if err != nil || !due {
		return err
	}
	if !d.storeGate.TryRLock() {
		return backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if err := d.handover.push(); err != nil {
		return err
	}
	there := d.handover.handed.load() // before the memtable is closed that the flush is of
	if err := d.flushFor(ctx); err != nil {
		return err
	}
	d.inTables(there)
	return nil
}

// usedRange is a range of keys, and what it took on disk.
type usedRange struct {
	scopes       span // whose keys it has; none, {0, 0}, for the list of commits
	lower, upper []byte
	before       uint64
}

// rewrite has the tables of a range rewritten, and tells what it takes on disk then.
func (d *DB) rewrite(ctx context.Context, x usedRange) (uint64, error) {
	err := d.compactions.hurried(func() error {
		return d.store.Compact(ctx, x.lower, x.upper, false)
	})
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, d.readFailed(err)
	}
	return d.diskUsage(x.lower, x.upper)
}

// diskUsage is what the tables hold of a range, about. REQUIRES: the caller keeps the store open.
func (d *DB) diskUsage(lower, upper []byte) (uint64, error) {
	n, err := d.store.EstimateDiskUsage(lower, upper)
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
