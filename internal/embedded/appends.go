package embedded

import (
	"cmp"
	"fmt"
	"slices"
	"unsafe"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Each event brings an entry of the index by type with it. Both are encoded before the lock like
// everything else; what the event's place in the log decides is patched in under it: the sequence
// number in both keys, time and hashes in the record. Only the hash of the chain is computed under
// the lock, over the digest of the payload and not over the payload.

// eventRoom is what an event and its index entry take in a batch, beside type and payload.
const eventRoom = 256

// userKeyEnd is how far before the end of an engine key with a version its user key ends.
const userKeyEnd = 1 + codec.VersionSuffixLen

// indexEntry is what an index entry holds: an envelope, and in it the value Null.
var indexEntry = []byte{0, 0xf6}

// alias is b as a string. REQUIRES: nobody changes b as long as the string is used.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// encodeAppends adds the events, with room for what their places in the logs decide.
func (p *plan) encodeAppends() error {
	p.events = p.events[:0]
	for i := range p.req.Appends {
		a := &p.req.Appends[i]
		value, err := codec.AppendEventRecord(append(p.scratch2[:0], 0),
			codec.EventRecord{Type: a.Type, Payload: a.Payload})
		if err != nil {
			return fmt.Errorf("append of %.64q: %w", a.Type, err)
		}
		p.scratch2 = value
		e := planEvent{scope: p.scopeOf(a.Scope)}
		p.scratch = codec.AppendEventKey(p.scratch[:0], a.Scope.Number, 0)
		e.keyEnd = p.add(p.scratch, value)
		e.valueEnd = len(p.out)
		e.value = e.valueEnd - len(value)
		p.scratch = codec.AppendEventTypeKey(p.scratch[:0], a.Scope.Number, a.Type, 0)
		e.typeKeyEnd = p.add(p.scratch, indexEntry)
		e.typeKey = e.typeKeyEnd - len(p.scratch)
		p.events = append(p.events, e)
	}
	return nil
}

// stampAppends gives every event its sequence number, time and hash. REQUIRES: the commit lock.
func (p *plan) stampAppends(version uint64, now int64) {
	for i := range p.scopes {
		s := &p.scopes[i]
		s.events, s.writes = s.facts.events, len(s.changes)
		if s.state != nil {
			s.events = s.state.events
		}
	}
	p.appended = make([]backend.Appended, len(p.events))
	for i := range p.events {
		a, e := &p.req.Appends[i], &p.events[i]
		s := &p.scopes[e.scope]
		time := max(now, s.events.time)
		hash := codec.EventHash(s.events.hash, s.events.next, time, a.Type, a.Digest)
		codec.PatchEvent(p.out[e.value+1:], time, s.events.hash, hash)
		for _, end := range [...]int{e.keyEnd, e.typeKeyEnd} {
			codec.PatchHex12(p.out[end-codec.EventTypeSequenceOffset:], s.events.next)
			codec.PatchVersion(p.out[:end], version)
		}
		s.changes = append(s.changes, codec.Change{
			Primitive: codec.Events, Op: codec.ChangeAppend,
			Key: alias(p.out[e.keyEnd-codec.EventTypeSequenceOffset : e.keyEnd-userKeyEnd]),
		})
		p.appended[i] = backend.Appended{Sequence: s.events.next, Hash: hash}
		s.events = eventHead{next: s.events.next + 1, hash: hash, time: time}
	}
	for i := range p.scopes {
		p.scopes[i].mergeEvents()
	}
}

// mergeEvents brings a scope's changes into key order: those of the writes are, and so are those of
// the events behind them.
func (s *planScope) mergeEvents() {
	events := len(s.changes) - s.writes
	if events == 0 || s.writes == 0 {
		return
	}
	first, last := s.changes[s.writes], s.changes[len(s.changes)-1]
	at, _ := slices.BinarySearchFunc(s.changes[:s.writes], first, compareChanges)
	if at == s.writes {
		return
	}
	if compareChanges(s.changes[at], last) < 0 { // somebody writes among the events
		slices.SortFunc(s.changes, compareChanges)
		return
	}
	moved := slices.Clone(s.changes[s.writes:])
	copy(s.changes[at+events:], s.changes[at:s.writes])
	copy(s.changes[at:], moved)
}

func compareChanges(a, b codec.Change) int {
	return cmp.Or(cmp.Compare(a.Primitive, b.Primitive), cmp.Compare(a.Key, b.Key))
}
