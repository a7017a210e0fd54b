package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Verification is what Verify found.
type Verification struct {
	// Valid says that the whole log is as it was appended, as far as the chain can tell.
	Valid bool
	// Length is the number of events that were found.
	Length uint64
	// Head is the hash of the newest event of a valid log, zeros for an empty one. Kept elsewhere it
	// can prove later what the log was up to here; see the package comment.
	Head codec.EventDigest
	// FirstBad is the sequence number of the first event that is not as it was appended, Reason says
	// in words what is wrong with it. Zero and empty if Valid.
	FirstBad uint64
	Reason   string
}

// Verify walks the log of one version and computes every hash again: the sequence numbers have no
// gap, times do not fall, every event carries the hash of the one before it and the right one of
// its own. An empty log is valid. See the package comment on what that proves and what it cannot.
//
// A bad log is no error; an error means that the log could not be read. Cost: the log is read and
// hashed once, with memory for one event. It looks at ctx before every event. Inside a transaction
// it covers the own appends, and the whole log with its end joins the read set.
func (l Log) Verify(ctx context.Context) (Verification, error) {
	v, err := l.verify(ctx)
	if err != nil {
		return Verification{}, l.wrap("verify", "", err)
	}
	return v, nil
}

func (l Log) verify(ctx context.Context) (Verification, error) {
	var v Verification
	var at link
	c := l.scope.Scan(ctx, codec.Events, txn.Range{})
	defer c.Close()
	for ; c.Next(); v.Length++ {
		if err := txn.ContextError(ctx.Err()); err != nil {
			return v, err
		}
		if v.Reason == "" { // the first bad one counts, the others are only counted
			if v.Reason = at.check(c.Key(), c.Entry().Value); v.Reason != "" {
				v.FirstBad = at.next
			}
		}
	}
	if err := c.Err(); err != nil {
		return v, err
	}
	if v.Valid = v.Reason == ""; v.Valid {
		v.Head = at.hash
	}
	return v, nil
}

// link is the place in the chain that a verification has come to.
type link struct {
	next uint64            // the sequence number that must come
	hash codec.EventDigest // of the event before
	time int64             // of the event before
}

// check compares the next record with its place and moves on. It returns what is wrong in words,
// empty for nothing.
func (k *link) check(key string, record []byte) string {
	seq, err := codec.DecodeEventUserKey(key)
	if err != nil {
		return fmt.Sprintf("found under a key that is no sequence number: %v", err)
	}
	if seq != k.next {
		return fmt.Sprintf("missing: event %d comes next", seq)
	}
	r, err := codec.DecodeEventRecord(record)
	if err != nil {
		return fmt.Sprintf("unreadable: %v", err)
	}
	if r.Previous != k.hash {
		return fmt.Sprintf("previous hash %x, expected %x", r.Previous, k.hash)
	}
	if seq > 0 && r.Time < k.time {
		return fmt.Sprintf("time %s, before that of the event before, %s", show(r.Time), show(k.time))
	}
	hash := codec.EventHash(r.Previous, seq, r.Time, r.Type, codec.PayloadDigest(r.Payload))
	if r.Hash != hash {
		return fmt.Sprintf("hash %x, expected %x of what the event holds", r.Hash, hash)
	}
	if _, err := codec.DecodeValue(r.Payload); err != nil {
		return fmt.Sprintf("payload is no value: %v", err)
	}
	k.next, k.hash, k.time = seq+1, hash, r.Time
	return ""
}

// show writes a time in Unix nanoseconds the same way everywhere.
func show(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
