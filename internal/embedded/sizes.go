package embedded

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

var _ backend.Inspector = (*DB)(nil)

// sizedLetters are the primitives whose keys take space, index entries apart.
var sizedLetters = []codec.Primitive{
	codec.Events.Index(), codec.Traces.Index(), codec.Cells, codec.Events, codec.Horizons,
	codec.Journal, codec.KV, codec.Machines, codec.Traces, codec.Extensions, codec.Vectors,
}

// systemLetters are those of the system scope.
var systemLetters = []codec.Primitive{
	codec.RunIndex, codec.Commits, codec.Graveyard, codec.Journal, codec.Meta, codec.ScopeRecords,
	codec.Expiries,
}

// Sizes implements backend.Inspector.
func (d *DB) Sizes(ctx context.Context, f func(backend.SizeInfo) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.pruner.closing, cancel)()
	if !d.storeGate.TryRLock() {
		return backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return backend.ErrClosed
	}
	if err := d.handover.push(); err != nil {
		return err
	}
	system, err := d.sizeOf(codec.SystemScope, "", systemLetters)
	if err == nil {
		err = f(system)
	}
	if err != nil {
		return d.ended(err)
	}
	return d.ended(d.eachRecord(ctx, func(key string, n codec.Scope) error {
		x, err := d.sizeOf(n, key, sizedLetters)
		if err != nil {
			return err
		}
		return f(x)
	}))
}

// eachRecord calls f with the scopes that have a record, in the order of the records' keys.
func (d *DB) eachRecord(ctx context.Context, f func(key string, n codec.Scope) error) error {
	it, err := d.store.NewIter(&pebble.IterOptions{
		LowerBound: append(codec.KeyPrefix(nil, codec.SystemScope, codec.ScopeRecords), 0),
		UpperBound: codec.AppendRangeEnd(nil, codec.SystemScope, codec.ScopeRecords, ""),
	})
	if err != nil {
		return d.readFailed(err)
	}
	for ok := it.First(); ok; ok = it.NextPrefix() {
		if err := ctx.Err(); err != nil {
			return closeIter(it, err)
		}
		_, _, user, _, err := codec.DecodeKey(it.Key())
		if err != nil {
			return d.readFailed(closeIter(it, err))
		}
		rec, err := d.decodeEntry(it)
		if err != nil {
			return d.readFailed(closeIter(it, err))
		}
		if rec.Deleted {
			continue
		}
		s, err := codec.DecodeScopeRecord(rec.Value)
		if err == nil {
			err = f(string(user), s.Number)
		}
		if err != nil {
			return closeIter(it, err)
		}
	}
	return d.readFailed(closeIter(it, nil))
}

// sizeOf estimates what a scope takes, letter by letter where it takes anything.
func (d *DB) sizeOf(
	n codec.Scope, key string, letters []codec.Primitive,
) (backend.SizeInfo, error) {
	x := backend.SizeInfo{Scope: n, Record: key, Disk: map[codec.Primitive]uint64{}}
	c, err := d.extent(n, 0, maxVersion)
	if err != nil {
		return x, d.readFailed(err)
	}
	x.Commits = c.Count
	if n != codec.SystemScope {
		head, err := d.eventHeadAt(n, 0, maxVersion)
		if err != nil {
			return x, d.readFailed(err)
		}
		x.Events = head.next
		if used, err := d.diskUsage(span{n, n}); err != nil || used == 0 {
			return x, err
		}
	}
	for _, p := range letters {
		lower := append(codec.KeyPrefix(nil, n, p), 0)
		used, err := d.store.EstimateDiskUsage(lower, codec.AppendRangeEnd(nil, n, p, ""))
		if err != nil {
			return x, d.readFailed(err)
		}
		if used > 0 {
			x.Disk[p] = used
		}
	}
	return x, nil
}

// Shape implements backend.Inspector.
func (d *DB) Shape() (backend.ShapeInfo, error) {
	var x backend.ShapeInfo
	if !d.storeGate.TryRLock() {
		return x, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return x, backend.ErrClosed
	}
	m := d.store.Metrics()
	for i := range m.Levels {
		l := &m.Levels[i]
		x.Levels = append(x.Levels, backend.LevelInfo{
			Level: i, Files: int(l.TablesCount), Sublevels: int(l.Sublevels), Bytes: l.TablesSize,
		})
		x.WrittenByStore += l.TableBytesFlushed + l.TableBytesCompacted
	}
	x.DiskBytes, x.LogBytes = m.DiskSpaceUsage(), m.WAL.PhysicalSize
	x.ObsoleteBytes = m.Table.ObsoleteSize + m.Table.ZombieSize
	x.MemtableBytes, x.BufferBytes = d.table.Bytes(), int64(m.MemTable.Size)
	x.CacheBytes, x.CacheBudget = m.BlockCache.Size, d.opts.CacheSize
	x.CompactionDebt = m.Compact.EstimatedDebt
	x.Compactions, x.Flushes = m.Compact.Count, m.Flush.Count
	x.WrittenByLog = m.WAL.BytesWritten
	return x, nil
}
