package backend

import (
	"context"
	"iter"

	"github.com/inmem-db/inmem/pkg/codec"
)

// History reads what was, beside what Reader reads at a version. All methods are safe for
// concurrent use and never wait for a writer. What is not published yet does not exist for them.
type History interface {
	// NewestCommit returns the version and time (Unix nanoseconds) of the newest commit at or below
	// a version; zeros if there is none. Cost: some loads if at is a recent commit, else a seek.
	NewestCommit(ctx context.Context, at uint64) (version uint64, time int64, err error)

	// VersionAt returns the greatest version whose commit time is at or before a time in Unix
	// nanoseconds; 0 if there is none. Cost: the logarithm of the number of versions, in seeks.
	VersionAt(ctx context.Context, time int64) (uint64, error)

	// Versions yields the records of a key at or below version at, tombstones included, newest
	// first. Expiry is not judged. An error is yielded once and last; if retention has removed what
	// came before the last record, it is a *PrunedError. Cost: by what is yielded.
	Versions(
		ctx context.Context, s *Scope, p codec.Primitive, key string, at uint64,
	) iter.Seq2[Record, error]

	// Journal yields the commits of a scope in their order, each once and without a gap, those of
	// its lineage included. An error is yielded once and last: those of Get, *PrunedError if
	// something that was asked for lies below a horizon. What is committed during the walk may be
	// yielded or not. Between two steps the walk holds nothing, so it may pause for ever.
	//
	// Cost: what is yielded, in entries of the scope's own history, whatever else the store holds;
	// Stats.HistoryKeys and HistoryBytes count it. It reads ahead in pages that grow with the walk,
	// and holds one page in memory: at most some tens of megabytes beyond the largest commit.
	Journal(ctx context.Context, s *Scope, r JournalRange) iter.Seq2[JournalEntry, error]
}

// JournalValues says what a walk over a journal tells of each change.
type JournalValues uint8

const (
	// NoValues tells which keys changed, and how.
	NoValues JournalValues = iota
	// NewValues also tells what was written.
	NewValues
	// OldAndNewValues also tells what was there before.
	OldAndNewValues
)

// JournalRange selects commits of one scope, and what is told of each.
type JournalRange struct {
	// From is the number of the first commit that may be told; 0 is 1.
	From uint64
	// At is the greatest version that may be told; what is published bounds it, too.
	At uint64
	// Values says what is told of each change.
	Values JournalValues
	// Only keeps the changes of keys that lie in one of these; none keeps all. Commits of which
	// nothing is left are told without changes.
	Only []KeySpace

	_ struct{}
}

// KeySpace are the keys of a primitive that begin with Prefix.
type KeySpace struct {
	Primitive codec.Primitive
	Prefix    string
}

// Keeps reports whether the range tells of a change.
func (r *JournalRange) Keeps(c codec.Change) bool {
	if len(r.Only) == 0 {
		return true
	}
	for _, k := range r.Only {
		if k.Primitive == c.Primitive && len(c.Key) >= len(k.Prefix) &&
			c.Key[:len(k.Prefix)] == k.Prefix {
			return true
		}
	}
	return false
}

// JournalEntry is one commit as the journal of a scope tells it.
type JournalEntry struct {
	Version uint64
	Number  uint64 // the commit number in the scope: 1, 2, 3...
	Time    int64  // of the commit, in Unix nanoseconds
	// Origin says where the commit was made first, if it was imported.
	Origin codec.Origin
	// Changes are in key order, index entries left out.
	Changes []JournalChange
}

// Judged is the time by which expiry is judged at the commit: its own, or that of its origin.
func (e *JournalEntry) Judged() int64 {
	if e.Origin.Version != 0 {
		return e.Origin.Time
	}
	return e.Time
}

// JournalChange is one change, with the values that were asked for.
type JournalChange struct {
	codec.Change
	// Value is what a put or an append wrote, without envelope; nil otherwise, and if values were
	// not asked for. Expiry is its deadline, 0 for none.
	Value  []byte
	Expiry int64
	// Old is what the key held right before the commit, if that was asked for: nil if the key did
	// not exist, or had expired by the time of the commit.
	Old *Record
}
