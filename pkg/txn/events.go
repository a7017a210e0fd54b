package txn

import (
	"context"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Event is an event to append: its type, and its payload as an encoded value.
type Event struct {
	// Type is UTF-8, not empty, at most codec.MaxEventType bytes.
	Type string
	// Payload is an encoded value. Immutable from the call on.
	Payload []byte
}

// Appended is the place that an event got in its log: Sequence counts the events of the log from 0,
// Hash is codec.EventHash of the event.
type Appended = backend.Appended

// Append adds events to the scope's log, in their order and without a gap between them. No events
// are no commit.
//
// Directly they commit at once: sequence, time and hash are given at the commit's place in the
// order, so appends never conflict, and the version is that commit's. Inside a transaction they
// take effect with it; what is returned is provisional: what would come out if nothing came
// between, and what the transaction's own reads of the log show. The version is 0 then.
//
// Errors also: codec.ErrInvalidArgument for a type that is empty or not UTF-8 and for a payload
// without bytes; codec.ErrTooLarge for a type, a payload or a transaction beyond its limits. None
// of the events is appended then.
func (s Scope) Append(ctx context.Context, events []Event) ([]Appended, uint64, error) {
	if err := s.writable(""); err != nil {
		return nil, 0, err
	}
	bytes, err := checkEvents(events)
	switch {
	case err != nil:
		return nil, 0, err
	case s.tx != nil:
		placed, err := s.tx.append(ctx, s.s, events, bytes)
		return placed, 0, err
	case len(events) == 0:
		return nil, 0, nil
	}
	o, err := s.m.commitAppends(ctx, s.s, events, bytes)
	return o.Appends, o.Version, err
}

// maxPayload is the longest encoded value: codec's limit is on the content, and the head of a text
// takes up to 9 bytes.
const maxPayload = codec.MaxValueSize + 9

// checkEvents refuses what no log can hold, and returns how many bytes the rest is.
func checkEvents(events []Event) (bytes int64, err error) {
	for i := range events {
		e := &events[i]
		switch {
		case e.Type == "" || !utf8.ValidString(e.Type):
			return 0, fmt.Errorf("%w: event type %.64q is empty or not UTF-8",
				codec.ErrInvalidArgument, e.Type)
		case len(e.Type) > codec.MaxEventType:
			return 0, fmt.Errorf("%w: event type of %d bytes, at most %d",
				codec.ErrTooLarge, len(e.Type), codec.MaxEventType)
		case len(e.Payload) == 0:
			return 0, fmt.Errorf("%w: event of type %q has no payload, not even null",
				codec.ErrInvalidArgument, e.Type)
		case len(e.Payload) > maxPayload:
			return 0, fmt.Errorf("%w: payload of %d bytes, at most %d",
				codec.ErrTooLarge, len(e.Payload), codec.MaxValueSize)
		}
		bytes += size(e.Type, e.Payload)
	}
	return bytes, nil
}

// directAppend is the request of a direct append with room for what it holds.
type directAppend struct {
	request backend.Request
	appends []backend.Append
}

// maxPooledAppends is the length up to which a list of appends is kept for the next one.
const maxPooledAppends = 64

var directAppends = sync.Pool{New: func() any { return new(directAppend) }}

// commitAppends commits events of one scope as one step. They rely on nothing, so there is nothing
// to retry.
func (m *Manager) commitAppends(ctx context.Context, s *backend.Scope, events []Event, bytes int64,
) (backend.Outcome, error) {
	if err := m.checkSize(len(events), bytes); err != nil {
		return backend.Outcome{}, err
	}
	d := directAppends.Get().(*directAppend)
	for i := range events {
		d.appends = append(d.appends, makeAppend(s, &events[i]))
	}
	d.request.Appends = d.appends
	o, err := m.b.Commit(ctx, &d.request)
	if err != nil {
		o, err = backend.Outcome{}, explain(err, &d.request)
	} else {
		err = m.settle(ctx, o.Version)
	}
	clear(d.appends)
	d.request, d.appends = backend.Request{}, d.appends[:0]
	if cap(d.appends) <= maxPooledAppends {
		directAppends.Put(d)
	}
	return o, err
}

// makeAppend computes the digest of the payload, the costly part of an event's hash, here: outside
// of every lock.
func makeAppend(s *backend.Scope, e *Event) backend.Append {
	return backend.Append{
		Scope: s, Type: e.Type, Payload: e.Payload, Digest: codec.PayloadDigest(e.Payload),
	}
}

// EventHead returns the sequence number that the next event would get, and the hash of the last
// event (zeros for an empty log), own appends of a transaction included. Inside a transaction this
// is a read: another append that comes between is a conflict.
func (s Scope) EventHead(ctx context.Context) (next uint64, hash codec.EventDigest, err error) {
	if s.tx != nil && s.s != nil {
		return s.tx.eventHead(ctx, s.s)
	}
	at, err := s.version()
	if err != nil {
		return 0, hash, err
	}
	h, err := s.m.logHead(ctx, s.s, at)
	return h.next, h.hash, err
}

// logHead is the end of an event log.
type logHead struct {
	next uint64            // the sequence number of the next event
	hash codec.EventDigest // of the last event, zero if there is none
	time int64             // of the last event
}

// logHead finds the end of a scope's log at a version.
func (m *Manager) logHead(ctx context.Context, s *backend.Scope, at uint64) (logHead, error) {
	c := m.b.Scan(ctx, s, codec.Events, backend.Range{Reverse: true}, at)
	defer c.Close()
	if !c.Next() {
		return logHead{}, ContextError(c.Err())
	}
	seq, err := codec.DecodeEventUserKey(c.Key())
	if err != nil {
		return logHead{}, err
	}
	e, err := codec.DecodeEventRecord(c.Record().Value)
	if err != nil {
		return logHead{}, fmt.Errorf("event %d: %w", seq, err)
	}
	return logHead{next: seq + 1, hash: e.Hash, time: e.Time}, nil
}

// Commits are the commits of one scope, exact after every crash: the versions of the first and the
// newest, and how many there are, which is also the number of the newest. Zero if it has none.
type Commits = backend.ScopeCommits

// Commits returns the commits of the scope that this form shows: inside a transaction those up to
// its snapshot. It adds nothing to the read set. Cost: a few reads of the store.
func (s Scope) Commits(ctx context.Context) (Commits, error) {
	at, err := s.version()
	if err != nil {
		return Commits{}, err
	}
	c, err := s.m.b.Commits(ctx, s.s, at)
	return c, ContextError(err)
}
