package embedded

import (
	"context"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// enterStore is the way into the store for a read of what is committed at or below a version: it is
// open until leave is called, and holds everything up to there. The version that can be read is at
// most the published one.
func (d *DB) enterStore(ctx context.Context, at uint64) (readable uint64, leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	if !d.storeGate.TryRLock() {
		return 0, nil, backend.ErrClosed
	}
	at = min(at, d.published.load())
	if d.closed.Load() {
		err = backend.ErrClosed
	} else {
		err = d.handover.reach(at)
	}
	if err != nil {
		d.storeGate.RUnlock()
		return 0, nil, err
	}
	return at, d.storeGate.RUnlock, nil
}

// NewestCommit implements backend.History.
func (d *DB) NewestCommit(ctx context.Context, at uint64) (uint64, int64, error) {
	if d.closed.Load() {
		return 0, 0, backend.ErrClosed
	}
	at = min(at, d.published.load())
	if time, ok := d.times.get(at); ok && at != 0 {
		return at, time, nil
	}
	at, leave, err := d.enterStore(ctx, at)
	if err != nil {
		return 0, 0, err
	}
	defer leave()
	c, err := newCommitCursor(d.store)
	if err != nil {
		return 0, 0, d.readFailed(err)
	}
	var version uint64
	var time int64
	if c.newest(at) {
		version, time = c.rec.Version, c.rec.Time
	}
	return version, time, d.readFailed(c.close())
}

// VersionAt implements backend.History.
func (d *DB) VersionAt(ctx context.Context, time int64) (uint64, error) {
	if d.closed.Load() {
		return 0, backend.ErrClosed
	}
	newest := d.published.load()
	if last, ok := d.times.get(newest); ok && newest != 0 && last <= time {
		return newest, nil
	}
	at, leave, err := d.enterStore(ctx, newest)
	if err != nil {
		return 0, err
	}
	defer leave()
	c, err := newCommitCursor(d.store)
	if err != nil {
		return 0, d.readFailed(err)
	}
	version := searchTime(c, at, time)
	return version, d.readFailed(c.close())
}

// searchTime finds the newest commit at or before a time, of those up to a version. Times rise with
// the versions; not every version has a commit. What stopped it early the cursor's close tells.
func searchTime(c *commitCursor, at uint64, time int64) uint64 {
	if !c.seek(1) || c.rec.Version > at || c.rec.Time > time {
		return 0
	}
	low := c.rec.Version
	// Commit low is at or before the time, and every commit from high on is after it.
	for high := at + 1; high-low > 1; {
		middle := low + (high-low)/2
		switch found := c.seek(middle); {
		case !found && c.err != nil:
			return 0
		case found && c.rec.Version < high && c.rec.Time <= time:
			low = c.rec.Version
		default:
			high = middle
		}
	}
	return low
}

// versionsPage is how many versions of a key one iterator reads, versionsBytes how much of their
// values at most, the last one not counted.
const (
	versionsPage  = 128
	versionsBytes = 32 << 20
)

// Versions implements backend.History.
func (d *DB) Versions(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) iter.Seq2[backend.Record, error] {
	return func(yield func(backend.Record, error) bool) {
		for next := at; ; {
			page, more, err := d.versionsPage(ctx, s, p, key, next)
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
				next = page[i].Version - 1
			}
			if err != nil {
				yield(backend.Record{}, err)
				return
			}
			if !more || next == 0 {
				return
			}
		}
	}
}

// versionsPage reads versions of a key at or below a version, newest first, and tells whether there
// may be more. An error comes behind what it returns with it.
func (d *DB) versionsPage(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (page []backend.Record, more bool, err error) {
	if d.closed.Load() {
		return nil, false, backend.ErrClosed
	}
	err = d.retold(func() error {
		page, more, err = d.versionsThrough(ctx, s, p, key, at)
		return err
	})
	return page, more, err
}

// versionsThrough goes down the layers of a scope until one has a version of the key.
func (d *DB) versionsThrough(
	ctx context.Context, top *backend.Scope, p codec.Primitive, key string, at uint64,
) (page []backend.Record, more bool, err error) {
	at, leave, err := d.enterStore(ctx, at)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	asked := at
	for s := top; at > 0; {
		l, err := d.topLayer(ctx, s, at)
		if err != nil {
			return nil, false, err
		}
		page, more, failed := d.readVersions(&l, p, key)
		h, err := d.historyHorizons(ctx, top, &l)
		switch earliest := h.Of(p); {
		case err != nil:
			return nil, false, err
		case asked < earliest:
			return nil, false, prunedHistory(top, asked, earliest)
		case failed != nil:
			return nil, false, d.readFailed(failed)
		case len(page) > 0 && page[len(page)-1].Version <= earliest:
			return upToHorizon(top, page, earliest)
		case len(page) > 0:
			return page, more || l.lineage != nil, nil
		case l.lineage == nil:
			return nil, false, nil
		}
		s, at = l.lineage.parent, min(at, l.lineage.fork)
	}
	_, err = d.readable(ctx, top)
	return nil, false, err
}

// upToHorizon leaves out what lies below a horizon, but the newest version there: that one shows at
// the horizon.
func upToHorizon(
	s *backend.Scope, page []backend.Record, earliest uint64,
) ([]backend.Record, bool, error) {
	for i := range page {
		if page[i].Version <= earliest {
			page = page[:i+1]
			break
		}
	}
	return page, false, prunedHistory(s, earliest-1, earliest)
}

// readVersions reads a page of a key's versions in one layer from the store.
func (d *DB) readVersions(
	l *journalLayer, p codec.Primitive, key string,
) (page []backend.Record, more bool, err error) {
	from, err := codec.AppendKey(nil, l.scope.Number, p, key)
	if err != nil || l.at <= l.above {
		return nil, false, err
	}
	it, err := d.store.NewIter(&pebble.IterOptions{})
	if err != nil {
		return nil, false, err
	}
	size := 0
	for more = it.SeekPrefixGE(codec.AppendVersion(from, l.at)); more; more = it.Next() {
		if len(page) == versionsPage || size > versionsBytes {
			break
		}
		var rec backend.Record
		if rec, err = d.decodeEntry(it); err != nil {
			break
		}
		if rec.Version <= l.above { // a copy that is being made of what lies below
			more = false
			break
		}
		page = append(page, rec)
		size += len(rec.Value)
	}
	d.noteHistory(it)
	return page, more, closeIter(it, err)
}
