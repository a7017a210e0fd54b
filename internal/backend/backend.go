// Package backend is the one seam under package txn: the contract of a commit authority.
//
// An authority keeps versioned records under scopes and decides, in one total order, which commits
// take place. Everything above this package (transactions, primitives, the front door) is the same
// code for every authority; everything below it (memtable, log, files) is the authority's own.
//
// # The rules every authority keeps
//
//  1. Order. Every commit that writes takes one version, greater than all before it. A version is
//     never handed out twice, also across a crash that lost its commit.
//  2. Visibility. A reader names the version it reads at. Published is the greatest v such that
//     every commit <= v can be read in full; published versions only rise.
//  3. Checks. Conditions, reads, ranges and the status of scopes are checked and the writes take
//     effect as one step: no other commit comes between.
//  4. Prefix. What a crash takes away is a suffix of the commit order, never a hole.
//  5. Failure. After the first storage error nothing more is accepted (ErrStorage), reads go on.
//
// The suite in backendtest holds an authority to these rules.
//
// # Deletion of a scope
//
// A commit that deletes a scope's record, or replaces it by one of another number, deletes the
// scope: every key, version and index entry of it, in that one step. From then on ErrScopeGone is
// the answer to every read of it, at whatever version and through whatever handle, and to every
// commit that writes to it or has read from it. Nothing ever brings it back: its number is not
// given out again, and a new scope under the same record key shares nothing with it.
//
// The space is freed afterwards, in the background and over restarts. So are the older versions of
// the record itself, and of the index entries of the system scope (codec.RunIndex) that the same
// commit deleted: whoever reads these at a version before the deletion may find them or not. The
// record's tombstone stays; those of index entries may go, and the key then reads as one that never
// was. Tail marks what a commit did in the scope as Gone.
//
// A commit of which all scopes are gone, and of which no fork holds copies, may be taken for one
// that never was: CommitRecord and CommitTime know nothing of it, NewestCommit and VersionAt name
// the one before it, Tail passes over it, and the commit behind names that as its Previous. Nothing
// else that can be read depends on it.
//
// # Forks
//
// A scope whose record has a ForkVersion and is not Flattened (codec.ScopeRecord.ReadsThrough)
// reads through its parent: the scope ParentNumber, under the text of the id Parent as its record
// key.
//
//   - What a key shows at version v is the newest record at or below v that the fork wrote
//     itself, a tombstone included. If there is none, it is what the parent shows at v, or at
//     ForkVersion if v is above it; the parent may be a fork too. Such a record is inherited: it
//     has the version, stamp and deadline that it has in the parent, and never changes.
//   - Validation, conditions and deletes see one key space: an inherited record is as good as an
//     own one, and writing its key does not touch the parent. What is written to either side
//     after the fork is invisible to the other, and to other forks.
//   - Commit numbers, sequence numbers and hashes of events, Commits, Journal, Versions and the
//     index by type go on from where they stood in the parent at ForkVersion. Tail tells every
//     commit once, in the scope in which it was made.
//   - The sweeper deletes own records only. An inherited one that has expired reads as such by its
//     deadline, for as long as the fork lives.
//   - The parent may have ended before, and may end, change its status or be written to later.
//     Who deletes a scope through which others read, takes care that they are Flattened first:
//     the answer to reads through a parent that is gone is ErrScopeGone.
//
// A commit that creates a fork costs the same whatever the parent holds. It is refused with
// ErrScopeGone if the parent does not exist, and with codec.ErrInvalidArgument if ForkVersion lies
// above what is published. As long as a scope lives, parent and ForkVersion in its record stay, and
// Flattened is set only after Flatten returned nil.
//
// # Imports
//
// A commit of a run may be the repetition of one that was made in another database: see
// Request.Origin. A scope whose record is of codec.KindImport takes such commits only, whatever its
// status, and no other scope takes them. A commit that makes it a run opens it to all others.
//
// # Retention
//
// Prune sets horizons: per scope and primitive the earliest readable version. Every read of that
// primitive at a version below, but 0, answers *PrunedError from then on, for ever and after every
// crash; at and above it every read is as it was. Once a horizon is set, what can only be read
// below it is removed: of each key all versions but the newest one at or below the horizon (a
// tombstone may be that) and those above it. So a key's newest record always stays, and no event
// ever goes. The journal has a horizon of its own, the least of all primitives that can be pruned:
// Commits answers *PrunedError below it, and Tail marks what lies below it.
//
// A horizon never rises above the version of a Retention, of an open transaction's snapshot, or of
// a fork that reads through the scope, or through a fork of it. Which comes first, a Retention or a
// Prune, is decided under one lock: a Retention is refused, or holds.
//
// # Bytes
//
// One rule for all byte slices and strings that cross this seam: they are immutable from the moment
// they are handed over, in both directions, and stay valid as long as somebody holds them. A caller
// that wants to reuse a buffer copies first; so does an authority.
package backend

import (
	"context"
	"iter"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Scope is a handle to one scope: a run, a shared namespace, or the system scope.
//
// Number addresses its keys. Record is the user key of the scope's record in the system scope
// (primitive codec.ScopeRecords); it is empty for the system scope, which is always writable. The
// authority keeps what it knows of the scope in Cache; nobody else touches that field, and a
// handle that one authority has seen is never given to another. A handle is safe for concurrent
// use, costs no resource that must be given back, and never expires: after the scope's deletion it
// answers ErrScopeGone.
//
// Imported is for the layers above: the history of the scope may have imported commits, whose times
// are not those of this database. An authority does not look at it.
type Scope struct {
	Number   codec.Scope
	Record   string
	Imported bool
	Cache    Cache
}

// Reader reads records. All methods are safe for concurrent use and never wait for a writer.
type Reader interface {
	History

	// Get returns the newest record of a key that lies at or below version at.
	// The zero Record (Version 0) means that the key did not exist there. A deleted key yields its
	// tombstone. Expiry is not judged here: the caller compares Record.Expiry with its own clock.
	// No allocation when the record is in memory.
	// Errors: ErrStorage or codec.ErrCorrupt when the store cannot be read, ErrClosed, ErrScopeGone,
	// *PrunedError below the primitive's horizon, and the context's error when a disk read is needed
	// and ctx is done.
	Get(ctx context.Context, s *Scope, p codec.Primitive, key string, at uint64) (Record, error)

	// GetPlain is Get for what most reads meet: the value of a key that exists, has no deadline and
	// was written as a commit of this database at the version returned (its stamp), or the certainty
	// that it never existed (version 0); hint is that of the Record. Below what is published only: a
	// higher at means the newest that is. Whatever is not so simple, or not in memory, or what the
	// authority does not like to tell, is not ok, and Get answers. It never waits and has no error.
	GetPlain(s *Scope, p codec.Primitive, key string, at uint64) (
		value []byte, version, hint uint64, ok bool)

	// Scan walks the newest records at or below version at of every key in r, in key order or, with
	// r.Reverse, against it. Tombstones are passed over; expiry is not judged here. The cursor must
	// be closed. It is not safe for concurrent use, but any number of cursors may be open.
	Scan(ctx context.Context, s *Scope, p codec.Primitive, r Range, at uint64) Cursor

	// CommitRecord returns the record of the commit at exactly this version; its Version is 0 when
	// no commit carries it (a gap, or the future).
	CommitRecord(ctx context.Context, version uint64) (codec.CommitRecord, error)

	// CommitTime returns the time of the commit at exactly this version, in Unix nanoseconds; 0 when
	// no commit carries it. Cost: some loads for a recent commit, a read of the store for others.
	CommitTime(ctx context.Context, version uint64) (int64, error)

	// Commits tells how far the history of a scope reaches at or below version at. It is derived
	// from the scope's journal, so it is exact after every crash. For the system scope it counts
	// the commits that wrote records in it. Cost: a few reads of the store, the logarithm of the
	// number of commits, whatever at is. Errors: those of Get, *PrunedError among them for a version
	// below the horizon of the journal.
	Commits(ctx context.Context, s *Scope, at uint64) (ScopeCommits, error)

	// Tail yields the commits with version >= from in version order, up to what is published when
	// the walk reaches it, each with the changes of every scope it wrote to. An error is yielded
	// once and last. Cost: what was committed since from, whatever else the store holds.
	Tail(ctx context.Context, from uint64) iter.Seq2[Commit, error]
}

// Backend is a commit authority. All methods are safe for concurrent use.
type Backend interface {
	Reader
	Retainer
	Derived

	// AllocateScope gives out a scope number that was never given out before, also not before a
	// crash. Errors: ErrStorage, ErrReadOnly, ErrClosed.
	AllocateScope(ctx context.Context) (codec.Scope, error)

	// Begin pins the published version for a read-write transaction: until the pin is released the
	// authority can validate reads made at that version. Views need no pin; see Retain.
	// Cost: independent of the size of the store. Errors: ErrClosed.
	Begin() (Pin, error)

	// Commit checks a request and makes its writes take effect as one step. See Request.
	//
	// Errors, all of which mean that nothing was written: *ConflictError (ErrConflict),
	// *ScopeStatusError (ErrScopeNotActive), ErrScopeGone, ErrTxnTooOld, ErrReadOnly, ErrClosed,
	// codec.ErrTooLarge, codec.ErrInvalidArgument, ErrNoSpace (matches ErrStorage, not sticky), and
	// the context's error when ctx is done before the commit has its place in the log.
	// ErrStorage afterwards is sticky; *UnknownOutcomeError wraps it when the commit was handed to the
	// log but the caller cannot be told whether it lasts.
	Commit(ctx context.Context, r *Request) (Outcome, error)

	// Flatten copies all that a fork shows of its ancestors, at every version, into the fork itself,
	// so that a commit that sets Flattened in its record may follow: then the fork needs its parent
	// no more. Nobody sees a difference before, during and after. It may be stopped by a crash or by
	// ctx at any moment, and called again: then it goes on. Of a scope that reads through no parent
	// there is nothing to do. Cost: what is copied, in batches that give way to commits; whatever was
	// copied is in the log before a commit that begins after Flatten has returned.
	// Errors: those of Get, ErrReadOnly, ErrNoSpace.
	Flatten(ctx context.Context, s *Scope) error

	// Published is the version a new reader sees; Durable the greatest version known to be on
	// stable storage. Both are one atomic load. A version that was refused to readers because a sync
	// is under way (strict databases) is in neither.
	Published() uint64
	Durable() uint64

	// Now is the time in Unix nanoseconds by the authority's clock. It never lies behind the newest
	// commit nor an earlier answer: nothing that expired comes back when the wall clock goes back.
	// Callers judge expiry by it, as the authority does.
	Now() int64

	// WaitPublished and WaitDurable return when the version is reached, or with ctx's error,
	// ErrStorage or ErrClosed. Waiting for a version that no commit carries, or that a crash has
	// taken away, is codec.ErrInvalidArgument.
	WaitPublished(ctx context.Context, version uint64) error
	WaitDurable(ctx context.Context, version uint64) error

	// WaitBeyond returns the durable version once it is greater than the given one, which need not
	// be that of a commit. It costs nothing while it waits, and wakes no commit.
	// Errors, if the durable version is not greater: ctx's, ErrStorage, ErrClosed.
	WaitBeyond(ctx context.Context, version uint64) (durable uint64, err error)

	// Flush returns when every commit that took its place before the call is on stable storage.
	Flush(ctx context.Context) error

	// Checkpoint makes a copy of what is committed in a directory that does not exist or is empty,
	// while commits go on. The copy is a closed database of its own, on stable storage, at the
	// version that is returned: at least what was published before the call, and durable here, too.
	// After an error, or a crash, there is no such directory, or it is as empty as it was.
	// Errors: codec.ErrInvalidArgument for a place that is not free or no good, and by an authority
	// that has nothing on disk; ErrLocked while another checkpoint is being made there; ErrStorage,
	// of which the copy's disk may be the cause and the database goes on (ErrNoSpace always is);
	// ErrClosed, and ctx's.
	Checkpoint(ctx context.Context, dir string) (CheckpointInfo, error)

	// Stats returns counters since open. Cheap, not a consistent cut.
	Stats() Stats

	// Close makes everything durable and gives back all resources: goroutines, files, the lock.
	// Commits under way end first, later calls answer ErrClosed. A second Close returns nil.
	Close() error
}

// Pin is a read-write transaction's hold on a version. Not safe for concurrent use.
type Pin interface {
	// Version is the snapshot: all reads of the transaction are made at it.
	Version() uint64
	// Err is ErrTxnTooOld once the authority has taken the pin away to free memory, else nil.
	Err() error
	// Release gives the pin back. Every pin is released once; a pin must not be used afterwards.
	Release()
}

// Durability asks Commit to wait.
type Durability uint8

const (
	// AsMode waits as the database's durability mode says.
	AsMode Durability = iota
	// Durable returns only when the commit is on stable storage, whatever the mode.
	Durable
)

// Commit is one commit as Tail delivers it. A commit of nothing but index entries has no scopes.
type Commit struct {
	codec.CommitRecord
	Scopes []ScopeChanges // in the order of CommitRecord.Scopes
}

// ScopeChanges are the keys that one commit wrote in one scope, in key order, index entries left
// out.
type ScopeChanges struct {
	Scope   codec.Scope
	Number  uint64 // the commit number in the scope: 1, 2, 3...
	Changes []codec.Change
	// Origin says where the commit was made first, if it was imported.
	Origin codec.Origin
	// Gone: the scope was deleted since, and nobody is told any more what the commit changed there;
	// Changes is nil.
	Gone bool
	// Pruned is not 0 if the commit lies below the horizon of the scope's journal, which it then is:
	// retention has removed what tells of the changes, and Changes is nil.
	Pruned uint64
}

// ScopeCommits is the extent of a scope's history. It is zero if the scope has no commit.
type ScopeCommits struct {
	First, Last uint64 // versions of the first commit and of the newest one
	Count       uint64 // the commit number of the newest one: how many there were
}

// Stats are counters since open; sizes are in bytes.
type Stats struct {
	Commits       uint64 // commits that took a version
	ReadOnly      uint64 // commits that wrote nothing and took none
	Conflicts     uint64 // refused: a read, range or condition no longer held
	Refused       uint64 // refused for any other reason
	TooOld        uint64 // pins taken away to free memory
	BytesLogged   uint64 // of commits, each as if it were alone in the log
	Syncs         uint64 // syncs of the log
	SyncTime      time.Duration
	SlowestSync   time.Duration
	MemtableHits  uint64 // gets answered from memory (sampled estimate)
	StoreReads    uint64 // gets that went to the store
	MemtableBytes int64
	MemtableKeys  int64
	Spilled       uint64 // entries evicted from memory
	HistoryKeys   uint64 // entries of the store that Versions and Journal went over
	HistoryBytes  uint64 // and their bytes
	OpenPins      int64
	Expired       uint64 // keys deleted by the sweeper
	Freed         uint64 // deleted scopes whose space was freed
	Unfreed       int64  // deleted scopes whose space is still to be freed
	Pruned        uint64 // records that retention has removed
	PrunedBytes   uint64 // their keys and values, before compression
	StoreBytes    int64  // size of the store on disk
}
