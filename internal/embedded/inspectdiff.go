package embedded

import (
	"bytes"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// end compares what was summed up on the way.
func (w *scopeWalk) end() error {
	c := w.c
	if j := &w.journal; j.parts > 0 {
		c.note(backend.ProblemJournal, w.n, codec.Journal, codec.EventUserKey(j.next-1), j.version,
			"%d parts of record %d are missing", j.parts, j.next-1)
		w.unread = true
	}
	if c.blind && w.n == codec.SystemScope {
		return nil
	}
	if w.journal.told != w.s.told && !w.s.lost {
		c.disagree(w.n)
	}
	if w.unread {
		return nil
	}
	for letter := range w.stored {
		if w.stored[letter] == w.journaled[letter] {
			continue
		}
		if err := w.compare(codec.Primitive(letter)); err != nil {
			return err
		}
	}
	if w.typesFound != w.typesWanted {
		return w.compareTypes()
	}
	return nil
}

// comparePart is how many versions are compared at once: they are held in memory, as hashes.
const comparePart = 1 << 20

// compare names the versions of a letter that are in the journal alone, or in the store alone.
func (w *scopeWalk) compare(letter codec.Primitive) error {
	most := max(w.journaled[letter].count, w.stored[letter].count)
	parts := most/comparePart + 1
	for part := range parts {
		x := comparison{w: w, letter: letter, part: part, parts: parts, left: map[uint64]int{}}
		if err := x.run(); err != nil {
			return err
		}
	}
	return nil
}

// comparison is one pass over a part of the versions, by their hashes.
type comparison struct {
	w           *scopeWalk
	letter      codec.Primitive
	part, parts uint64
	left        map[uint64]int // named by the journal, and not found yet
}

func (x *comparison) run() error {
	err := x.named(func(hash uint64, _ codec.Change, _ uint64) { x.left[hash]++ })
	if err == nil {
		err = x.found()
	}
	if err != nil || len(x.left) == 0 {
		return err
	}
	return x.named(func(hash uint64, c codec.Change, version uint64) {
		if x.left[hash] > 0 && !x.w.freed(&c, version) {
			x.w.c.note(backend.ProblemMissing, x.w.n, c.Primitive, c.Key, version,
				"the journal says %s, and there is no such version", c.Op)
		}
	})
}

func (x *comparison) hash(key string, version uint64, op codec.ChangeOp) (uint64, bool) {
	if version <= x.w.s.threshold(x.letter) || version <= x.w.s.above {
		return 0, false
	}
	hash := x.w.c.hashVersion(x.letter, key, version, op)
	return hash, hash%x.parts == x.part
}

// named calls f with what the journal names.
func (x *comparison) named(f func(hash uint64, c codec.Change, version uint64)) error {
	each := func(number, version uint64, _ int, value []byte) error {
		rec, err := codec.DecodeJournalRecord(number, value)
		if err != nil {
			return nil // it was told
		}
		for _, c := range rec.Changes {
			if c.Primitive != x.letter {
				continue
			}
			if hash, ok := x.hash(c.Key, version, c.Op); ok {
				f(hash, codec.Change{Primitive: c.Primitive, Op: c.Op, Key: strings.Clone(c.Key)}, version)
			}
		}
		return nil
	}
	return x.w.c.eachJournal(x.w.n, each)
}

// found takes what is there off what was named, and tells of what is left over.
func (x *comparison) found() error {
	return x.w.eachOf(x.letter, func(user string, version uint64, value []byte) error {
		op := codec.ChangePut
		env, err := codec.DecodeEnvelope(value)
		switch {
		case err != nil:
		case env.Origin != 0:
			op = codec.ChangeExpire
		case env.Tombstone:
			op = codec.ChangeDelete
		}
		hash, ok := x.hash(user, version, op)
		switch {
		case !ok:
		case x.left[hash] > 0:
			if x.left[hash]--; x.left[hash] == 0 {
				delete(x.left, hash)
			}
		default:
			x.w.c.note(backend.ProblemStray, x.w.n, x.letter, user, version,
				"no journal names this version (%s)", op)
		}
		return nil
	})
}

// freed tells whether a version of the record of a scope was removed because the scope was deleted
// later. (That a record takes the place of one of another number no layer above does.)
func (w *scopeWalk) freed(x *codec.Change, version uint64) bool {
	if w.n != codec.SystemScope || x.Primitive != codec.ScopeRecords {
		return false
	}
	prefix, err := codec.AppendKey(nil, w.n, x.Primitive, x.Key)
	if err != nil {
		return false
	}
	it, err := w.c.snap.NewIter(nil)
	if err != nil {
		return false
	}
	deleted := false
	for ok := it.SeekPrefixGE(prefix); ok && !deleted; ok = it.Next() {
		_, _, _, at, err := codec.DecodeKey(it.Key())
		value, unread := it.ValueAndErr()
		env, bad := codec.DecodeEnvelope(value)
		deleted = errors.Join(err, unread, bad) == nil && at > version && env.Tombstone
	}
	return it.Close() == nil && deleted
}

// eachOf calls f with all versions of a letter.
func (w *scopeWalk) eachOf(
	p codec.Primitive, f func(user string, version uint64, value []byte) error,
) error {
	it, err := w.c.snap.NewIter(&pebble.IterOptions{
		LowerBound: append(codec.KeyPrefix(nil, w.n, p), 0),
		UpperBound: codec.AppendRangeEnd(nil, w.n, p, ""),
	})
	if err != nil {
		return w.c.db.readFailed(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := w.c.ctx.Err(); err != nil {
			return closeIter(it, err)
		}
		_, _, user, version, err := codec.DecodeKey(it.Key())
		value, unread := it.ValueAndErr()
		if errors.Join(err, unread) != nil {
			continue
		}
		if err := f(string(user), version, value); err != nil {
			return closeIter(it, err)
		}
	}
	_ = it.Close() // damage was told by the walk
	return w.c.ctx.Err()
}

// compareTypes names what is wrong with the index of events by type.
func (w *scopeWalk) compareTypes() error {
	index := codec.Events.Index()
	err := w.eachOf(codec.Events, func(user string, version uint64, value []byte) error {
		if version <= w.s.above {
			return nil
		}
		env, err := codec.DecodeEnvelope(value)
		e, bad := codec.DecodeEventRecord(env.Payload)
		seq, odd := codec.DecodeEventUserKey(user)
		if errors.Join(err, bad, odd) != nil {
			return nil
		}
		key := codec.EventTypeKey(e.Type, seq)
		if found, err := w.newest(index, key); err == nil && !bytes.Equal(found, nullEntry) {
			w.c.note(backend.ProblemIndex, w.n, index, key, version,
				"event %d of type %q is not in the index of events by type", seq, e.Type)
		}
		return nil
	})
	if err != nil {
		return err
	}
	last := "\x00none"
	return w.eachOf(index, func(user string, version uint64, value []byte) error {
		if user == last || version <= w.s.above {
			return nil
		}
		last = user
		if env, err := codec.DecodeEnvelope(value); err != nil || env.Tombstone {
			return nil
		}
		if typ, seq, ok := w.indexed(user); !ok {
			w.c.note(backend.ProblemIndex, w.n, index, user, version,
				"the index of events by type names event %d of type %q, which is not there", seq, typ)
		}
		return nil
	})
}

// indexed tells whether the event that an index entry names is there.
func (w *scopeWalk) indexed(user string) (typ string, seq uint64, ok bool) {
	typ, seq, err := codec.DecodeEventTypeKey(user)
	if err != nil {
		return "", 0, false
	}
	record, err := w.newest(codec.Events, codec.EventUserKey(seq))
	if err != nil || record == nil {
		return typ, seq, err != nil
	}
	e, err := codec.DecodeEventRecord(record)
	return typ, seq, err != nil || e.Type == typ
}

// newest is what a key of the scope shows at the newest version, through its lineage; nil if it
// does not exist.
func (w *scopeWalk) newest(p codec.Primitive, user string) ([]byte, error) {
	for s, at := w.s, uint64(maxVersion); s != nil; s = w.c.scopes[s.record.ParentNumber] {
		prefix, err := codec.AppendKey(nil, s.number, p, user)
		if err != nil {
			return nil, err
		}
		it, err := w.c.snap.NewIter(nil)
		if err != nil {
			return nil, err
		}
		var value []byte
		var version uint64
		if it.SeekPrefixGE(codec.AppendVersion(bytes.Clone(prefix), at)) {
			_, _, _, version, err = codec.DecodeKey(it.Key())
			value = bytes.Clone(it.Value())
		}
		if err = closeIter(it, err); err != nil {
			return nil, err
		}
		if version > s.above {
			env, err := codec.DecodeEnvelope(value)
			if err != nil || env.Tombstone {
				return nil, err
			}
			return env.Payload, nil
		}
		if s.above == 0 || s.record.ParentNumber >= s.number {
			return nil, nil
		}
		at = min(at, s.above)
	}
	return nil, nil
}
