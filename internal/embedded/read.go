package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The read path: the scope's state, the memtable, and only if that cannot tell, the store. Every
// published commit is in the store or queued for it. Who reads the store at a version has that much
// handed over first (handover.reach), so the store can always answer.

// hitSample is one in how many memory hits are counted: counting each would cost as much as the
// get.
const hitSample = 64

// Get implements backend.Reader.
func (d *DB) Get(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (backend.Record, error) {
	if d.closed.Load() {
		return backend.Record{}, backend.ErrClosed
	}
	st, err := d.readable(ctx, s)
	if err != nil {
		return backend.Record{}, err
	}
	rec, ok := st.remembered(p, key, at)
	if rec.Version == 0 && st.lineage.Load() != nil {
		if ok && st.horizons.Load() == nil {
			if inherited, known := d.getWarm(st, p, key, at); known {
				return inherited, nil
			}
		}
		return d.getForked(ctx, s, p, key, at)
	}
	if ok {
		if rand.Uint32()%hitSample == 0 {
			d.counters.hits.Add(hitSample)
		}
		if err := st.refuse(s, p, at); err != nil {
			return backend.Record{}, err
		}
		return rec, nil
	}
	// A scope leaves the memtable a moment before its deletion is published.
	known := rec.Hint != 0 || st.phase.Load() == scopeGone
	rec, err = d.getStored(ctx, s, p, key, at, known, 0)
	if err == nil {
		st, err = d.stillThere(ctx, s, st)
	}
	if err == nil {
		err = st.refuse(s, p, at)
	}
	if err != nil {
		return backend.Record{}, err
	}
	return rec, nil
}

// GetPlain implements backend.Reader.
func (d *DB) GetPlain(
	s *backend.Scope, p codec.Primitive, key string, at uint64,
) (value []byte, version, hint uint64, ok bool) {
	st := d.state(s)
	if st == nil || st.phase.Load() != scopeOpen || st.lineage.Load() != nil ||
		st.horizons.Load() != nil || d.closed.Load() {
		return nil, 0, 0, false
	}
	value, version, ref, ok := st.mem.Plain(byte(p), key, min(at, d.published.load()))
	if ok && rand.Uint32()%hitSample == 0 {
		d.counters.hits.Add(hitSample)
	}
	return value, version, uint64(ref), ok
}

// remembered answers from memory if that can tell. If it cannot, the record has at most a Hint: it
// says that memory has the key, in other versions.
func (st *scopeState) remembered(p codec.Primitive, key string, at uint64) (backend.Record, bool) {
	rec, ref, answer := st.mem.Get(byte(p), key, at)
	switch {
	case answer == memtable.Absent:
		return backend.Record{}, true
	case answer == memtable.Found && !rec.Elsewhere:
		return toRecord(rec, ref), true
	}
	return backend.Record{Hint: uint64(ref)}, false
}

func toRecord(r memtable.Record, ref memtable.Ref) backend.Record {
	return backend.Record{
		Version: r.Version, Stamp: r.Stamp, Expiry: r.Expiry, Deleted: r.Deleted,
		Value: r.Value, Hint: uint64(ref),
	}
}

// getStored answers from the store and offers what it read to the memtable.
//
// known says that the memtable has the key, in other versions: they may still be on their way into
// the store. Of a key that it does not know nothing is, because nothing queued is ever evicted.
// above is the version above which the scope's own records lie: what lies below is not read.
func (d *DB) getStored(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64, known bool,
	above uint64,
) (backend.Record, error) {
	if err := ctx.Err(); err != nil {
		return backend.Record{}, err
	}
	if !d.storeGate.TryRLock() {
		return backend.Record{}, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return backend.Record{}, backend.ErrClosed
	}
	d.counters.storeReads.Add(1)
	if known {
		if err := d.handover.reach(min(at, d.published.load())); err != nil {
			return backend.Record{}, err
		}
	}
	pin := d.pins.acquire()
	defer pin.Release()
	since := d.vouched(pin)
	newest, err := d.readOwn(s.Number, p, key, since, above)
	if err != nil {
		return backend.Record{}, err
	}
	d.offer(s, p, key, newest, pin, since, above)
	if newest.Version <= at && (at <= since || !known) {
		return newest, nil
	}
	return d.readOwn(s.Number, p, key, at, above)
}

// readOwn is readStore for what lies above a version.
func (d *DB) readOwn(
	n codec.Scope, p codec.Primitive, key string, at, above uint64,
) (backend.Record, error) {
	rec, err := d.readStore(n, p, key, at)
	if rec.Version <= above {
		rec = backend.Record{}
	}
	return rec, err
}

// vouched is the version at which the store knows the newest of a key, unless the memtable has
// something newer: nothing above a pin is ever evicted, and nothing above what was handed over.
// Were the second left out, a commit could be handed over and evicted between a read of the store
// and the offer of what it found.
func (d *DB) vouched(pin *pin) uint64 {
	return min(pin.version, d.handover.handed.load())
}

// lookup answers from memory or the store, and offers nothing. REQUIRES: the caller keeps the store
// open (commit path).
func (d *DB) lookup(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (backend.Record, error) {
	if st := d.state(s); st != nil {
		rec, ok := st.remembered(p, key, at)
		if ok {
			return rec, nil
		}
		if rec.Hint != 0 {
			if err := d.handover.reach(at); err != nil {
				return backend.Record{}, err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return backend.Record{}, err
	}
	return d.readStore(s.Number, p, key, at)
}

// offer puts a record that was read at a version into the memtable, if the writer is not busy. The
// version is at most the pinned one. above says which records were asked for: a state that was made
// meanwhile may have to know others.
func (d *DB) offer(
	s *backend.Scope, p codec.Primitive, key string, r backend.Record, pin *pin, since, above uint64,
) {
	if len(r.Value) > d.maxKept || !d.commitLock.TryLock() {
		return
	}
	defer d.commitLock.Unlock()
	if pin.ended.Load() {
		return // something newer may have come and gone since
	}
	st := d.stateLocked(s)
	if st.lineage.Load().above() != above {
		return
	}
	st.mem.Admit(byte(p), key, memtable.Record{
		Version: r.Version, Stamp: r.Stamp, Expiry: r.Expiry, Deleted: r.Deleted, Value: r.Value,
	}, since)
	d.spillLocked()
}

// readStore reads the newest record of a key at or below a version. Versions of a key lie newest
// first, so the first key at or after (key, at) is the one, if it has the same prefix.
func (d *DB) readStore(
	n codec.Scope, p codec.Primitive, key string, at uint64,
) (rec backend.Record, err error) {
	if at == 0 {
		return backend.Record{}, nil
	}
	var buf [128]byte
	engineKey, err := codec.AppendKey(buf[:0], n, p, key)
	if err != nil {
		return backend.Record{}, err
	}
	engineKey = codec.AppendVersion(engineKey, at)
	it, err := d.store.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return backend.Record{}, d.readFailed(err)
	}
	if it.SeekPrefixGE(engineKey) {
		rec, err = d.decodeEntry(it)
	}
	return rec, d.readFailed(closeIter(it, err))
}

// decodeEntry reads the entry under an iterator. The value is copied: it outlives the iterator.
func (d *DB) decodeEntry(it *pebble.Iterator) (backend.Record, error) {
	_, _, _, version, err := codec.DecodeKey(it.Key())
	if err != nil {
		return backend.Record{}, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return backend.Record{}, err
	}
	env, err := codec.DecodeEnvelope(bytes.Clone(value))
	if err != nil {
		return backend.Record{}, fmt.Errorf("key %q: %w", it.Key(), err)
	}
	rec := backend.Record{
		Version: version, Stamp: version, Expiry: env.Expiry, Deleted: env.Tombstone,
		Value: env.Payload,
	}
	if env.Origin != 0 {
		rec.Stamp = env.Origin
	}
	if env.Tombstone {
		rec.Value = nil
	}
	return rec, nil
}

// closeIter closes an iterator and joins its error with an earlier one.
func closeIter(it *pebble.Iterator, err error) error {
	return errors.Join(err, it.Close())
}

// readFailed gives a failed read its name: damage is ErrCorrupt, anything else ErrStorage. Neither
// makes the database read-only: what can be read is still right.
func (d *DB) readFailed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, codec.ErrCorrupt), errors.Is(err, codec.ErrFormat),
		errors.Is(err, backend.ErrStorage):
		return err
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %s", codec.ErrCorrupt, firstLine(err))
	}
	return fmt.Errorf("%w: read: %w", backend.ErrStorage, err)
}

// firstLine leaves out the details that Pebble's errors carry on further lines.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// CommitRecord implements backend.Reader.
func (d *DB) CommitRecord(ctx context.Context, version uint64) (codec.CommitRecord, error) {
	if err := ctx.Err(); err != nil {
		return codec.CommitRecord{}, err
	}
	if version == 0 || version > d.published.load() {
		return codec.CommitRecord{}, nil
	}
	if !d.storeGate.TryRLock() {
		return codec.CommitRecord{}, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return codec.CommitRecord{}, backend.ErrClosed
	}
	if err := d.handover.reach(version); err != nil {
		return codec.CommitRecord{}, err
	}
	return d.commitRecord(version)
}

func (d *DB) commitRecord(version uint64) (rec codec.CommitRecord, err error) {
	c, err := newCommitCursor(d.store)
	if err != nil {
		return rec, d.readFailed(err)
	}
	if c.seek(version) && c.rec.Version == version {
		rec = c.rec
	}
	return rec, d.readFailed(c.close())
}
