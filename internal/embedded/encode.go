package embedded

import (
	"encoding/binary"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/invariants"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Everything but the commit record is encoded before the lock is taken, with room for what only
// the commit's place in the order decides: the version in every key, the commit number in the keys
// of the journal, sequence number, time and hashes of events. All have a fixed width, so stamping
// is a few stores.

// encode builds the batch of all writes that will take effect, as far as prepare can tell.
func (p *plan) encode() error {
	p.dropBatch()
	size := 64
	for i := range p.writes {
		size += 2*len(p.writes[i].Key) + len(p.writes[i].Value) + 96
	}
	for i := range p.req.Appends {
		size += len(p.req.Appends[i].Type)*3 + len(p.req.Appends[i].Payload) + eventRoom
	}
	p.batch = p.db.store.NewBatchWithSize(size)
	p.live, p.existed, p.expired = 0, 0, 0
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
	p.patches = append(p.patches, p.batch.Len()-p.valueRoom(len(p.scratch2))-8-1)
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

// set adds a key and value to the batch.
func (p *plan) set(key, value []byte) {
	if invariants.Enabled {
		if err := codec.CheckKey(key); err != nil {
			panic(err) // lint:allow panic: invariants build only
		}
	}
	p.add(key, value)
}

// add is set for a key that is not complete yet.
func (p *plan) add(key, value []byte) {
	op := p.batch.SetDeferred(len(key), len(value))
	copy(op.Key, key)
	copy(op.Value, value)
	// Finish fails only for indexed batches.
	_ = op.Finish()
}

// valueRoom is how many bytes of the batch a value of this size takes with its length.
func (p *plan) valueRoom(size int) int {
	var buf [binary.MaxVarintLen32]byte
	return binary.PutUvarint(buf[:], uint64(size)) + size
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
		return p.batch.Delete(p.scratch, nil)
	}
	p.scratch = codec.AppendVersion(key, maxVersion)
	p.scratch2 = append(p.scratch2[:0], w.Scope.Record...) // the sweeper has no other way to it
	p.set(p.scratch, p.scratch2)
	p.patches = append(p.patches, p.batch.Len()-p.valueRoom(len(p.scratch2))-8-1)
	return nil
}

// encodeJournals adds the journal record of each scope that is written to.
func (p *plan) encodeJournals() {
	p.journalAt = p.batch.Len()
	for i := range p.scopes {
		s := &p.scopes[i]
		if len(s.changes) == 0 {
			continue
		}
		if len(s.changes) <= smallJournal {
			p.scratch2 = codec.AppendJournalRecord(p.scratch2[:0],
				codec.JournalRecord{Parts: 1, Changes: s.changes, Timed: true, Origin: p.req.Origin})
			p.setJournal(s, 0, p.scratch2)
			continue
		}
		for part, value := range codec.JournalParts(s.changes, p.req.Origin) {
			p.setJournal(s, part, value)
		}
	}
}

// smallJournal is how many changes surely fit one part of a journal record.
const smallJournal = codec.MaxJournalPart / (codec.MaxInternalKeySize + 16)

// setJournal adds one part of a scope's journal record, and notes where its key lies.
func (p *plan) setJournal(s *planScope, part int, value []byte) {
	p.scratch = codec.AppendJournalKey(p.scratch[:0], s.handle.Number, 0, part)
	begin := p.batch.Len()
	// The version in it is zeros until stamp fills it: not a valid key yet.
	p.add(p.scratch, value)
	end := p.batch.Len()
	s.journal = append(s.journal, journalPart{
		begin: begin, at: end - p.valueRoom(len(value)) - len(p.scratch), size: len(p.scratch),
		part: part, value: end - len(value), end: end,
	})
}

// stamp takes the commit's numbers and writes them into the batch. REQUIRES: the commit lock.
func (p *plan) stamp(version uint64, now int64) {
	p.version = version
	if len(p.req.Appends) > 0 {
		p.stampAppends(version, p.judged(now))
		p.encodeJournals()
	}
	rec := codec.CommitRecord{
		Version: version, Previous: p.db.order.commit, Time: now, Flags: p.req.Flags,
		Scopes: p.numbers[:0],
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
	p.scratch = codec.AppendCommitKey(p.scratch[:0], version)
	p.scratch2 = codec.AppendCommitRecord(p.scratch2[:0], rec)
	p.set(p.scratch, p.scratch2)
	p.commitRecord = p.batch.Len() - len(p.scratch2)
	repr := p.batch.Repr()
	p.repr = repr
	for _, at := range p.patches {
		binary.BigEndian.PutUint64(repr[at:], version)
	}
	for i := range p.scopes {
		s := &p.scopes[i]
		for _, j := range s.journal {
			key := repr[j.at : j.at : j.at+j.size]
			key = codec.AppendJournalKey(key, s.handle.Number, s.number, j.part)
			codec.PatchVersion(key, version)
			if j.part == 0 {
				codec.PatchJournalTime(repr[:j.end], now)
			}
		}
	}
	p.db.order.time = now
}
