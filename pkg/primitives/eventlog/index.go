package eventlog

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// IndexEntry names an entry of the index of events by type.
type IndexEntry struct {
	// Type and Seq are those of the event that the entry stands for; empty and 0 if the entry cannot
	// be read.
	Type string
	Seq  uint64
	// Key is the entry's key in the index.
	Key string
}

// MaxIndexEntries is how many entries of each kind an IndexReport lists.
const MaxIndexEntries = 100

// IndexReport compares the index of events by type with the log.
type IndexReport struct {
	// Events and Entries are how many events and index entries there are.
	Events, Entries uint64
	// Missing counts the events without an entry as it should be, Surplus the entries that name no
	// event of their type, or nothing readable. A good index has neither.
	Missing, Surplus uint64
	// MissingEntries and SurplusEntries are the first of them, in the order of the log and of the
	// index, at most MaxIndexEntries each.
	MissingEntries, SurplusEntries []IndexEntry
}

// VerifyIndex compares the index of events by type with the log, at one version, in both
// directions. A bad index is no error; an event that cannot be read is one, and Verify tells more.
//
// Cost: the log and the index are read once, with a lookup for every event and every entry, and
// memory for what the report lists. It looks at ctx before each of them. Inside a transaction all
// that it walked over joins the read set.
func (l Log) VerifyIndex(ctx context.Context) (IndexReport, error) {
	var r IndexReport
	one := Log{scope: l.scope.Snapshot()}
	for at, err := range one.checkEvents(ctx, 0, noEnd) {
		if err != nil {
			return IndexReport{}, l.wrap("verify index", "", err)
		}
		r.Events++
		if !at.good {
			r.Missing++
			r.MissingEntries = note(r.MissingEntries, at.IndexEntry)
		}
	}
	for at, err := range one.checkEntries(ctx, "") {
		if err != nil {
			return IndexReport{}, l.wrap("verify index", "", err)
		}
		r.Entries++
		if !at.good {
			r.Surplus++
			r.SurplusEntries = note(r.SurplusEntries, at.IndexEntry)
		}
	}
	return r, nil
}

func note(list []IndexEntry, e IndexEntry) []IndexEntry {
	if len(list) == MaxIndexEntries {
		return list
	}
	return append(list, e)
}

// indexValue is what every index entry holds.
var indexValue, _ = codec.AppendValue(nil, codec.Null())

// checked is an index entry, and whether it is there and should be.
type checked struct {
	IndexEntry
	good bool
}

// checkEvents yields the entry that each event with start <= seq < end should have, and whether it
// is there. REQUIRES: start < end <= noEnd.
func (l Log) checkEvents(ctx context.Context, start, end uint64) iter.Seq2[checked, error] {
	return func(yield func(checked, error) bool) {
		for e, err := range l.walk(ctx, &ListOptions{}, start, end) {
			if err == nil {
				err = txn.ContextError(ctx.Err())
			}
			at := checked{IndexEntry: IndexEntry{Type: e.Type, Seq: e.Seq}}
			if err == nil {
				at.Key = codec.EventTypeKey(e.Type, e.Seq)
				var found txn.Entry
				found, err = l.scope.Peek(ctx, codec.Events.Index(), at.Key)
				at.good = found.Exists && bytes.Equal(found.Value, indexValue)
			}
			if !yield(at, err) || err != nil {
				return
			}
		}
	}
}

// checkEntries yields the index entries from a key on, and whether there is an event for each. Who
// takes an entry away need not fear that its event is appended meanwhile: the append would write
// the entry anew, and the entry is in the read set.
func (l Log) checkEntries(ctx context.Context, from string) iter.Seq2[checked, error] {
	return func(yield func(checked, error) bool) {
		c := l.scope.Scan(ctx, codec.Events.Index(), txn.Range{Start: from})
		defer c.Close()
		for c.Next() {
			err := txn.ContextError(ctx.Err())
			var at checked
			if err == nil {
				at, err = l.checkEntry(ctx, c.Key())
			}
			if !yield(at, err) || err != nil {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield(checked{}, err)
		}
	}
}

func (l Log) checkEntry(ctx context.Context, key string) (checked, error) {
	at := checked{IndexEntry: IndexEntry{Key: key}}
	typ, seq, err := codec.DecodeEventTypeKey(key)
	if err != nil {
		return at, nil // what cannot be read stands for nothing
	}
	at.Type, at.Seq = typ, seq
	found, err := l.scope.Peek(ctx, codec.Events, codec.EventUserKey(seq))
	if err != nil || !found.Exists {
		return at, err
	}
	r, err := codec.DecodeEventRecord(found.Value)
	if err != nil {
		return at, fmt.Errorf("event %d: %w", seq, err)
	}
	at.good = r.Type == typ
	return at, nil
}
