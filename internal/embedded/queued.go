package embedded

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/pkg/codec"
)

// queued are commits in their order, as what a batch will hold. Values, journal records and commit
// records lie apart: each sort of keys has a place of its own in the store, and Pebble's memtable
// takes neighbours in a row for half the price. No two sorts share a key.
//
// What small commits say of themselves is shorter than what a key costs in the store: so the commit
// records of a load, and the journal records of each scope in it, share keys (codec.GroupBuilder).
type queued struct {
	values []byte // records of a batch: values, index entries and the parts of long journal records

	commits  []codec.GroupBuilder
	journals []journalGroup
	open     map[codec.Scope]int // the group that a scope's next record goes to
	recent   int                 // the one that took the last record

	bytes int    // of everything
	count uint32 // records in values
	last  uint64 // version of the newest commit; 0: nothing is queued
}

// journalGroup are journal records of one scope whose numbers follow one another.
type journalGroup struct {
	scope  codec.Scope
	number uint64 // of the last one
	codec.GroupBuilder
}

// groupBytes is how large a group may become: a reader that looks for one commit passes over all.
const groupBytes = 4 << 10

// add appends a commit that was stamped.
func (q *queued) add(p *plan) {
	q.values = append(q.values, p.out[batchHeader:]...)
	q.count += p.count
	for i := range p.scopes {
		s := &p.scopes[i]
		switch j := s.journal; {
		case len(j) == 1:
			q.addJournal(s.handle.Number, s.number, p.version, p.journals[j[0].from:j[0].to])
		case len(j) > 1:
			for _, j := range j {
				q.values, _ = appendSet(q.values, s.journalKey(p, j.part), p.journals[j.from:j.to])
				q.count++
			}
			delete(q.open, s.handle.Number) // what follows is no neighbour of what came before
			q.recent = -1
		}
	}
	if n := len(q.commits); n == 0 || isFull(&q.commits[n-1], len(p.commitRecord)) {
		q.commits = longer(q.commits)
	}
	q.commits[len(q.commits)-1].Add(p.version, p.commitRecord)
	q.bytes += p.size() - batchHeader
	q.last = p.version
}

// addJournal appends the journal record of a commit in one scope.
func (q *queued) addJournal(s codec.Scope, number, version uint64, record []byte) {
	at := q.recent
	if at < 0 || at >= len(q.journals) || q.journals[at].scope != s {
		var ok bool
		if at, ok = q.open[s]; !ok {
			at = -1
		}
	}
	if at < 0 || isFull(&q.journals[at].GroupBuilder, len(record)) {
		at = len(q.journals)
		q.journals = longer(q.journals)
		q.journals[at].scope = s
		if q.open == nil {
			q.open = make(map[codec.Scope]int)
		}
		q.open[s] = at
	}
	q.recent = at
	g := &q.journals[at]
	g.number = number
	g.Add(version, record)
}

// isFull tells whether a record goes to a group of its own.
func isFull(g *codec.GroupBuilder, size int) bool {
	return g.Len() == codec.MaxGroupRecords || g.Len() > 0 && g.Size()+size > groupBytes
}

// longer is a slice with one element more: one that it had before, with its memory, if it can be.
func longer[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var empty T
	return append(s, empty)
}

// appendTo appends the records of the batch, and tells how many they are.
func (q *queued) appendTo(r []byte, s *valueSorter) ([]byte, uint32) {
	r = s.appendSorted(r, q.values)
	var key [journalKeySize]byte
	for i := range q.journals {
		g := &q.journals[i]
		k := codec.AppendJournalKey(key[:0], g.scope, g.number, 0)
		codec.PatchVersion(k, g.Last())
		r = appendGroup(r, k, &g.GroupBuilder)
	}
	for i := range q.commits {
		g := &q.commits[i]
		r = appendGroup(r, codec.AppendCommitKey(key[:0], g.Last()), g)
	}
	return r, q.count + uint32(len(q.journals)+len(q.commits))
}

// journalKeySize is enough for the key of a journal or commit record.
const journalKeySize = 64

// appendGroup appends a record of a batch that sets a group's key.
func appendGroup(r, key []byte, g *codec.GroupBuilder) []byte {
	r = binary.AppendUvarint(append(r, byte(pebble.InternalKeyKindSet)), uint64(len(key)))
	r = binary.AppendUvarint(append(r, key...), uint64(g.Size()))
	return g.Append(r)
}

// reset empties the queue, and tells whether its memory is worth keeping.
func (q *queued) reset() bool {
	size := cap(q.values)
	for i := range q.journals {
		size += q.journals[i].Size()
		q.journals[i].Reset()
	}
	for i := range q.commits {
		q.commits[i].Reset()
	}
	clear(q.open)
	*q = queued{
		values: q.values[:0], commits: q.commits[:0], journals: q.journals[:0], open: q.open,
	}
	return size <= keptBuffer
}
