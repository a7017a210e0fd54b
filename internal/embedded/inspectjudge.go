package embedded

import (
	"bytes"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// journalState is where the walk over a journal stands.
type journalState struct {
	begun   bool
	next    uint64 // the number that must come
	version uint64 // of the record before
	parts   int    // parts of the record that are still to come
	part    int    // the next of them
	told    tally  // see inspectedScope.told
}

// chainState is where the walk over an event log stands.
type chainState struct {
	next    uint64
	hash    codec.EventDigest
	time    int64
	version uint64
	broken  bool // something was told: the next event is not held to it
}

// nullEntry is what index entries hold.
var nullEntry = []byte{0xf6}

// entry checks what lies under one key.
func (w *scopeWalk) entry(value []byte) error {
	switch w.kindOf() {
	case entryJournal:
		return w.journalEntry(value)
	case entryGrave:
		if _, err := codec.DecodeJournalRecord(0, value); err != nil {
			w.note(backend.ProblemGrave, "%v", err)
		}
		return nil
	case entryDeadline:
		return w.deadlineEntry(string(value))
	case entryUnknown:
		w.note(backend.ProblemKey, "no primitive has the letter %s here", w.letter)
		return nil
	}
	env, err := codec.DecodeEnvelope(value)
	if err != nil {
		w.note(backend.ProblemValue, "%v", err)
		w.tallyEntry(codec.ChangePut)
		return nil
	}
	switch {
	case env.Origin != 0:
		w.tallyEntry(codec.ChangeExpire)
		if env.Origin >= w.version {
			w.note(backend.ProblemValue, "it expired, and was written last by commit %d", env.Origin)
		}
	case env.Tombstone:
		w.tallyEntry(codec.ChangeDelete)
	default:
		w.tallyEntry(codec.ChangePut)
	}
	if env.Expiry > w.c.now && w.first && w.version > w.s.record.ForkVersion {
		if err := w.checkDeadline(env.Expiry); err != nil {
			return err
		}
	}
	w.judge(&env)
	return nil
}

// tallyEntry sums up what must be in a journal.
func (w *scopeWalk) tallyEntry(op codec.ChangeOp) {
	if k := w.kindOf(); k != entryPlain && k != entryEvent || w.version <= w.s.threshold(w.letter) {
		return
	}
	w.stored[w.letter].add(w.c.hashVersion(w.letter, string(w.user), w.version, op))
}

// judge asks who knows what a value means.
func (w *scopeWalk) judge(env *codec.Envelope) {
	switch w.kindOf() {
	case entryEvent:
		w.event(env)
		return
	case entryHorizon:
		return // loadHorizons has read it
	case entryIndex:
		if w.letter == codec.Events.Index() && w.first && !env.Tombstone {
			w.typeEntry(env.Payload)
		}
	}
	kind := backend.ProblemValue
	if w.n == codec.SystemScope && w.letter == codec.ScopeRecords {
		kind = backend.ProblemRecord
	}
	if kind == backend.ProblemRecord && !env.Tombstone {
		if _, err := codec.DecodeScopeRecord(env.Payload); err != nil {
			w.note(kind, "%v", err)
			return
		}
	}
	if w.c.o.Judge == nil {
		return
	}
	err := w.c.o.Judge(&backend.StoredRecord{
		Scope: w.n, Record: w.s.key, Primitive: w.letter, Key: string(w.user), Version: w.version,
		Value: env.Payload, Deleted: env.Tombstone,
	})
	if err != nil {
		w.note(kind, "%v", err)
	}
}

// event checks an event's place in the chain.
func (w *scopeWalk) event(env *codec.Envelope) {
	w.c.info.Events++
	k := &w.events
	seq, err := codec.DecodeEventUserKey(string(w.user))
	if err != nil {
		w.note(backend.ProblemEvent, "%v", err)
		return
	}
	switch {
	case !w.first:
		w.note(backend.ProblemEvent, "a second version of event %d", seq)
		return
	case env.Tombstone:
		w.note(backend.ProblemEvent, "event %d was deleted", seq)
		k.next, k.broken = seq+1, true
		return
	case !w.based && !k.broken:
		k.broken = true
	case seq != k.next && !k.broken:
		w.note(backend.ProblemEvent, "event %d is missing: event %d comes next", k.next, seq)
		k.broken = true
	}
	e, err := codec.DecodeEventRecord(env.Payload)
	if err != nil {
		w.note(backend.ProblemEvent, "event %d: %v", seq, err)
		k.next, k.broken, w.unread = seq+1, true, true // its type is not known
		return
	}
	w.link(seq, &e)
	w.typesWanted.add(w.c.hashVersion(w.letter, codec.EventTypeKey(e.Type, seq), 0, 0))
}

// link compares an event with the one before it, and moves on.
func (w *scopeWalk) link(seq uint64, e *codec.EventRecord) {
	k := &w.events
	hash := codec.EventHash(e.Previous, seq, e.Time, e.Type, codec.PayloadDigest(e.Payload))
	switch {
	case e.Hash != hash:
		w.note(backend.ProblemEvent, "event %d: hash %x, expected %x of what it holds", seq, e.Hash,
			hash)
	case !k.broken && e.Previous != k.hash:
		w.note(backend.ProblemEvent, "event %d: previous hash %x, expected %x", seq, e.Previous, k.hash)
	case !k.broken && seq > 0 && e.Time < k.time:
		w.note(backend.ProblemEvent, "event %d: time %d, before that of the event before, %d", seq,
			e.Time, k.time)
	case !k.broken && w.version < k.version:
		w.note(backend.ProblemEvent, "event %d: version %d, that of the event before is %d", seq,
			w.version, k.version)
	}
	if _, err := codec.DecodeValue(e.Payload); err != nil {
		w.note(backend.ProblemEvent, "event %d: payload: %v", seq, err)
	}
	*k = chainState{next: seq + 1, hash: e.Hash, time: e.Time, version: w.version}
}

// typeEntry sums up the index of events by type.
func (w *scopeWalk) typeEntry(value []byte) {
	if !bytes.Equal(value, nullEntry) {
		w.note(backend.ProblemIndex, "an entry of the index of events by type holds %x", value)
		return
	}
	w.typesFound.add(w.c.hashVersion(codec.Events, string(w.user), 0, 0))
}

// journalEntry checks what lies under one key of the journal.
func (w *scopeWalk) journalEntry(value []byte) error {
	number, part, err := codec.DecodeJournalUserKey(w.user)
	if err != nil || part > 0 {
		return w.journalRecord(number, part, value, err)
	}
	key := w.version
	g := codec.OpenGroup(w.version, value)
	for err == nil && g.Next() {
		w.version = g.Version()
		err = w.journalRecord(number-uint64(g.Left()), 0, g.Record(), nil)
	}
	if w.version = key; err == nil && g.Err() != nil {
		err = w.journalRecord(number, 0, nil, g.Err())
	}
	return err
}

// journalRecord checks a record of the journal, and sums up what it names. It has an error if the
// record cannot be read.
func (w *scopeWalk) journalRecord(number uint64, part int, value []byte, err error) error {
	j := &w.journal
	var rec codec.JournalRecord
	if err == nil {
		rec, err = codec.DecodeJournalRecord(number, value)
	}
	if err != nil {
		w.note(backend.ProblemJournal, "%v", err)
		w.unread, j.begun, j.next, j.parts = true, true, number+1, 0
		return nil
	}
	if part == 0 {
		w.beginRecord(number, &rec)
		if err := w.tallyCommit(number, &rec); err != nil {
			return err
		}
	} else if number+1 != j.next || part != j.part || rec.Parts != 0 || j.parts == 0 {
		w.note(backend.ProblemJournal, "part %d of record %d stands where part %d of record %d belongs",
			part, number, j.part, j.next-1)
		w.unread = true
	}
	j.part, j.parts = part+1, max(0, j.parts-1)
	for _, x := range rec.Changes {
		if w.version > w.s.threshold(x.Primitive) {
			w.journaled[x.Primitive].add(w.c.hashVersion(x.Primitive, x.Key, w.version, x.Op))
		}
	}
	return nil
}

// beginRecord checks the place of the first part of a record.
func (w *scopeWalk) beginRecord(number uint64, rec *codec.JournalRecord) {
	j := &w.journal
	pruned := w.s.horizons.Of(codec.Journal)
	switch {
	case j.parts > 0:
		w.note(backend.ProblemJournal, "%d parts of record %d are missing before it", j.parts, j.next-1)
		w.unread = true
	case rec.Parts == 0:
		w.note(backend.ProblemJournal, "record %d begins in the middle", number)
		w.unread = true
	case !j.begun && pruned > w.s.above: // else what was removed lay in its parent's journal
		if w.version > pruned {
			w.note(backend.ProblemJournal, "the journal begins with version %d, above its horizon %d",
				w.version, pruned)
		}
	case number != j.next && (j.begun || w.based):
		w.note(backend.ProblemJournal, "records %d to %d are missing before it", j.next, number-1)
		w.unread = true // what they named looks stray
	}
	if j.begun && w.version <= j.version {
		w.note(backend.ProblemJournal, "version %d, that of the record before is %d", w.version,
			j.version)
	}
	j.begun, j.next, j.version, j.parts = true, number+1, w.version, rec.Parts
}

// tallyCommit sums up what commit records must say of the journal.
func (w *scopeWalk) tallyCommit(number uint64, rec *codec.JournalRecord) error {
	if !w.s.tells(w.version) {
		return nil
	}
	time := rec.Time
	if !rec.Timed {
		if commit, found, err := w.c.commitRecord(w.version); err == nil && found {
			time = commit.Time
		}
	}
	w.journal.told.add(w.c.hashCommit(number, w.version, time))
	return w.c.ctx.Err()
}
