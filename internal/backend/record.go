package backend

import (
	"context"
	"sync/atomic"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Cache is the authority's private corner of a Scope: whatever it stores there it must be ready to
// find gone, and nobody else reads it.
type Cache = atomic.Pointer[any]

// Record is one version of one key.
type Record struct {
	// Version is the commit version at which the record lies; 0 means that the key never existed.
	Version uint64
	// Stamp is the version that validation and CAS see. It equals Version, but for the tombstone
	// that the sweeper writes for an expired key: that one carries the version of the last write.
	Stamp uint64
	// Expiry is the absolute deadline in Unix nanoseconds, 0 for none.
	Expiry int64
	// Deleted marks a tombstone; Value is then nil.
	Deleted bool
	// Value is the encoded value (deterministic CBOR, without envelope). Immutable.
	Value []byte
	// Hint lets the authority find the key again without a lookup. Opaque; 0 is always valid.
	Hint uint64
}

// Exists reports whether the record is neither absent nor a tombstone.
func (r Record) Exists() bool { return r.Version != 0 && !r.Deleted }

// Range selects the keys start <= key < end of one primitive; an empty End means no upper bound.
type Range struct {
	Start, End string
	Reverse    bool
}

// Contains reports whether key lies in the range.
func (r Range) Contains(key string) bool {
	return key >= r.Start && (r.End == "" || key < r.End)
}

// PrefixRange selects the keys that begin with prefix.
func PrefixRange(prefix string) Range {
	return Range{Start: prefix, End: PrefixEnd(prefix)}
}

// PrefixEnd is the smallest key greater than every key that begins with prefix; it is empty (no
// bound) when there is none.
func PrefixEnd(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			end := []byte(prefix[:i+1])
			end[i]++
			return string(end)
		}
	}
	return ""
}

// Cursor walks records. A new cursor stands before the first record.
//
//	c := b.Scan(ctx, s, p, r, at)
//	defer c.Close()
//	for c.Next() {
//		use(c.Key(), c.Record())
//	}
//	return c.Err()
type Cursor interface {
	// Next moves on and reports whether there is a record. After false it stays false.
	Next() bool
	// Key is the user key. REQUIRES: the last Next was true. It stays valid for ever.
	Key() string
	// Record is the record under the cursor; the pointer is good until the next Next or Close, what
	// it holds for ever. REQUIRES: the last Next was true.
	Record() *Record
	// Err tells why Next answered false; nil means that the range is exhausted.
	Err() error
	// Close gives resources back; it may be called twice.
	Close()
}

// BlockSize is how many records a Block has room for.
const BlockSize = 64

// Block is a part of a scan, see BlockCursor: of every record the key, the value, the version,
// which is also the stamp, and the hint. Only the first Len places count; what they hold stays
// valid for ever.
type Block struct {
	Len      int
	Keys     [BlockSize]string
	Values   [BlockSize][]byte
	Versions [BlockSize]uint64
	Hints    [BlockSize]uint64
}

// BlockCursor is a Cursor that can give out many records at once, at a fraction of the cost.
type BlockCursor interface {
	Cursor
	// NextBlock moves on over what follows as long as it is as GetPlain has it, and puts it into b,
	// at most most records. An empty block says nothing: Next goes on, and tells of errors, too. The
	// cursor stands on no record afterwards.
	NextBlock(b *Block, most int)
}

// Rescanner is a Reader that can scan with the cursor of an earlier scan, and so with what that had
// to allocate.
type Rescanner interface {
	// Rescan is Scan. c is nil, or what an earlier Rescan returned, of whatever Reader; it was closed,
	// and nobody but the caller has it. It may be returned, and then walks anew.
	Rescan(ctx context.Context, c Cursor, s *Scope, p codec.Primitive, r Range, at uint64) Cursor
}

// Read is one entry of a read set: the key and the stamp that was read (0: absent).
type Read struct {
	Scope     *Scope
	Primitive codec.Primitive
	Key       string
	Stamp     uint64
	Hint      uint64 // Record.Hint, or 0
}

// RangeRead is a range that must not have been written into since the request's pin.
type RangeRead struct {
	Scope     *Scope
	Primitive codec.Primitive
	Range     Range
}

// Condition demands that a key still has a certain stamp at the commit (0: it never existed).
type Condition struct {
	Scope     *Scope
	Primitive codec.Primitive
	Key       string
	Expected  uint64
}

// Op says what a Write does.
type Op uint8

const (
	// Put stores Value; an earlier expiry is cleared unless Expiry sets one anew.
	Put Op = iota + 1
	// Delete leaves a tombstone if the key exists at the commit's place in the order (an expired
	// value does not, judged by the commit's own time), and does nothing otherwise.
	Delete
	// Expire is the sweeper's delete: it takes effect only if the key's stamp is still Stamp and
	// its value has expired, and never counts as a write for validation or CAS.
	Expire
)

// MaxEncoded is the greatest size of an encoded value in bytes: the limit of codec is on the
// content, and the head of a text or of bytes takes up to 9.
const MaxEncoded = codec.MaxValueSize + 9

// Write is one entry of a write set. A request holds at most one per key.
type Write struct {
	Scope     *Scope
	Primitive codec.Primitive
	Key       string
	Op        Op
	Value     []byte // Put: the encoded value, without envelope, at most MaxEncoded bytes
	Expiry    int64  // Put: absolute deadline in Unix nanoseconds, 0 for none
	Stamp     uint64 // Expire: the version of the write that expired
}

// Append is one event for a scope's log. The authority gives it its sequence number, time and chain
// hash at the commit's place in the order, so appends never conflict with each other. It writes two
// records at the commit's version: the event, under codec.Events and codec.EventUserKey, and an
// index entry that holds Null, under codec.Events.Index() and codec.EventTypeKey. Errors are those
// of codec.AppendEventRecord.
type Append struct {
	Scope   *Scope
	Type    string
	Payload []byte            // the encoded value
	Digest  codec.EventDigest // SHA-256 of Payload, computed by the caller
}

// Appended is what became of an Append.
type Appended struct {
	Sequence uint64
	Hash     codec.EventDigest
}

// Request is what a transaction wants to commit. The authority reads it only during Commit and
// keeps none of its slices; the bytes of keys and values follow the package's rule.
//
// A request that only reads (no Writes, Appends or Conditions) always succeeds: what it read was
// true at its pin. For any other the authority, in the commit's place in the order,
//   - refuses the request if a scope that it writes to is not Active, whoever ended it; a scope of
//     which it only writes index entries, or that it has read, must exist, in whatever status;
//   - refuses it if any condition, read or range no longer holds, naming all keys that do not;
//   - drops Delete and Expire writes that have nothing to do;
//   - and, if nothing is left to write, succeeds without taking a version.
//
// Index entries (codec.Primitive.IsIndex) are derived data: versioned, validated and read like all
// else, but no change of the scope. Tail does not name them, and a commit that writes nothing else
// in a scope takes no commit number there.
type Request struct {
	// Pin is the transaction's pin; nil for a request without Reads and Ranges. It stays pinned.
	Pin        Pin
	Reads      []Read
	Ranges     []RangeRead
	Conditions []Condition
	Writes     []Write // any order; the authority sorts what reaches the log
	Appends    []Append
	// CreateScopes are scopes that come into being with this commit: their numbers are fresh from
	// AllocateScope and their records are among Writes.
	CreateScopes []*Scope
	Durability   Durability
	// Flags go into the commit record (codec.FlagExpiry for the sweeper).
	Flags codec.CommitFlags
	// Origin, if its Version is not 0, says that the request repeats a commit that was made in
	// another database at this version and time. The journals of its scopes, all of which must be of
	// codec.KindImport, keep it; deletes and expiries are judged by its time, and its events carry
	// it, or that of the event before if this is later.
	Origin codec.Origin
}

// Outcome is what a successful Commit reports.
type Outcome struct {
	// Version is the commit version, 0 if nothing was written.
	Version uint64
	// Existed counts the Delete writes that took effect; a request with one Delete learns from it
	// whether the key existed.
	Existed int
	// Expired counts the Expire writes that took effect.
	Expired int
	// Appends are in the order of Request.Appends.
	Appends []Appended
}
