package txn

import (
	"context"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// eventSet buffers a transaction's appends, and knows where they would lie if nothing came between.
//
// An append has no key until its commit has a place in the order, so it is no write. For the
// transaction's own reads, once there are any, the events stand in the write set under the keys
// that they would get, marked as shown: such entries never reach the authority.
type eventSet struct {
	list   []backend.Append // in call order
	places []eventPlace     // of each append
	shown  int              // so many of the list are in the write set
	logs   []ownLog         // in the order of the first use; few
	bytes  int64            // types and payloads
}

// eventPlace is where an append would lie.
type eventPlace struct {
	seq            uint64
	time           int64
	previous, hash codec.EventDigest
}

// ownLog is the end of one log as the transaction sees it.
type ownLog struct {
	scope *backend.Scope
	base  uint64  // what came next at the snapshot
	head  logHead // with own events
}

// log returns what the transaction knows of a scope's log, or nil if nothing.
func (s *eventSet) log(scope *backend.Scope) *ownLog {
	for i := range s.logs {
		if s.logs[i].scope.Number == scope.Number {
			return &s.logs[i]
		}
	}
	return nil
}

// own counts the events that the transaction appended.
func (l *ownLog) own() uint64 { return l.head.next - l.base }

// end is the key whose absence says that the log ended where the snapshot has it. Any append that
// comes between breaks it, whatever the transaction appended itself.
func (l *ownLog) end() string { return codec.EventUserKey(l.base) }

// log is the end of a scope's log at the snapshot with own events. The look at it is no read in the
// sense of the read set. The pointer is good until the next call.
func (t *Tx) log(ctx context.Context, s *backend.Scope) (*ownLog, error) {
	if l := t.events.log(s); l != nil {
		return l, nil
	}
	t.touch()
	head, err := t.m.logHead(ctx, s, t.snapshot)
	if err != nil {
		return nil, err
	}
	t.events.logs = append(t.events.logs, ownLog{scope: s, base: head.next, head: head})
	return &t.events.logs[len(t.events.logs)-1], nil
}

// append is Scope.Append inside the transaction. The events were checked; bytes is their size.
func (t *Tx) append(ctx context.Context, s *backend.Scope, events []Event, bytes int64,
) ([]Appended, error) {
	if err := t.usable(); err != nil || len(events) == 0 {
		return nil, err
	}
	if err := t.room(t.writes.written(), t.writes.bytes, 0, len(events), bytes); err != nil {
		return nil, err
	}
	l, err := t.log(ctx, s)
	if err != nil {
		return nil, err
	}
	set, placed := &t.events, make([]Appended, len(events))
	set.list = slices.Grow(set.list, len(events))
	set.places = slices.Grow(set.places, len(events))
	set.bytes += bytes
	l.head.time = max(l.head.time, t.now)
	for i := range events {
		a, h := makeAppend(s, &events[i]), &l.head
		hash := codec.EventHash(h.hash, h.next, h.time, a.Type, a.Digest)
		set.list = append(set.list, a)
		set.places = append(set.places, eventPlace{h.next, h.time, h.hash, hash})
		placed[i] = Appended{Sequence: h.next, Hash: hash}
		h.next, h.hash = h.next+1, hash
	}
	return placed, nil
}

// null is the value of an index entry.
var null, _ = codec.AppendValue(nil, codec.Null())

// showEvents makes own events visible to reads of p: under the keys and index keys that they would
// get. Only who looks pays for it.
func (t *Tx) showEvents(p codec.Primitive) error {
	set := &t.events
	if set.shown == len(set.list) || p != codec.Events && p != codec.Events.Index() {
		return nil
	}
	for ; set.shown < len(set.list); set.shown++ {
		a, at := &set.list[set.shown], &set.places[set.shown]
		record, err := codec.AppendEventRecord(nil, codec.EventRecord{
			Time: at.time, Previous: at.previous, Hash: at.hash, Type: a.Type, Payload: a.Payload,
		})
		if err != nil {
			return err
		}
		t.writes.show(a.Scope, codec.Events, codec.EventUserKey(at.seq), record)
		t.writes.show(a.Scope, codec.Events.Index(), codec.EventTypeKey(a.Type, at.seq), null)
	}
	return nil
}

// eventHead is Scope.EventHead inside the transaction.
func (t *Tx) eventHead(ctx context.Context, s *backend.Scope,
) (next uint64, hash codec.EventDigest, err error) {
	if err := t.usable(); err != nil {
		return 0, hash, err
	}
	if t.untouched {
		if err := t.firstRead(ctx, s, codec.Events, ""); err != nil {
			return 0, hash, err
		}
	}
	l, err := t.log(ctx, s)
	if err != nil {
		return 0, hash, err
	}
	t.reads.add(backend.Read{Scope: s, Primitive: codec.Events, Key: l.end()})
	return l.head.next, l.head.hash, nil
}

// scansEvents prepares a scan. It returns the key to be read once the scan sees the end of the
// event log, or nothing if it cannot: a log that ends is no phantom, for a scan or for a head.
func (t *Tx) scansEvents(ctx context.Context, s *backend.Scope, p codec.Primitive, r Range,
) (logEnd string, err error) {
	if len(t.events.list) > 0 {
		if err := t.showEvents(p); err != nil {
			return "", err
		}
	}
	if p != codec.Events {
		return "", nil
	}
	l, err := t.log(ctx, s)
	if err != nil || r.End != "" && r.End <= codec.EventUserKey(l.head.next) {
		return "", err
	}
	return l.end(), nil
}

// readAbsent is the key that stands in the read set for one that the transaction found absent.
//
// Behind own events it is another one. Own events move up by as many places as foreign ones come
// between; so there would have been an event at place n, behind k own ones, exactly if there is one
// at place n-k when the transaction commits, its own events not yet being there.
func (t *Tx) readAbsent(s *backend.Scope, p codec.Primitive, key string) string {
	if p != codec.Events || len(t.events.list) == 0 {
		return key
	}
	l := t.events.log(s)
	seq, err := codec.DecodeEventUserKey(key)
	if l == nil || err != nil || seq < l.head.next {
		return key
	}
	return codec.EventUserKey(seq - l.own())
}
