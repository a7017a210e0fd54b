package embedded

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Flattening a fork: everything that it shows of its ancestors is copied under its own number, at
// the versions at which it lies there. While that is going on nobody looks at the copies (invariant
// 2 in lineage.go). They go into Pebble's log before the commit that sets Flattened, which
// therefore never outlives them; after a crash, or when it was called off, Flatten passes over what
// is there.
//
// It is no commit: no version is taken, the journal of the fork does not name it. It writes in
// small batches that give way to commits, and holds nothing between them.

const (
	// flattenBytes is how much one batch of copies holds.
	flattenBytes = 256 << 10
	// flattenPage is how many entries one iterator goes over: an open one pins what it was opened on.
	flattenPage = 4096
)

// errSettled: somebody else has flattened the fork meanwhile.
var errSettled = errors.New("the fork is flattened")

// Flatten implements backend.Backend.
func (d *DB) Flatten(ctx context.Context, s *backend.Scope) error {
	if d.closed.Load() {
		return backend.ErrClosed
	}
	err := d.retold(func() error {
		layers, err := d.layersBelow(ctx, s)
		if err != nil || len(layers) == 0 {
			return err
		}
		for _, x := range layers {
			if err := d.copyLayer(ctx, s, x); err != nil {
				return err
			}
		}
		return d.adoptHorizons(ctx, s)
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	return err
}

// copiedLayer is what lies under one scope number, of what a fork reads through.
type copiedLayer struct {
	scope *backend.Scope
	above uint64 // only what lies above this version
	upTo  uint64 // and not above this one
}

// layersBelow lists the layers below the own one of a fork; none for any other scope.
func (d *DB) layersBelow(ctx context.Context, s *backend.Scope) (list []copiedLayer, err error) {
	st, err := d.readable(ctx, s)
	if err != nil {
		return nil, err
	}
	at := uint64(maxVersion)
	for l := st.lineage.Load(); l != nil && !l.isFloor(); {
		s, at = l.parent, min(at, l.fork)
		if st, err = d.readable(ctx, s); err != nil {
			return nil, err
		}
		x := copiedLayer{scope: s, upTo: at}
		if l = st.lineage.Load(); l != nil && !l.isFloor() {
			x.above = l.fork
		}
		if x.upTo > x.above {
			list = append(list, x)
		}
	}
	return list, nil
}

// copyLayer copies one layer, page by page.
func (d *DB) copyLayer(ctx context.Context, s *backend.Scope, x copiedLayer) error {
	next, _ := codec.ScopeBounds(x.scope.Number)
	for next != nil {
		st, err := d.readable(ctx, x.scope)
		if err != nil {
			return err
		}
		b, after, err := d.copyPage(ctx, s, x, next)
		if err != nil {
			return err
		}
		// What was read is whole only if the layer is still there.
		if _, err := d.stillThere(ctx, x.scope, st); err != nil {
			return err
		}
		if !b.Empty() {
			err = d.writeCopies(ctx, s, b, nil)
		}
		if err != nil {
			return err
		}
		next = after
	}
	return nil
}

// copyPage makes a batch of copies of what comes next in a layer and was not copied yet, and tells
// where the next one begins; nil at the end.
func (d *DB) copyPage(
	ctx context.Context, s *backend.Scope, x copiedLayer, from []byte,
) (b *pebble.Batch, next []byte, err error) {
	_, leave, err := d.enterStore(ctx, x.upTo)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	_, upper := codec.ScopeBounds(x.scope.Number)
	it, err := d.store.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: upper})
	if err != nil {
		return nil, nil, d.readFailed(err)
	}
	lower, upper := codec.ScopeBounds(s.Number)
	there, err := d.store.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, nil, d.readFailed(closeIter(it, err))
	}
	prefix := codec.KeyPrefix(nil, s.Number, codec.KV)[:codec.ScopePrefixLen-2]
	c := copier{
		layer: x, number: s.Number, prefix: prefix, there: there, batch: d.store.NewBatch(),
	}
	next, err = c.walk(it)
	return c.batch, next, d.readFailed(closeIter(it, closeIter(there, err)))
}

// copier copies entries of one layer.
type copier struct {
	layer  copiedLayer
	number codec.Scope
	prefix []byte           // of the keys of the fork
	there  *pebble.Iterator // over the keys of the fork
	batch  *pebble.Batch
	key    []byte
}

// walk copies until the batch is full, or the page is at its end, and returns where it stopped.
func (c *copier) walk(it *pebble.Iterator) (next []byte, err error) {
	count := 0
	for ok := it.First(); ok; ok = it.Next() {
		if count++; count > flattenPage || c.batch.Len() > flattenBytes {
			return bytes.Clone(it.Key()), nil
		}
		if err := c.copy(it); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// copy copies the entry under an iterator, if it is one that the fork shows.
func (c *copier) copy(it *pebble.Iterator) error {
	_, letter, _, version, err := codec.DecodeKey(it.Key())
	if err != nil || version <= c.layer.above {
		return err // what has no version, the horizons, is not shown
	}
	if version > c.layer.upTo {
		if letter == codec.Journal {
			return c.copyJournal(it)
		}
		return nil
	}
	c.key = append(append(c.key[:0], c.prefix...), it.Key()[len(c.prefix):]...)
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	return c.set(value)
}

// set copies a value to a key of the fork if nothing is there.
func (c *copier) set(value []byte) error {
	if c.there.SeekGE(c.key) && bytes.Equal(c.there.Key(), c.key) {
		return nil
	}
	if err := c.there.Error(); err != nil {
		return err
	}
	return c.batch.Set(c.key, value, nil)
}

// copyJournal copies of journal records that share a key those that the fork shows.
func (c *copier) copyJournal(it *pebble.Iterator) error {
	g, number, err := openJournal(it)
	if err != nil || g.First() > c.layer.upTo {
		return err
	}
	var shown codec.GroupBuilder
	for g.Next() && g.Version() <= c.layer.upTo {
		shown.Add(g.Version(), g.Record())
	}
	if g.Err() != nil || shown.Len() == 0 {
		return g.Err()
	}
	last := number - uint64(g.Left()) - 1 // the reader stands on the first one that is not shown
	c.key = codec.AppendJournalKey(c.key[:0], c.number, last, 0)
	codec.PatchVersion(c.key, shown.Last())
	return c.set(shown.Append(nil))
}

// openJournal opens what lies under the key of a journal at an iterator. number is that of the last
// record; of a part of a long record it is 0.
func openJournal(it *pebble.Iterator) (g codec.GroupReader, number uint64, err error) {
	_, _, user, version, err := codec.DecodeKey(it.Key())
	if err != nil {
		return g, 0, err
	}
	number, part, err := codec.DecodeJournalUserKey(user)
	if err != nil || part > 0 {
		return g, 0, err
	}
	value, err := it.ValueAndErr()
	return codec.OpenGroup(version, value), number, err
}

// writeCopies hands a batch over for a fork that still reads through its parent, and calls first,
// if it is given, in the same step: if that refuses, nothing is written and its error returned.
// Nothing may come behind the removal of a fork that was deleted.
func (d *DB) writeCopies(
	ctx context.Context, s *backend.Scope, b *pebble.Batch, first func(*scopeState) error,
) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		st, err := d.readable(ctx, s)
		if err != nil {
			return err
		}
		if written, err := d.writeCopiesTo(ctx, st, b, first); written || err != nil {
			return err
		}
	}
}

// writeCopiesTo is writeCopies as long as a state is the one that counts.
func (d *DB) writeCopiesTo(
	ctx context.Context, st *scopeState, b *pebble.Batch, first func(*scopeState) error,
) (written bool, err error) {
	if !d.commitGate.TryRLock() {
		return false, backend.ErrClosed
	}
	defer d.commitGate.RUnlock()
	if err := d.acceptsWrites(); err != nil {
		return false, err
	}
	if err := d.giveWay(ctx); err != nil {
		return false, err
	}
	d.commitLock.Lock()
	defer d.commitLock.Unlock()
	if err := d.running(); err != nil {
		return false, err
	}
	if st.retired.Load() || st.phase.Load() != scopeOpen {
		return false, nil
	}
	if l := st.lineage.Load(); l == nil || l.isFloor() {
		return false, errSettled
	}
	if first != nil {
		if err := first(st); err != nil {
			return false, err
		}
	}
	d.counters.bytesLogged.Add(uint64(b.Len()))
	if err := d.applyQuietly(b); err != nil {
		return false, err
	}
	return true, b.Close()
}
