package embedded

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/invariants"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Everything but the commit record is encoded before the lock is taken, with room for what only
// the commit's place in the order decides: the version in every key, the time of journal records,
// sequence number, time and hashes of events. All have a fixed width, so stamping is a few stores.

// encode encodes all writes that will take effect, as far as prepare can tell.
func (p *plan) encode() error {
	size := 64
	for i := range p.writes {
		size += 2*len(p.writes[i].Key) + len(p.writes[i].Value) + 96
	}
	for i := range p.req.Appends {
		size += len(p.req.Appends[i].Type)*3 + len(p.req.Appends[i].Payload) + eventRoom
	}
	p.out = append(slices.Grow(p.out[:0], size), make([]byte, batchHeader)...)
	p.count, p.patches, p.journals = 0, p.patches[:0], p.journals[:0]
	p.live, p.existed, p.expired, p.deadline = 0, 0, 0, 0
	for i := range p.scopes {
		p.scopes[i].changes, p.scopes[i].journal = p.scopes[i].changes[:0], p.scopes[i].journal[:0]
	}
	for i := range p.writes {
		w := &p.writes[i]
		if w.skip {
			continue
		}
		if err := p.encodeWrite(w); err != nil {
			return err
		}
		p.live++
	}
	if err := p.encodeGraves(); err != nil {
		return err
	}
	if len(p.req.Appends) > 0 {
		// The journal names the events' sequence numbers: it is encoded when they are known.
		return p.encodeAppends()
	}
	p.encodeJournals()
	return nil
}

// encodeWrite adds one write, its index entry by deadline if it expires, and its line of the
// journal. Index entries have no line: they are derived from what has one.
func (p *plan) encodeWrite(w *planWrite) error {
	env := codec.Envelope{Expiry: w.Expiry, Payload: w.Value}
	op := codec.ChangePut
	switch w.Op {
	case backend.Delete:
		env, op = codec.Envelope{Tombstone: true}, codec.ChangeDelete
		p.existed++
	case backend.Expire:
		env, op = codec.Envelope{Tombstone: true, Origin: w.Stamp}, codec.ChangeExpire
		p.expired++
	}
	key, err := codec.AppendKey(p.scratch[:0], w.Scope.Number, w.Primitive, w.Key)
	if err != nil {
		return err
	}
	p.scratch = codec.AppendVersion(key, maxVersion)
	p.scratch2 = codec.AppendEnvelope(p.scratch2[:0], env)
	p.set(p.scratch, p.scratch2)
	if w.Expiry != 0 {
		if err := p.encodeDeadline(w); err != nil {
			return err
		}
	}
	if !w.Primitive.IsIndex() {
		s := &p.scopes[w.scope]
		s.changes = append(s.changes, codec.Change{Primitive: w.Primitive, Op: op, Key: w.Key})
	}
	return nil
}

// set adds a key and value; stamp fills in the version of the key.
func (p *plan) set(key, value []byte) {
	if invariants.Enabled {
		if err := codec.CheckKey(key); err != nil {
			panic(err) // lint:allow panic: invariants build only
		}
	}
	p.patches = append(p.patches, p.add(key, value)-8-1)
}

// add is set for a key that others fill in. It returns where the key ends.
func (p *plan) add(key, value []byte) (keyEnd int) {
	p.count++
	p.out, keyEnd = appendSet(p.out, key, value)
	return keyEnd
}

// appendSet appends a record of a batch that sets a key, and tells where the key ends.
func appendSet(r, key, value []byte) (out []byte, keyEnd int) {
	r = binary.AppendUvarint(append(r, byte(pebble.InternalKeyKindSet)), uint64(len(key)))
	r = append(r, key...)
	keyEnd = len(r)
	return append(binary.AppendUvarint(r, uint64(len(value))), value...), keyEnd
}

// encodeDeadline adds or, when the key is expired, takes away the index entry by deadline.
func (p *plan) encodeDeadline(w *planWrite) error {
	user := codec.ExpiryUserKey(w.Expiry, w.Scope.Number, w.Primitive, w.Key)
	key, err := codec.AppendKey(p.scratch[:0], codec.SystemScope, codec.Expiries, user)
	if err != nil {
		return err
	}
	if w.Op == backend.Expire {
		p.scratch = codec.AppendVersion(key, w.Stamp)
		p.out = binary.AppendUvarint(append(p.out, byte(pebble.InternalKeyKindDelete)),
			uint64(len(p.scratch)))
		p.out = append(p.out, p.scratch...)
		p.count++
		return nil
	}
	p.deadline = max(p.deadline, w.Expiry)
	p.scratch = codec.AppendVersion(key, maxVersion)
	p.scratch2 = append(p.scratch2[:0], w.Scope.Record...) // the sweeper has no other way to it
	p.set(p.scratch, p.scratch2)
	return nil
}

// encodeJournals encodes the journal record of each scope that is written to.
func (p *plan) encodeJournals() {
	for i := range p.scopes {
		s := &p.scopes[i]
		if len(s.changes) == 0 {
			continue
		}
		if len(s.changes) <= smallJournal {
			from := len(p.journals)
			p.journals = codec.AppendJournalRecord(p.journals,
				codec.JournalRecord{Parts: 1, Changes: s.changes, Timed: true, Origin: p.req.Origin})
			s.journal = append(s.journal, journalPart{from: from, to: len(p.journals)})
			continue
		}
		for part, value := range codec.JournalParts(s.changes, p.req.Origin) {
			from := len(p.journals)
			p.journals = append(p.journals, value...)
			s.journal = append(s.journal, journalPart{from: from, to: len(p.journals), part: part})
		}
	}
}

// smallJournal is how many changes surely fit one part of a journal record.
const smallJournal = codec.MaxJournalPart / (codec.MaxInternalKeySize + 16)

// stamp takes the commit's numbers and writes them into what was encoded.
// REQUIRES: the commit lock.
func (p *plan) stamp(version uint64, now int64) {
	p.version = version
	if len(p.req.Appends) > 0 {
		p.stampAppends(version, p.judged(now))
		p.encodeJournals()
	}
	rec := codec.CommitRecord{
		Version: version, Previous: p.db.order.commit, Time: now, Flags: p.req.Flags,
		Scopes: p.numbers[:0], Deadline: p.deadline,
	}
	for i := range p.scopes {
		s := &p.scopes[i]
		if len(s.journal) == 0 {
			continue
		}
		s.number = s.facts.commits.Count + 1 // of a scope that comes into being
		if s.state != nil {
			s.number = s.state.commits.Count + 1
		}
		rec.Scopes = append(rec.Scopes, codec.ScopeCommit{Scope: s.handle.Number, Number: s.number})
	}
	p.numbers = rec.Scopes
	p.scratch2 = codec.AppendCommitRecord(p.scratch2[:0], rec)
	p.commitRecord = p.scratch2
	for _, at := range p.patches {
		binary.BigEndian.PutUint64(p.out[at:], version)
	}
	for i := range p.scopes {
		for _, j := range p.scopes[i].journal {
			if j.part == 0 {
				codec.PatchJournalTime(p.journals[j.from:j.to], now)
			}
		}
	}
	p.db.order.time = now
}

// size is what the commit brings into the log, keys of journal and commit records apart.
func (p *plan) size() int { return len(p.out) + len(p.journals) + len(p.commitRecord) }

// complete makes out the whole batch of the commit. REQUIRES: stamp was called.
func (p *plan) complete() {
	for i := range p.scopes {
		s := &p.scopes[i]
		for _, j := range s.journal {
			p.add(s.journalKey(p, j.part), p.journals[j.from:j.to])
		}
	}
	p.scratch = codec.AppendCommitKey(p.scratch[:0], p.version)
	p.add(p.scratch, p.commitRecord)
	binary.LittleEndian.PutUint32(p.out[8:], p.count)
}

// journalKey is the key of a part of the scope's journal record, good until the next one.
func (s *planScope) journalKey(p *plan, part int) []byte {
	p.scratch = codec.AppendJournalKey(p.scratch[:0], s.handle.Number, s.number, part)
	codec.PatchVersion(p.scratch, p.version)
	return p.scratch
}
