package eventlog

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Log reads and extends the event log of one run. It is a small value: copy it freely. Made from a
// run or a view it is safe for concurrent use; made from a transaction it shares the transaction's
// rules.
//
// Errors of all methods: codec.ErrInvalidArgument, codec.ErrTooLarge, codec.ErrCorrupt,
// txn.ErrTxnDone in an ended transaction or view, txn.ErrTimeout and txn.ErrCanceled, and those of
// the storage. Appends and RebuildIndex are also refused on a view (read-only), appends on a run
// that has ended. Every message names the operation, the run, and the event or type.
type Log struct {
	scope txn.Scope
}

// New returns the primitive over a scope.
func New(s txn.Scope) Log { return Log{scope: s} }

// NewEvent is an event to append.
type NewEvent struct {
	// Type says what kind of event it is: UTF-8, not empty, at most codec.MaxEventType bytes.
	Type string
	// Payload is any value.
	Payload codec.Value
}

// Appended is the place that an event got in the log.
type Appended struct {
	// Seq counts the events of the run from 0, without a gap.
	Seq uint64
	// Hash is codec.EventHash of the event; see the package comment.
	Hash codec.EventDigest
	// Version is the commit version; 0 inside a transaction.
	Version uint64
}

// Event is one event of the log. Immutable; it stays valid as long as it is held.
type Event struct {
	// Seq is its place: events are numbered from 0, without a gap.
	Seq uint64
	// Type and Payload are what was appended.
	Type    string
	Payload codec.Value
	// Time is the time of the commit. It never falls from one event to the next.
	Time time.Time
	// Hash is codec.EventHash of the event, Previous that of the event before; zeros for event 0.
	Hash, Previous codec.EventDigest
	// Version is the commit version: a view there shows the run as it was when this had happened. 0
	// for a transaction's own append, whose Seq, Time and hashes are provisional.
	Version uint64
}

// Append appends one event and returns its place. Concurrent appends never conflict: the place is
// given in the commit, and the order of the log is the commit order. The event is durable as the
// database's mode says when Append returns.
//
// Inside a transaction the event takes effect with it, the place is provisional, and the
// transaction reads its own appends; if it aborts, no sequence number is used up. Errors: also
// codec.ErrInvalidArgument for a type that is empty or not UTF-8, or a payload that cannot be
// stored; codec.ErrTooLarge for a type over codec.MaxEventType bytes, a payload over
// codec.MaxValueSize, or a transaction beyond its limits. Nothing is appended then.
func (l Log) Append(ctx context.Context, typ string, payload codec.Value) (Appended, error) {
	e, err := encode(make([]byte, 0, payload.EncodedSize()), typ, payload)
	if err != nil {
		return Appended{}, l.wrap("append", about(typ), err)
	}
	one := [1]txn.Event{e}
	places, version, err := l.scope.Append(ctx, one[:])
	if err != nil {
		return Appended{}, l.wrap("append", about(typ), err)
	}
	return Appended{Seq: places[0].Sequence, Hash: places[0].Hash, Version: version}, nil
}

// AppendMany appends events in their order, in one commit and without another event between them,
// and returns their places. Without events it does nothing. See Append; if one event is refused,
// none is appended.
func (l Log) AppendMany(ctx context.Context, events []NewEvent) ([]Appended, error) {
	if len(events) == 0 {
		return nil, nil
	}
	size := 0
	for i := range events {
		size += events[i].Payload.EncodedSize()
	}
	block := make([]byte, 0, size)
	encoded := make([]txn.Event, len(events))
	for i := range events {
		var err error
		encoded[i], err = encode(block, events[i].Type, events[i].Payload)
		if err != nil {
			return nil, l.wrap("append", fmt.Sprintf(" event %d of %d%s", i+1, len(events),
				about(events[i].Type)), err)
		}
		block = block[:len(block)+len(encoded[i].Payload)]
	}
	places, version, err := l.scope.Append(ctx, encoded)
	if err != nil {
		return nil, l.wrap("append", fmt.Sprintf(" %d events", len(events)), err)
	}
	appended := make([]Appended, len(places))
	for i, p := range places {
		appended[i] = Appended{Seq: p.Sequence, Hash: p.Hash, Version: version}
	}
	return appended, nil
}

// encode checks an event and encodes its payload behind the end of block, which has the room.
func encode(block []byte, typ string, payload codec.Value) (txn.Event, error) {
	if err := checkType(typ); err != nil {
		return txn.Event{}, err
	}
	data, err := codec.AppendValue(block, payload)
	if err != nil {
		return txn.Event{}, err
	}
	return txn.Event{Type: typ, Payload: data[len(block):len(data):len(data)]}, nil
}

// checkType refuses what no event can have as its type.
func checkType(typ string) error {
	switch {
	case typ == "":
		return fmt.Errorf("%w: the type of an event is empty", codec.ErrInvalidArgument)
	case len(typ) > codec.MaxEventType:
		return fmt.Errorf("%w: event type of %d bytes, at most %d",
			codec.ErrTooLarge, len(typ), codec.MaxEventType)
	case !utf8.ValidString(typ):
		return fmt.Errorf("%w: the type of an event is not UTF-8", codec.ErrInvalidArgument)
	}
	return nil
}

// Get returns the event with a sequence number and whether there is one. One allocation, for the
// key, unless the payload is an Array or Map, or must be read from disk.
//
// Inside a transaction the event joins the read set, or its absence: another one's append that
// fills the place is then a conflict.
func (l Log) Get(ctx context.Context, seq uint64) (Event, bool, error) {
	if seq > codec.MaxSequence {
		return Event{}, false, nil
	}
	found, err := l.scope.Get(ctx, codec.Events, codec.EventUserKey(seq))
	if err != nil || !found.Exists {
		return Event{}, false, l.wrapSeq("get", seq, err)
	}
	e, err := decode(seq, found)
	return e, err == nil, l.wrapSeq("get", seq, err)
}

// decode turns a stored record into an event.
func decode(seq uint64, e txn.Entry) (Event, error) { return Decode(seq, e.Version, e.Value) }

// Decode turns the stored form of the event with a sequence number, appended by the commit of a
// version, into an event. It aliases data. Errors: codec.ErrCorrupt.
func Decode(seq, version uint64, data []byte) (Event, error) {
	r, err := codec.DecodeEventRecord(data)
	if err != nil {
		return Event{}, err
	}
	payload, err := codec.DecodeValue(r.Payload)
	if err != nil {
		return Event{}, err
	}
	return Event{
		Seq: seq, Type: r.Type, Payload: payload, Time: time.Unix(0, r.Time),
		Hash: r.Hash, Previous: r.Previous, Version: version,
	}, nil
}

// Head returns the newest event and whether there is one. Its Hash stands for the whole log; see
// the package comment on what it proves. Inside a transaction the end of the log joins the read
// set.
func (l Log) Head(ctx context.Context) (Event, bool, error) {
	next, _, err := l.scope.EventHead(ctx)
	if err != nil || next == 0 {
		return Event{}, false, l.wrap("head", "", err)
	}
	e, ok, err := l.Get(ctx, next-1)
	if err == nil && !ok {
		err = l.wrapSeq("head", next-1, fmt.Errorf("%w: the last event of %d is missing",
			codec.ErrCorrupt, next))
	}
	return e, ok, err
}

// Len returns the number of events, which is also the sequence number of the next one. Inside a
// transaction the end of the log joins the read set: another one's append is then a conflict.
func (l Log) Len(ctx context.Context) (uint64, error) {
	next, _, err := l.scope.EventHead(ctx)
	return next, l.wrap("len", "", err)
}

// shownType bounds the part of a type that an error message shows, in bytes.
const shownType = 64

// about names a type in an error message.
func about(typ string) string {
	dots := ""
	if len(typ) > shownType {
		typ, dots = typ[:shownType], "..."
	}
	return fmt.Sprintf(" type %q%s", typ, dots)
}

// wrap says which operation failed, on which run and what of it; nil stays nil.
func (l Log) wrap(op, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("event log %s run %s%s: %w", op, l.scope.Name(), what, err)
}

func (l Log) wrapSeq(op string, seq uint64, err error) error {
	if err == nil {
		return nil
	}
	return l.wrap(op, fmt.Sprintf(" seq %d", seq), err)
}
