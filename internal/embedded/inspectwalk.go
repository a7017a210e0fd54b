package embedded

import (
	"bytes"
	"errors"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// scopeWalk goes over all entries of one scope in the order of their keys.
type scopeWalk struct {
	c *inspection
	s *inspectedScope
	n codec.Scope
	// unread: something could not be read, and was told. So nothing can be told by absence.
	unread bool
	told   string  // of the damage that was met last
	base   extents // where its own history begins
	based  bool    // base is known

	letter  codec.Primitive // of the entry under the iterator
	user    []byte
	version uint64
	raw     []byte // its engine key
	prefix  []byte // of the key before, without its version
	first   bool   // it is the newest version of its key

	journaled, stored [1 << 8]tally // by letter: what journals name, and what is there
	journal           journalState
	events            chainState
	typesWanted       tally // entries of the index of events by type
	typesFound        tally
}

// walkScope checks a scope.
func (c *inspection) walkScope(n codec.Scope) error {
	s := c.scopes[n]
	if s == nil || !s.live {
		return c.walkOrphan(n)
	}
	w := &scopeWalk{c: c, s: s, n: n, based: true, unread: s.lost}
	if s.above != 0 {
		var err error
		if w.base, err = c.standing(s.record.ParentNumber, s.above); err != nil {
			w.based = false
			if !c.damaged(err) {
				return c.ctx.Err()
			}
		}
	}
	w.journal.next, w.events.next = w.base.commits.Count+1, w.base.events.next
	w.events.hash, w.events.time = w.base.events.hash, w.base.events.time
	lower, upper := codec.ScopeBounds(n)
	if n != codec.SystemScope {
		if err := w.over(lower, upper); err != nil {
			return err
		}
		return w.end()
	}
	// The keys of the other scopes lie in the middle.
	if err := w.over(nil, []byte("r/\x00")); err != nil {
		return err
	}
	if err := w.over([]byte("r0\x00"), nil); err != nil {
		return err
	}
	return w.end()
}

// walkOrphan counts the keys of a scope that has no record.
func (c *inspection) walkOrphan(n codec.Scope) error {
	if _, dead := c.graves[n]; dead {
		return nil // its space is being freed
	}
	lower, upper := codec.ScopeBounds(n)
	it, err := c.snap.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return c.db.readFailed(err)
	}
	count := 0
	for ok := it.First(); ok && c.ctx.Err() == nil; ok = it.Next() {
		count++
	}
	_ = it.Close() // damage is told by what is said here
	c.note(backend.ProblemRecord, n, 0, "", 0, "scope %d has %d keys or more, and no record names it",
		uint64(n), count)
	return c.ctx.Err()
}

// over walks a range, and goes on with the next letter behind what cannot be read.
func (w *scopeWalk) over(lower, upper []byte) error {
	for lower != nil || upper != nil {
		failed, err := w.overTo(lower, upper)
		if err != nil {
			return err
		}
		if failed == nil {
			return nil
		}
		w.unread = true
		if w.n == codec.SystemScope {
			w.c.blind = true
		}
		if text := firstLine(failed); text != w.told { // the next letters may lie in the same block
			w.told = text
			w.c.note(backend.ProblemUnreadable, w.n, w.letter, "", 0, "keys from primitive %s on: %s",
				w.letter, text)
		}
		next := codec.KeyPrefix(nil, w.n, w.letter+1)
		if w.letter >= 'z' || upper != nil && bytes.Compare(next, upper) >= 0 {
			return nil
		}
		lower = append(next, 0)
		w.letter++
	}
	return nil
}

// overTo walks a range up to its end, or to what cannot be read, which it returns as failed.
func (w *scopeWalk) overTo(lower, upper []byte) (failed, err error) {
	if w.letter == 0 {
		w.letter = 'A'
	}
	it, err := w.c.snap.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, w.c.db.readFailed(err)
	}
	defer func() {
		if closed := it.Close(); closed != nil && failed == nil && err == nil {
			failed = closed
		}
		if failed != nil && !w.c.damaged(failed) {
			failed, err = nil, errors.Join(w.c.ctx.Err(), err)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		if w.c.info.Records++; w.c.info.Records%1024 == 0 && w.c.ctx.Err() != nil {
			return nil, w.c.ctx.Err()
		}
		if !w.step(it.Key()) {
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err, nil
		}
		w.c.info.Bytes += uint64(len(it.Key()) + len(value))
		if err := w.entry(value); err != nil {
			return nil, err
		}
	}
	return it.Error(), nil
}

// step takes the key under the iterator apart. It reports false for one that does not count.
func (w *scopeWalk) step(key []byte) bool {
	n, p, user, version, err := codec.DecodeKey(key)
	if err != nil || n != w.n {
		if w.n == codec.SystemScope && len(key) == codec.CommitKeyLen && key[0] == 'c' {
			return false // it was told with the commits
		}
		w.c.note(backend.ProblemKey, w.n, 0, string(key), 0, "a key that nothing has: %q (%v)", key, err)
		return false
	}
	w.letter, w.user, w.version, w.raw = p, user, version, key
	if p == codec.Commits && w.n == codec.SystemScope {
		return false
	}
	if w.unversioned() {
		if version != 0 {
			w.note(backend.ProblemKey, "a version where none belongs")
		}
		return true
	}
	if version == 0 {
		w.note(backend.ProblemKey, "no version")
		return false
	}
	if version <= w.s.above {
		return false // a copy that is being made to flatten the fork
	}
	prefix := key[:len(key)-codec.VersionSuffixLen]
	w.first = !bytes.Equal(prefix, w.prefix)
	w.prefix = append(w.prefix[:0], prefix...)
	return true
}

func (w *scopeWalk) unversioned() bool {
	return w.letter == codec.Horizons && w.n != codec.SystemScope
}

// note reports a problem of the entry under the iterator.
func (w *scopeWalk) note(kind backend.ProblemKind, format string, args ...any) {
	w.c.note(kind, w.n, w.letter, string(w.user), w.version, format, args...)
}

// letters of a run or shared namespace, and of the system scope, by what holds for their entries.
func (w *scopeWalk) kindOf() entryKind {
	if w.n == codec.SystemScope {
		switch w.letter {
		case codec.ScopeRecords, codec.Meta:
			return entryPlain
		case codec.RunIndex:
			return entryIndex
		case codec.Journal:
			return entryJournal
		case codec.Expiries:
			return entryDeadline
		case codec.Graveyard:
			return entryGrave
		}
		return entryUnknown
	}
	switch w.letter {
	case codec.KV, codec.Cells, codec.Machines, codec.Traces, codec.Extensions, codec.Vectors:
		return entryPlain
	case codec.Events:
		return entryEvent
	case codec.Events.Index(), codec.Traces.Index():
		return entryIndex
	case codec.Journal:
		return entryJournal
	case codec.Horizons:
		return entryHorizon
	}
	return entryUnknown
}

type entryKind uint8

const (
	entryUnknown entryKind = iota
	entryPlain
	entryEvent
	entryIndex
	entryJournal
	entryHorizon
	entryDeadline
	entryGrave
)

// hashVersion is the hash of a version of a key, and of what happened to it.
func (c *inspection) hashVersion(p codec.Primitive, key string, version uint64, op codec.ChangeOp,
) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	if op == codec.ChangeAppend {
		op = codec.ChangePut // it leaves a value, as a put does
	}
	var b [10]byte
	b[0], b[1] = byte(p), byte(op)
	for i := range 8 {
		b[2+i] = byte(version >> (8 * i))
	}
	_, _ = h.Write(b[:])
	_, _ = h.WriteString(key)
	return h.Sum64()
}

// threshold is the version above which all versions of a primitive, and what the journal says of
// them, must be there: retention removes at or below horizons only.
func (s *inspectedScope) threshold(p codec.Primitive) uint64 {
	return max(s.horizons.Of(p), s.horizons.Of(codec.Journal))
}
