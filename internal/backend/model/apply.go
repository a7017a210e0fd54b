package model

import (
	"sort"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// apply gives the writes and appends the next version. It cannot fail: every check came before.
// Callers hold mu.
func (b *Backend) apply(
	r *backend.Request, writes []backend.Write, events [][]byte, now, judged int64,
) backend.Outcome {
	out := backend.Outcome{Version: max(b.published, b.reserved) + 1}
	changed := map[codec.Scope][]codec.Change{}
	note := func(k key, op codec.ChangeOp) {
		if k.primitive.IsIndex() {
			return // derived from what is noted
		}
		changed[k.scope] = append(changed[k.scope],
			codec.Change{Primitive: k.primitive, Op: op, Key: k.user})
	}
	ended := b.ended(writes)
	for _, w := range writes {
		k := keyOf(w.Scope, w.Primitive, w.Key)
		record, op := b.written(k, w, out.Version)
		b.add(k, record)
		note(k, op)
		b.watch(k, w)
		switch w.Op {
		case backend.Delete:
			out.Existed++
		case backend.Expire:
			out.Expired++
			b.stats.Expired++
		}
	}
	for i, a := range r.Appends {
		done, k := b.append(a, events[i], out.Version, judged)
		out.Appends = append(out.Appends, done)
		note(k, codec.ChangeAppend)
	}
	b.record(r, out.Version, now, changed)
	b.published = out.Version
	b.bury(ended, writes)
	return out
}

// written is the record that a write leaves. The sweeper's tombstone keeps the stamp of the write
// that expired, which is why validation and CAS never see it. Callers hold mu.
func (b *Backend) written(
	k key, w backend.Write, version uint64,
) (backend.Record, codec.ChangeOp) {
	switch w.Op {
	case backend.Delete:
		return backend.Record{Version: version, Stamp: version, Deleted: true}, codec.ChangeDelete
	case backend.Expire:
		stamp := b.latest(k).Stamp
		return backend.Record{Version: version, Stamp: stamp, Deleted: true}, codec.ChangeExpire
	}
	return backend.Record{Version: version, Stamp: version, Expiry: w.Expiry, Value: w.Value},
		codec.ChangePut
}

// append puts an event at the end of its scope's log, and its entry into the index by type, which
// holds Null. Callers hold mu.
func (b *Backend) append(
	a backend.Append, event []byte, version uint64, time int64,
) (backend.Appended, key) {
	log := b.logs[a.Scope.Number]
	time = max(time, log.time)
	hash := codec.EventHash(log.head, log.length, time, a.Type, a.Digest)
	codec.PatchEvent(event, time, log.head, hash)
	k := keyOf(a.Scope, codec.Events, codec.EventUserKey(log.length))
	b.add(k, backend.Record{Version: version, Stamp: version, Value: event})
	b.add(keyOf(a.Scope, codec.Events.Index(), codec.EventTypeKey(a.Type, log.length)),
		backend.Record{Version: version, Stamp: version, Value: []byte{0xf6}})
	b.logs[a.Scope.Number] = eventLog{length: log.length + 1, head: hash, time: time}
	return backend.Appended{Sequence: log.length, Hash: hash}, k
}

// add puts a record on top of its key's versions. Callers hold mu.
func (b *Backend) add(k key, r backend.Record) {
	own := b.space(k.space)
	own[k.user] = append(own[k.user], r)
}

// space are the own keys of one primitive of one scope. Callers hold mu.
func (b *Backend) space(in space) map[string][]backend.Record {
	if b.records[in] == nil {
		b.records[in] = map[string][]backend.Record{}
	}
	return b.records[in]
}

// record writes the commit down: scopes by number, changes in key order. Callers hold mu.
func (b *Backend) record(
	r *backend.Request, version uint64, now int64, changed map[codec.Scope][]codec.Change,
) {
	c := backend.Commit{CommitRecord: codec.CommitRecord{
		Version: version, Previous: b.published, Time: now, Flags: r.Flags}}
	for _, w := range r.Writes {
		if w.Op == backend.Put {
			c.Deadline = max(c.Deadline, w.Expiry)
		}
	}
	for s, changes := range changed {
		sort.Slice(changes, func(i, j int) bool {
			x, y := changes[i], changes[j]
			return key{space{s, x.Primitive}, x.Key}.less(key{space{s, y.Primitive}, y.Key})
		})
		b.numbers[s]++
		c.Scopes = append(c.Scopes,
			backend.ScopeChanges{Scope: s, Number: b.numbers[s], Changes: changes, Origin: r.Origin})
	}
	sort.Slice(c.Scopes, func(i, j int) bool { return c.Scopes[i].Scope < c.Scopes[j].Scope })
	for _, s := range c.Scopes {
		c.CommitRecord.Scopes = append(c.CommitRecord.Scopes,
			codec.ScopeCommit{Scope: s.Scope, Number: s.Number})
	}
	b.commits = append(b.commits, c)
}
