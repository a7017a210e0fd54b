package inmem_test

import (
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// valuePlants spoil what lies under keys.
var valuePlants = []plant{
	{"a version is gone", inmem.ProblemMissing, "c", "the journal says put",
		func(v *victim, s *stored) { s.del(s.versions(v.runScope, codec.KV, "c")[0]) }},
	{"a tombstone is gone", inmem.ProblemMissing, "b", "the journal says delete",
		func(v *victim, s *stored) { s.del(s.versions(v.runScope, codec.KV, "b")[0]) }},
	{"a version of a fork is gone", inmem.ProblemMissing, "c", "the journal says put",
		func(v *victim, s *stored) { s.del(s.versions(v.deepScope, codec.KV, "c")[0]) }},
	{"a version that nobody wrote", inmem.ProblemStray, "c", "no journal names",
		func(v *victim, s *stored) { s.write(at(v.runScope, codec.KV, "c", v.forkVersion), []byte{1}) }},
	{"a value became a tombstone", inmem.ProblemStray, "c", "delete",
		func(v *victim, s *stored) { s.set(s.versions(v.runScope, codec.KV, "c")[0], []byte{1}) }},
	{"a value is no value", inmem.ProblemValue, "c", "corrupt",
		func(v *victim, s *stored) { s.write(s.versions(v.runScope, codec.KV, "c")[0], []byte{0xff}) }},
	{"an envelope is none", inmem.ProblemValue, "c", "corrupt",
		func(v *victim, s *stored) { s.set(s.versions(v.runScope, codec.KV, "c")[0], nil) }},
	{"a cell in a state that is none", inmem.ProblemValue, "light", "no state of the machine",
		func(v *victim, s *stored) {
			s.write(s.versions(v.runScope, codec.Cells, "light")[0], []byte{0x61, 'x'})
		}},
	{"a machine is none", inmem.ProblemValue, "light", "",
		func(v *victim, s *stored) {
			s.write(s.versions(v.runScope, codec.Machines, "light")[0], []byte{1})
		}},
	{"a span is none", inmem.ProblemValue, "", "",
		func(v *victim, s *stored) { s.write(s.all(v.runScope, codec.Traces)[0], []byte{1}) }},
	{"an extension without a name", inmem.ProblemStray, "nameless", "",
		func(v *victim, s *stored) {
			s.write(at(v.runScope, codec.Extensions, "nameless", v.forkVersion), []byte{1})
		}},
	{"an unknown letter", inmem.ProblemKey, "x", "no primitive has the letter z",
		func(v *victim, s *stored) { s.write(at(v.runScope, 'z', "x", v.forkVersion), []byte{1}) }},
	{"a key without a version", inmem.ProblemKey, "x", "no version",
		func(v *victim, s *stored) { s.write(at(v.runScope, codec.KV, "x", 0), []byte{1}) }},
	{"a key of no scope", inmem.ProblemKey, "r/zz", "a key that nothing has",
		func(_ *victim, s *stored) { s.set([]byte("r/zz/k/x\x00"), []byte{1}) }},
	{"a key before all others", inmem.ProblemKey, "", "a key that nothing has",
		func(_ *victim, s *stored) { s.set([]byte("0/x\x00"), []byte{1}) }},
}

// orderPlants spoil what says what happened, and in which order.
var orderPlants = []plant{
	{"a commit record is gone", inmem.ProblemCommit, "", "was found before it",
		func(v *victim, s *stored) { s.del(codec.AppendCommitKey(nil, v.forkVersion)) }},
	{"a commit record is none", inmem.ProblemCommit, "", "corrupt",
		func(v *victim, s *stored) { s.set(codec.AppendCommitKey(nil, v.forkVersion), []byte{1}) }},
	{"a commit record of another time", inmem.ProblemJournal, "", "",
		func(v *victim, s *stored) {
			key := codec.AppendCommitKey(nil, v.forkVersion)
			rec, err := codec.DecodeCommitRecord(v.forkVersion, s.get(key))
			if err == nil {
				rec.Time++
				s.set(key, codec.AppendCommitRecord(nil, rec))
			}
		}},
	{"a journal record is gone", inmem.ProblemJournal, "", "missing before it",
		func(v *victim, s *stored) { s.del(s.all(v.runScope, codec.Journal)[1]) }},
	{"the last journal record is gone", inmem.ProblemJournal, "", "has no such record",
		func(v *victim, s *stored) {
			keys := s.all(v.runScope, codec.Journal)
			s.del(keys[len(keys)-1])
		}},
	{"the journal of a fork begins late", inmem.ProblemJournal, "", "missing before it",
		func(v *victim, s *stored) { s.del(s.all(v.forkScope, codec.Journal)[0]) }},
	{"a journal record is none", inmem.ProblemJournal, "", "corrupt",
		func(v *victim, s *stored) { s.set(s.all(v.runScope, codec.Journal)[1], []byte{1}) }},
	{"a journal of a part that is not there", inmem.ProblemJournal, "", "",
		func(v *victim, s *stored) {
			keys := s.all(v.runScope, codec.Journal)
			key := keys[len(keys)-1]
			rec, err := codec.DecodeJournalRecord(1, s.get(key))
			if rec.Parts = 2; err == nil {
				s.set(key, codec.AppendJournalRecord(nil, rec))
			}
		}},
	{"the journal of the database has a hole", inmem.ProblemJournal, "", "missing before it",
		func(_ *victim, s *stored) { s.del(s.all(0, codec.Journal)[1]) }},
	{"an event is gone", inmem.ProblemEvent, "", "event 1 is missing",
		func(v *victim, s *stored) {
			s.del(s.versions(v.runScope, codec.Events, codec.EventUserKey(1))[0])
		}},
	{"an event of a fork has another hash", inmem.ProblemEvent, "", "expected",
		func(v *victim, s *stored) { spoilEvent(s, s.all(v.forkScope, codec.Events)[0], 20) }},
	{"an event has another payload", inmem.ProblemEvent, "", "expected",
		func(v *victim, s *stored) {
			key := s.all(v.runScope, codec.Events)[2]
			spoilEvent(s, key, len(s.get(key))-2)
		}},
	{"an event is not indexed", inmem.ProblemIndex, "two", "is not in the index",
		func(v *victim, s *stored) {
			s.del(s.versions(v.runScope, codec.Events.Index(), codec.EventTypeKey("two", 1))[0])
		}},
	{"an index entry of no event", inmem.ProblemIndex, "ten", "which is not there",
		func(v *victim, s *stored) {
			s.write(at(v.runScope, codec.Events.Index(), codec.EventTypeKey("ten", 1), 9), []byte{0xf6})
		}},
	{"a span is not indexed", inmem.ProblemIndex, "", "is missing",
		func(v *victim, s *stored) { s.del(s.all(v.runScope, codec.Traces.Index())[0]) }},
	{"an index entry of no span", inmem.ProblemIndex, "x", "is surplus",
		func(v *victim, s *stored) {
			s.write(at(v.runScope, codec.Traces.Index(), "x", 9), []byte{0xf6})
		}},
}

func spoilEvent(s *stored, key []byte, offset int) {
	value := s.get(key)
	value[offset] ^= 1
	s.set(key, value)
}

// scopePlants spoil what belongs to the database.
var scopePlants = []plant{
	{"a run is not indexed", inmem.ProblemIndex, "", "is missing",
		func(_ *victim, s *stored) { s.del(s.all(0, codec.RunIndex)[2]) }},
	{"a deadline is not indexed", inmem.ProblemDeadline, "soon", "not in the index by deadline",
		func(_ *victim, s *stored) { s.del(s.all(0, codec.Expiries)[0]) }},
	{"a deadline of nothing", inmem.ProblemDeadline, "/none", "does not expire",
		func(v *victim, s *stored) {
			user := codec.ExpiryUserKey(1<<62, v.runScope, codec.KV, "none")
			s.set(at(0, codec.Expiries, user, 9), []byte(v.run))
		}},
	{"a deadline of no run", inmem.ProblemDeadline, "/x", "which is not there",
		func(v *victim, s *stored) {
			user := codec.ExpiryUserKey(1<<62, 4000, codec.KV, "x")
			s.set(at(0, codec.Expiries, user, 9), []byte(v.run))
		}},
	{"a record is none", inmem.ProblemRecord, "", "",
		func(v *victim, s *stored) {
			s.write(s.versions(0, codec.ScopeRecords, v.deep)[0], []byte{0xa0})
		}},
	{"keys of a run without a record", inmem.ProblemRecord, "", "no record names it",
		func(_ *victim, s *stored) { s.write(at(3000, codec.KV, "x", 9), []byte{1}) }},
	{"two runs of one number", inmem.ProblemRecord, "", "too",
		func(v *victim, s *stored) {
			s.rewrite(v.deep, func(r *codec.ScopeRecord) { r.Number = v.runScope })
		}},
	{"a record under another id", inmem.ProblemRecord, "", "it is the record of",
		func(v *victim, s *stored) { s.rewrite(v.deep, func(r *codec.ScopeRecord) { r.ID[3] ^= 1 }) }},
	{"a fork of what is not there", inmem.ProblemFork, "", "is not there",
		func(v *victim, s *stored) {
			s.rewrite(v.deep, func(r *codec.ScopeRecord) { r.ParentNumber = 2999 })
		}},
	{"a fork of the future", inmem.ProblemFork, "", "the newest commit is",
		func(v *victim, s *stored) {
			s.rewrite(v.deep, func(r *codec.ScopeRecord) { r.ForkVersion = 1 << 40 })
		}},
	{"a fork of itself", inmem.ProblemFork, "", "",
		func(v *victim, s *stored) {
			s.rewrite(v.deep, func(r *codec.ScopeRecord) { r.ParentNumber, r.Parent = r.Number, r.ID })
		}},
	{"a run that lives, in the graveyard", inmem.ProblemGrave, "", "its record is there",
		func(v *victim, s *stored) {
			note := codec.AppendJournalRecord(nil, codec.JournalRecord{Parts: 1})
			s.set(at(0, codec.Graveyard, codec.GraveUserKey(v.runScope), 9), note)
		}},
	{"horizons that are none", inmem.ProblemHorizon, "", "",
		func(v *victim, s *stored) { s.set(codec.HorizonKey(v.runScope), []byte{0, 1}) }},
	{"a horizon in the future", inmem.ProblemHorizon, "", "the newest commit is",
		func(v *victim, s *stored) { s.horizon(v.deepScope, 1<<40) }},
	{"a horizon above a fork", inmem.ProblemFork, "", "history was removed from its parent",
		func(v *victim, s *stored) { s.horizon(v.runScope, v.forkVersion+1) }},
}

// horizon writes that the keys of a run were pruned up to a version.
func (s *stored) horizon(n codec.Scope, version uint64) {
	rec := codec.HorizonRecord{Horizons: []codec.Horizon{{Primitive: codec.KV, Version: version}}}
	s.write(codec.HorizonKey(n), codec.AppendHorizonRecord(nil, rec))
}
