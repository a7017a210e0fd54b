package txn

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Event is an event to append: its type, and its payload as an encoded value.
type Event struct {
	// Type is UTF-8, not empty, at most codec.MaxEventType bytes.
	Type string
	// Payload is an encoded value. Immutable from the call on.
	Payload []byte
}

// Appended is the place that an event got in its log.
type Appended struct {
	// Sequence counts the events of the log from 0.
	Sequence uint64
	// Hash is codec.EventHash of the event.
	Hash codec.EventDigest
}

var errNotBuilt = errors.New("not built")

// Append adds events to the scope's log, in their order and without a gap between them.
//
// Directly they commit at once: sequence, time and hash are given at the commit's place in the
// order, so appends never conflict, and the version is that commit's. Inside a transaction they
// take effect with it; what is returned is provisional: what would come out if nothing came
// between, and what the transaction's own reads of the log show. The version is 0 then.
func (s Scope) Append(ctx context.Context, events []Event) ([]Appended, uint64, error) {
	return nil, 0, errNotBuilt
}

// EventHead returns the sequence number that the next event would get, and the hash of the last
// event (zeros for an empty log), own appends of a transaction included. Inside a transaction this
// is a read: another append that comes between is a conflict.
func (s Scope) EventHead(ctx context.Context) (next uint64, hash codec.EventDigest, err error) {
	return 0, hash, errNotBuilt
}

// Commits are the commits of one scope, exact after every crash.
type Commits struct {
	// First and Last are the versions of its first and its newest commit, 0 if it has none.
	First, Last uint64
	// Count is how many there are; also the number of the newest.
	Count uint64
}

// Commits returns the commits of the scope that this form shows. It adds nothing to the read set.
func (s Scope) Commits(ctx context.Context) (Commits, error) { return Commits{}, errNotBuilt }

// AtomicOn is Atomic for functions that read one key and rewrite it. Callers that meet on a hot key
// queue for it, so that each makes progress in turn instead of failing; the wait is bounded.
func (s Scope) AtomicOn(ctx context.Context, p codec.Primitive, key string, fn func(Scope) error,
) (uint64, error) {
	return s.Atomic(ctx, fn)
}
