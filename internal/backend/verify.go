package backend

import (
	"context"

	"github.com/inmem-db/inmem/pkg/codec"
)

// ProblemKind says what is wrong with something that is stored.
type ProblemKind string

// The kinds of problems that an Inspector finds; docs/verify.md says what each one means.
const (
	ProblemGuard      ProblemKind = "guard"      // the sentinel and what lies there disagree
	ProblemTable      ProblemKind = "table"      // a table file is damaged or missing
	ProblemUnreadable ProblemKind = "unreadable" // records lie in a damaged block
	ProblemKey        ProblemKind = "key"        // a key that nothing has, or under no known letter
	ProblemCommit     ProblemKind = "commit"     // the chain of commit records is broken
	ProblemJournal    ProblemKind = "journal"    // a scope's journal and its commits disagree
	ProblemMissing    ProblemKind = "missing"    // a journal names a version that is not there
	ProblemStray      ProblemKind = "stray"      // a version that no journal names
	ProblemValue      ProblemKind = "value"      // what is stored under a key cannot be read
	ProblemEvent      ProblemKind = "event"      // the chain of a log is broken
	ProblemIndex      ProblemKind = "index"      // an index entry is missing or surplus
	ProblemDeadline   ProblemKind = "deadline"   // the index by deadline is not right
	ProblemRecord     ProblemKind = "record"     // the record of a scope is not right
	ProblemFork       ProblemKind = "fork"       // what a fork reads through is not there
	ProblemGrave      ProblemKind = "graveyard"  // what is left of a deleted scope is not right
	ProblemHorizon    ProblemKind = "horizon"    // what retention says it has removed is not right
)

// Problem is something that is stored and should not be, or not so, or is not and should be.
type Problem struct {
	Kind      ProblemKind
	Scope     codec.Scope
	Record    string          // user key of the scope's record, empty if there is none
	Primitive codec.Primitive // 0 if it is not about one
	Key       string          // user key; empty if it is not about one
	Version   uint64          // 0 if it is not about one
	Text      string          // what was found against what was expected
}

// StoredRecord is one version of a key as it lies in the store.
type StoredRecord struct {
	Scope     codec.Scope
	Record    string // user key of the scope's record
	Primitive codec.Primitive
	Key       string
	Version   uint64
	Value     []byte // without envelope; valid during the call only
	Deleted   bool
}

// CheckOptions say what Check looks at.
type CheckOptions struct {
	// Scopes are those to look at, with what the database has of its own left out; empty: all.
	Scopes []codec.Scope
	// Judge, if not nil, is asked about every version of every key but journals, events, and what
	// only the authority can read; its error becomes a ProblemValue.
	Judge func(*StoredRecord) error
	// Progress, if not nil, is told after every scope how many of all were looked at.
	Progress func(done, total int)

	_ struct{}
}

// CheckInfo says what Check has looked at.
type CheckInfo struct {
	Version uint64 // of the newest commit
	Scopes  int    // runs and shared namespaces
	Commits uint64
	Records uint64 // versions of keys, index entries and journal records among them
	Events  uint64
	Tables  int
	Bytes   uint64 // keys and values of the records

	_ struct{}
}

// SizeInfo is what lies under the number of a scope.
type SizeInfo struct {
	Scope  codec.Scope
	Record string // user key of its record; empty if it has none: it was deleted, and is being freed
	// Held is what it holds, by primitive, index entries apart.
	Held map[codec.Primitive]Held
}

// Held are records, all versions of all keys, and the bytes of their keys and values, before
// compression.
type Held struct{ Records, Bytes uint64 }

// LevelInfo is one level of the tree of tables.
type LevelInfo struct {
	Level, Files, Sublevels int
	Bytes                   int64
}

// ShapeInfo is what the store takes, in bytes.
type ShapeInfo struct {
	Levels                       []LevelInfo
	DiskBytes, LogBytes          uint64 // DiskBytes with the logs
	ObsoleteBytes                uint64 // files that wait for their deletion
	MemtableBytes, BufferBytes   int64  // recent data, and what waits to be flushed
	CacheBytes, CacheBudget      int64
	CompactionDebt               uint64
	Compactions, Flushes         int64
	WrittenByLog, WrittenByStore uint64
}

// Inspector is what an authority that stores something offers to those who look after it.
type Inspector interface {
	// Check looks over everything that is stored, at one version, and reports what is wrong with it.
	// An error means that it could not be done: the context's, ErrClosed, ErrStorage. Problems are no
	// error. Cost: everything is read, the tables a second time to hold each block to its checksum;
	// memory for about a hundred bytes per scope.
	Check(ctx context.Context, o CheckOptions, report func(Problem)) (CheckInfo, error)

	// Sizes calls f for every scope that holds something, in the order of their numbers, with the
	// system scope last. It sees one snapshot. Errors: ErrClosed, ErrStorage, codec.ErrCorrupt, the
	// context's, and that of f. Cost: all keys are read, and no values.
	Sizes(ctx context.Context, f func(SizeInfo) error) error

	// Shape is what the store looks like now. Errors: ErrClosed.
	Shape() (ShapeInfo, error)
}
