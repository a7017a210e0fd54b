package eventlog

import (
	"context"
	"fmt"
	"iter"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Types yields the types of the log's events, each once, in byte order, all from one version; see
// List. It reads the index: the cost is one seek for each type, however many events there are.
//
// Inside a transaction the first index entry of each type joins the read set.
func (l Log) Types(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		one := Log{scope: l.scope.Snapshot()}
		r := txn.Range{}
		for {
			typ, ok, err := one.firstType(ctx, r)
			if err != nil {
				yield("", l.wrap("types", "", err))
				return
			}
			if !ok || !yield(typ, nil) {
				return
			}
			r.Start = txn.PrefixRange(codec.EventTypePrefix(typ)).End
		}
	}
}

// firstType is the type of the first index entry in a range.
func (l Log) firstType(ctx context.Context, r txn.Range) (typ string, ok bool, err error) {
	if err := ctx.Err(); err != nil { // a scan of one step does not look
		return "", false, txn.ContextError(err)
	}
	c := l.scope.Scan(ctx, codec.Events.Index(), r)
	defer c.Close()
	if !c.Next() {
		return "", false, c.Err()
	}
	typ, _, err = codec.DecodeEventTypeKey(c.Key())
	return typ, err == nil, err
}

// CountType returns the number of events of a type. It reads the index: the cost is by what it
// counts. Inside a transaction the index entries join the read set. Errors: also
// codec.ErrInvalidArgument and codec.ErrTooLarge for a type that no event can have.
func (l Log) CountType(ctx context.Context, typ string) (uint64, error) {
	if err := checkType(typ); err != nil {
		return 0, l.wrap("count", about(typ), err)
	}
	c := l.scope.Scan(ctx, codec.Events.Index(), txn.PrefixRange(codec.EventTypePrefix(typ)))
	defer c.Close()
	n := uint64(0)
	for c.Next() {
		n++
	}
	if err := c.Err(); err != nil {
		return 0, l.wrap("count", about(typ), err)
	}
	return n, nil
}

// walkType yields the events of type o.Type with start <= seq < end, by the index.
// REQUIRES: start < end <= noEnd.
func (l Log) walkType(ctx context.Context, o *ListOptions, start, end uint64,
) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r := txn.PrefixRange(codec.EventTypePrefix(o.Type))
		r.Start, r.Reverse = codec.EventTypeKey(o.Type, start), o.Reverse
		if end < noEnd {
			r.End = codec.EventTypeKey(o.Type, end)
		}
		c := l.scope.Scan(ctx, codec.Events.Index(), r)
		defer c.Close()
		for c.Next() {
			_, seq, err := codec.DecodeEventTypeKey(c.Key())
			var e Event
			if err == nil {
				e, err = l.indexed(ctx, o.Type, seq)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield(Event{}, err)
		}
	}
}

// indexed reads the event that an index entry names. The entry is in the read set already; the
// event cannot change.
func (l Log) indexed(ctx context.Context, typ string, seq uint64) (Event, error) {
	found, err := l.scope.Peek(ctx, codec.Events, codec.EventUserKey(seq))
	if err != nil {
		return Event{}, err
	}
	if !found.Exists {
		return Event{}, surplus(typ, seq, "there is no such event")
	}
	e, err := decode(seq, found)
	if err != nil {
		return Event{}, fmt.Errorf("event %d: %w", seq, err)
	}
	if e.Type != typ {
		return Event{}, surplus(typ, seq, "its type is"+about(e.Type)[len(" type"):])
	}
	return e, nil
}

// surplus is what a reader says who comes across an index entry that should not be there.
func surplus(typ string, seq uint64, found string) error {
	return fmt.Errorf("%w: the index has event %d under%s, but %s; RebuildIndex repairs it",
		codec.ErrCorrupt, seq, about(typ), found)
}
