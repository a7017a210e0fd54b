package memtable

// Options tune a table. The zero value of each field means its default.
type Options struct {
	// SegmentSize is the size of an arena segment in bytes, rounded up to a power of two between
	// 4 KiB and 64 MiB. It bounds the pause of one Evict (which cleans about one segment) and is
	// the grain in which memory is given back. Default 1 MiB.
	SegmentSize int
	// Newest is the greatest version in the store when the table is made. Default 0: the store is
	// empty. It keeps Admit from taking what a view of an older version read for the newest.
	Newest uint64
	_      struct{}
}

// Record is one version of one key.
type Record struct {
	// Version is the commit version; 0 with the answer Found means that the key is known never to
	// have existed.
	Version uint64
	// Stamp is what validation sees: Version, but for an expiry tombstone, which carries the
	// version of the last real write.
	Stamp uint64
	// Expiry is the deadline in Unix nanoseconds, 0 for none. It is carried, not judged.
	Expiry int64
	// Deleted marks a tombstone.
	Deleted bool
	// Elsewhere says that the value is too large to be kept here: everything else is valid, the
	// value must come from the store.
	Elsewhere bool
	// Value aliases an arena segment. It is immutable and valid as long as it is held, also after
	// the entry was evicted; holding it keeps its whole segment from the garbage collector.
	Value []byte
}

// Ref is the position of an entry, 0 for none. Positions are never reused, so that an entry that
// was moved or evicted is recognised as dead.
type Ref uint64

// Answer says what a lookup established.
type Answer uint8

const (
	// Unknown: the memtable cannot tell; ask the store.
	Unknown Answer = iota
	// Found: the Record says what there is, tombstones and known absence (Version 0) included.
	Found
	// Absent: the key never existed at this version.
	Absent
)

// String returns the answer's name in lower case.
func (a Answer) String() string {
	switch a {
	case Found:
		return "found"
	case Absent:
		return "absent"
	default:
		return "unknown"
	}
}
