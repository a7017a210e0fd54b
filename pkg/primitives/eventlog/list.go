package eventlog

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ListOptions select events. The zero value selects all; an event must meet every condition. All
// bounds are those of half-open ranges: one that lies beyond the log, or a range whose end does not
// lie behind its start, selects nothing and is no error.
type ListOptions struct {
	// Start is the first sequence number that may be returned, End the first one beyond; 0 for no
	// end.
	Start, End uint64
	// Type keeps the events of one type; empty for all types.
	Type string
	// Since keeps the events with this time or a later one, Until those with an earlier time; the
	// zero Time for no bound.
	Since, Until time.Time
	// Reverse walks from the newest event to the oldest.
	Reverse bool
	// Limit is the most events to return; 0 is no limit.
	Limit int

	_ struct{}
}

// noEnd lies beyond every log.
const noEnd = codec.MaxSequence + 1

// Range yields the events with start <= seq < end in the order of the log. An end beyond the log is
// cut off; a start beyond the log or an end that is not behind start yields nothing. See List.
func (l Log) Range(ctx context.Context, start, end uint64) iter.Seq2[Event, error] {
	if end == 0 {
		return func(func(Event, error) bool) {}
	}
	return l.list(ctx, "range", ListOptions{Start: start, End: end})
}

// List yields the selected events in the order of the log, or against it, all from one version:
// outside a transaction the one that is published when the iteration begins; inside, the
// transaction's snapshot and its own appends as they are when the iteration begins. An error is
// yielded once and last. Breaking out early is fine. The sequence can be iterated again and then
// looks anew.
//
// Cost: by the events yielded, wherever they lie. A time bound adds a binary search, of O(log n)
// lookups; a Type finds its events through the index. Errors: also codec.ErrInvalidArgument for a
// negative Limit, that and codec.ErrTooLarge for a Type that no event can have.
//
// Inside a transaction the events that the iteration went over join the read set, with a Type their
// index entries; so does the end of the log if a walk without Type comes to it. What a time bound
// looked at does not.
func (l Log) List(ctx context.Context, o ListOptions) iter.Seq2[Event, error] {
	return l.list(ctx, "list", o)
}

// list is what Range and List share.
func (l Log) list(ctx context.Context, op string, o ListOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		one := Log{scope: l.scope.Snapshot()}
		start, end, err := one.window(ctx, &o)
		if err != nil {
			yield(Event{}, l.wrap(op, o.about(), err))
			return
		}
		if start >= end {
			return
		}
		walk := one.walk
		if o.Type != "" {
			walk = one.walkType
		}
		n := 0
		for e, err := range walk(ctx, &o, start, end) {
			if err != nil {
				yield(Event{}, l.wrap(op, o.about(), err))
				return
			}
			if !yield(e, nil) {
				return
			}
			if n++; n == o.Limit {
				return
			}
		}
	}
}

// about names the type that was asked for in an error message.
func (o *ListOptions) about() string {
	if o.Type == "" {
		return ""
	}
	return about(o.Type)
}

// window checks the options and turns bounds of time into bounds of place.
func (l Log) window(ctx context.Context, o *ListOptions) (start, end uint64, err error) {
	if o.Limit < 0 {
		return 0, 0, fmt.Errorf("%w: limit %d, must not be negative",
			codec.ErrInvalidArgument, o.Limit)
	}
	if o.Type != "" {
		if err := checkType(o.Type); err != nil {
			return 0, 0, err
		}
	}
	start, end = o.Start, o.End
	if end == 0 || end > noEnd {
		end = noEnd
	}
	if start < end && !o.Since.IsZero() {
		if start, _, err = l.firstSince(ctx, start, end, o.Since); err != nil {
			return 0, 0, err
		}
	}
	if start < end && !o.Until.IsZero() {
		seq, exists, err := l.firstSince(ctx, start, end, o.Until)
		if err != nil {
			return 0, 0, err
		}
		if exists { // otherwise what is appended next may still be older than Until
			end = seq
		}
	}
	return start, end, nil
}

// walk yields the events with start <= seq < end. REQUIRES: start < end <= noEnd.
func (l Log) walk(ctx context.Context, o *ListOptions, start, end uint64,
) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r := txn.Range{Start: codec.EventUserKey(start), Reverse: o.Reverse}
		if end < noEnd {
			r.End = codec.EventUserKey(end)
		}
		c := l.scope.Scan(ctx, codec.Events, r)
		defer c.Close()
		for c.Next() {
			seq, err := codec.DecodeEventUserKey(c.Key())
			var e Event
			if err == nil {
				e, err = decode(seq, c.Entry())
			}
			if err != nil {
				yield(Event{}, fmt.Errorf("event %s: %w", c.Key(), err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield(Event{}, err)
		}
	}
}

// firstSince returns the first place in [start, end) that no event older than t has, and whether an
// event is there; if all are older, end. It leaves nothing in the read set: what was found cannot
// change, and what is newer joins when it is walked over. In particular it does not ask for the
// length of the log.
//
// Times never fall, so it is a binary search. It begins with steps of doubling length, because the
// length of the log is not known. REQUIRES: start < end <= noEnd.
func (l Log) firstSince(ctx context.Context, start, end uint64, t time.Time,
) (seq uint64, exists bool, err error) {
	low, high := start, end // all before low are older; high is not, or it is end
	for step, bounded := uint64(1), false; low < high; step *= 2 {
		middle := min(low+step-1, high-1)
		if bounded {
			middle = low + (high-low)/2
		}
		e, err := l.scope.Peek(ctx, codec.Events, codec.EventUserKey(middle))
		if err != nil {
			return 0, false, err
		}
		if e.Exists {
			r, err := codec.DecodeEventRecord(e.Value)
			if err != nil {
				return 0, false, fmt.Errorf("event %d: %w", middle, err)
			}
			if time.Unix(0, r.Time).Before(t) {
				low = middle + 1
				continue
			}
		}
		high, exists, bounded = middle, e.Exists, true
	}
	return low, exists, nil
}
