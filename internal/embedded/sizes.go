package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

var _ backend.Inspector = (*DB)(nil)

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
	snap := d.store.NewSnapshot()
	w := sizing{
		ctx: ctx, tell: f, names: map[codec.Scope]string{},
		now:    backend.SizeInfo{Scope: codec.MaxScope, Held: map[codec.Primitive]backend.Held{}},
		system: backend.SizeInfo{Held: map[codec.Primitive]backend.Held{}},
	}
	err := d.readFailed(w.learn(snap))
	if err == nil {
		err = w.walk(snap)
	}
	if err == nil {
		err = f(w.system)
	}
	return d.ended(errors.Join(err, snap.Close()))
}

// sizing is one Sizes under way.
type sizing struct {
	ctx         context.Context
	tell        func(backend.SizeInfo) error
	names       map[codec.Scope]string
	now, system backend.SizeInfo
}

// learn reads the records of all scopes.
func (w *sizing) learn(snap *pebble.Snapshot) error {
	it, err := snap.NewIter(&pebble.IterOptions{
		LowerBound: append(codec.KeyPrefix(nil, codec.SystemScope, codec.ScopeRecords), 0),
		UpperBound: codec.AppendRangeEnd(nil, codec.SystemScope, codec.ScopeRecords, ""),
	})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.NextPrefix() {
		_, _, user, _, err := codec.DecodeKey(it.Key())
		value, unread := it.ValueAndErr()
		if err = errors.Join(err, unread, w.ctx.Err()); err != nil {
			return closeIter(it, err)
		}
		env, err := codec.DecodeEnvelope(value)
		if err != nil || env.Tombstone {
			continue
		}
		if rec, err := codec.DecodeScopeRecord(env.Payload); err == nil {
			w.names[rec.Number] = string(user)
		}
	}
	return closeIter(it, nil)
}

// walk goes over all keys.
func (w *sizing) walk(snap *pebble.Snapshot) error {
	it, err := snap.NewIter(nil)
	if err != nil {
		return err
	}
	count := 0
	for ok := it.First(); ok; ok = it.Next() {
		if count++; count%1024 == 0 && w.ctx.Err() != nil {
			return closeIter(it, w.ctx.Err())
		}
		n, p, _, _, err := codec.DecodeKey(it.Key())
		if err != nil {
			continue // Check tells
		}
		at := &w.system
		if n != codec.SystemScope {
			if at = &w.now; n != at.Scope {
				if err := w.flush(); err != nil {
					return closeIter(it, err)
				}
				*at = backend.SizeInfo{
					Scope: n, Record: w.names[n], Held: map[codec.Primitive]backend.Held{},
				}
			}
		}
		value := it.LazyValue()
		held := at.Held[p]
		held.Records++
		held.Bytes += uint64(len(it.Key()) + value.Len())
		at.Held[p] = held
	}
	if err := closeIter(it, it.Error()); err != nil {
		return err
	}
	return w.flush()
}

// flush tells of the scope that the walk has left.
func (w *sizing) flush() error {
	if len(w.now.Held) == 0 {
		return nil
	}
	return w.tell(w.now)
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
