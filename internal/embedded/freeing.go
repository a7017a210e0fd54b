package embedded

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The steps of the graveyard. None waits for the disk under the commit lock, and none holds it for
// more than a small batch: commits of others do not feel it.

const (
	// fewKeys is up to how many keys are deleted one by one. A range deletion costs everybody who
	// reads a little until it is compacted away, a key's tombstone nobody.
	fewKeys = 64
	// freeBatch is how many keys one batch deletes.
	freeBatch = 256
	// freePage is how many keys one iterator goes over: an open one pins what it was opened on.
	freePage = 4096
)

// freeScopes removes all that is left of deleted scopes, and returns those that it is done with,
// also when it fails.
func (d *DB) freeScopes(ctx context.Context, graves []grave) (done []grave, err error) {
	var large []grave
	for _, g := range graves {
		if failed := d.freeOlder(ctx, g); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		doomed, few, failed := d.keysOf(g.scope)
		if failed != nil || !few {
			large = append(large, g) // what cannot be read can be deleted by its range
			continue
		}
		if failed := d.discard(ctx, append(doomed, graveKey(g))); failed != nil {
			return done, errors.Join(err, failed)
		}
		done = append(done, g)
	}
	if len(large) == 0 {
		return done, err
	}
	// Deadlines first: once its keys are gone, nobody could tell that a scope had any.
	failed := d.freeDeadlines(ctx, large)
	if failed == nil {
		failed = d.freeRanges(ctx, large)
	}
	if failed != nil {
		return done, errors.Join(err, failed)
	}
	return append(done, large...), err
}

// graveKey is the engine key of the note.
func graveKey(g grave) []byte {
	// Within the limits by what it is made of.
	key, _ := codec.AppendKey(nil, codec.SystemScope, codec.Graveyard, codec.GraveUserKey(g.scope))
	return codec.AppendVersion(key, g.version)
}

// keysOf lists all keys of a scope and their entries in the index by deadline, if they are few.
func (d *DB) keysOf(n codec.Scope) (keys [][]byte, few bool, err error) {
	if !d.storeGate.TryRLock() {
		return nil, false, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	lower, upper := codec.ScopeBounds(n)
	it, err := d.store.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, false, d.readFailed(err)
	}
	count := 0
	for ok := it.First(); ok; ok = it.Next() {
		if count++; count > fewKeys {
			return nil, false, closeIter(it, nil)
		}
		keys = append(keys, bytes.Clone(it.Key()))
		deadline, err := deadlineKey(it)
		if err != nil {
			return nil, false, d.readFailed(closeIter(it, err))
		}
		if deadline != nil {
			keys = append(keys, deadline)
		}
	}
	err = d.readFailed(closeIter(it, nil))
	return keys, err == nil, err
}

// deadlineKey is the engine key of the entry, in the index by deadline, of what is under an
// iterator; nil if it has no deadline.
func deadlineKey(it *pebble.Iterator) ([]byte, error) {
	n, p, user, version, err := codec.DecodeKey(it.Key())
	if err != nil || p == codec.Journal {
		return nil, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	env, err := codec.DecodeEnvelope(value)
	if err != nil || env.Expiry == 0 {
		return nil, err
	}
	key, err := codec.AppendKey(nil, codec.SystemScope, codec.Expiries,
		codec.ExpiryUserKey(env.Expiry, n, p, string(user)))
	return codec.AppendVersion(key, version), err
}

// freeOlder removes the versions, older than the deletion, of the keys of the system scope that a
// note names; and of index entries the tombstones too, once nothing is left below them.
func (d *DB) freeOlder(ctx context.Context, g grave) error {
	changes, err := d.readGrave(g)
	if err != nil {
		return err
	}
	var tombstones [][]byte
	for _, c := range changes {
		for more := true; more; {
			var keys [][]byte
			if keys, more, err = d.olderVersions(c, g.version); err != nil {
				return err
			}
			if err := d.discard(ctx, keys); err != nil {
				return err
			}
		}
		if c.Primitive == codec.RunIndex {
			key, err := codec.AppendKey(nil, codec.SystemScope, c.Primitive, c.Key)
			if err != nil {
				return err
			}
			tombstones = append(tombstones, codec.AppendVersion(key, g.version))
		}
	}
	return d.discard(ctx, tombstones)
}

// olderVersions lists engine keys of versions of a key of the system scope below a version. more
// says that there may be others.
func (d *DB) olderVersions(c codec.Change, version uint64) (keys [][]byte, more bool, err error) {
	if !d.storeGate.TryRLock() {
		return nil, false, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	prefix, err := codec.AppendKey(nil, codec.SystemScope, c.Primitive, c.Key)
	if err != nil || version == 1 {
		return nil, false, err
	}
	it, err := d.store.NewIter(nil)
	if err != nil {
		return nil, false, d.readFailed(err)
	}
	ok := it.SeekPrefixGE(codec.AppendVersion(bytes.Clone(prefix), version-1))
	for ; ok; ok = it.Next() {
		if len(keys) == freeBatch {
			return keys, true, d.readFailed(closeIter(it, nil))
		}
		keys = append(keys, bytes.Clone(it.Key()))
	}
	return keys, false, d.readFailed(closeIter(it, nil))
}

// freeRanges deletes all keys of scopes, whatever their number, and their notes. Numbers that
// follow each other make one range. The graves come by number.
func (d *DB) freeRanges(ctx context.Context, graves []grave) error {
	b := d.store.NewBatch()
	for _, g := range graves {
		if err := b.Delete(graveKey(g), nil); err != nil {
			return err
		}
	}
	for len(graves) > 0 {
		n := 1
		for n < len(graves) && graves[n].scope == graves[n-1].scope+1 {
			n++
		}
		lower, _ := codec.ScopeBounds(graves[0].scope)
		_, upper := codec.ScopeBounds(graves[n-1].scope)
		if err := b.DeleteRange(lower, upper, nil); err != nil {
			return err
		}
		graves = graves[n:]
	}
	return d.discardBatch(ctx, b)
}

// freeDeadlines removes the entries of scopes from the index by deadline. It has to go over all of
// it, by its keys alone; that is why many scopes share the walk.
func (d *DB) freeDeadlines(ctx context.Context, graves []grave) error {
	dead := map[codec.Scope]bool{}
	for _, g := range graves {
		dead[g.scope] = true
	}
	next, err := codec.AppendKey(nil, codec.SystemScope, codec.Expiries, "")
	for err == nil && next != nil {
		var keys [][]byte
		if keys, next, err = d.deadlinesOf(dead, next); err != nil {
			return err
		}
		for len(keys) > 0 && err == nil {
			some := keys[:min(len(keys), freeBatch)]
			keys = keys[len(some):]
			err = d.discard(ctx, some)
		}
	}
	return err
}

// deadlinesOf goes over one page of the index by deadline, and returns the entries of dead scopes
// in it, and where the next page begins; nil at the end.
func (d *DB) deadlinesOf(
	dead map[codec.Scope]bool, from []byte,
) (keys [][]byte, next []byte, err error) {
	if !d.storeGate.TryRLock() {
		return nil, nil, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	it, err := d.store.NewIter(&pebble.IterOptions{
		LowerBound: from,
		UpperBound: codec.AppendRangeEnd(nil, codec.SystemScope, codec.Expiries, ""),
	})
	if err != nil {
		return nil, nil, d.readFailed(err)
	}
	count := 0
	for ok := it.First(); ok; ok = it.Next() {
		if count++; count > freePage {
			next = bytes.Clone(it.Key())
			break
		}
		_, _, user, _, err := codec.DecodeKey(it.Key())
		if err != nil {
			return nil, nil, closeIter(it, err)
		}
		_, n, _, _, err := codec.DecodeExpiryUserKey(alias(user))
		if err != nil {
			return nil, nil, closeIter(it, err)
		}
		if dead[n] {
			keys = append(keys, bytes.Clone(it.Key()))
		}
	}
	return keys, next, d.readFailed(closeIter(it, nil))
}

// discard deletes engine keys that nobody reads any more. It is no commit: no version is taken, and
// nothing names them.
func (d *DB) discard(ctx context.Context, keys [][]byte) error {
	if len(keys) == 0 {
		return ctx.Err()
	}
	b := d.store.NewBatch()
	for _, key := range keys {
		if err := b.Delete(key, nil); err != nil {
			return err
		}
	}
	return d.discardBatch(ctx, b)
}

// discardBatch hands over a batch of deletions.
func (d *DB) discardBatch(ctx context.Context, b *pebble.Batch) error {
	return d.discardBy(ctx, func() error {
		d.commitLock.Lock()
		defer d.commitLock.Unlock()
		return d.discardLocked(b)
	})
}

// discardBy calls what hands over a batch of deletions, when Pebble has time for it. Space on the
// disk is not asked for: they make some.
func (d *DB) discardBy(ctx context.Context, handOver func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !d.commitGate.TryRLock() {
		return backend.ErrClosed
	}
	defer d.commitGate.RUnlock()
	if err := d.giveWay(ctx); err != nil {
		return err
	}
	return handOver()
}

// discardLocked hands over a batch that is no commit. REQUIRES: the commit lock.
func (d *DB) discardLocked(b *pebble.Batch) error {
	if err := d.running(); err != nil {
		return err
	}
	if err := d.applyQuietly(b); err != nil {
		return err
	}
	return b.Close()
}

// freePatience is how many times pressurePause a batch of deletions gives way.
const freePatience = 20

// giveWay waits while Pebble is busy, from well before commits have to wait for Pebble: they come
// first. Where they leave no room it goes on as they do, after a while: deletions make room in the
// end.
func (d *DB) giveWay(ctx context.Context) error {
	const sublevels = worthDepth + maxSublevels/4
	for n := 0; n < freePatience; n++ {
		m := d.store.Metrics()
		if m.MemTable.Size < 2*d.opts.WriteBuffer && m.Levels[0].Sublevels < sublevels ||
			d.pressure.blocked.Load() != nil { // what is deleted may be what blocks it
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.fault.failed:
			return d.fault.err()
		case <-time.After(pressurePause):
		}
	}
	return d.relieve(ctx)
}
