package embedded

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Mode is the durability mode of a database (semantics.md, section 8).
type Mode uint8

const (
	// Batched syncs after SyncInterval or SyncCommits, whichever comes first. The zero Mode.
	Batched Mode = iota
	// Strict returns from a commit, and shows it to readers, when it is on stable storage.
	Strict
	// Async syncs in the background after SyncInterval.
	Async
	// None keeps everything in memory, by the same engine on an in-memory file system.
	None
)

func (m Mode) String() string {
	switch m {
	case Batched:
		return "batched"
	case Strict:
		return "strict"
	case Async:
		return "async"
	case None:
		return "none"
	}
	return "invalid"
}

// Options configure Open. The front door validates what its user gave; zero fields become defaults
// here.
type Options struct {
	// Dir is the database directory; it is created if missing. Ignored in mode None.
	Dir string
	// FS replaces the file system (tests).
	FS vfs.FS
	// Mode, SyncInterval and SyncCommits say when commits reach stable storage. Defaults: 100 ms
	// and 1000 commits when Batched, 1 s and no limit when Async.
	Mode         Mode
	SyncInterval time.Duration
	SyncCommits  int
	// MemoryBudget bounds the memtable in bytes (64 MiB); CacheSize is Pebble's block cache (48 MiB).
	MemoryBudget int64
	CacheSize    int64
	// MinFreeSpace is the free disk space below which commits are refused (64 MiB).
	MinFreeSpace int64
	// Logger receives what an operator may want to know; nil is silence.
	Logger *slog.Logger
	// Clock is the wall clock; nil is the system's.
	Clock func() time.Time
	// SweepInterval is how often expired keys are looked for (1 s); negative: only when asked to.
	SweepInterval time.Duration
	// WriteBuffer is the size of Pebble's memtables; tests make it small. Default: a quarter of
	// CacheSize, to which Pebble charges them, between 8 and 32 MiB. The larger, the less is written
	// by compactions; the longer takes the open after a crash.
	WriteBuffer uint64

	// readGrace is how old a version must be before Prune takes it from reads that hold nothing; 0:
	// half a second, negative: not at all (tests).
	readGrace time.Duration
	// evictEagerly empties the memtable after every commit, as far as open transactions allow (tests).
	evictEagerly bool
	// load is what is worth a load of the hand-over, in bytes; 0: the default. Databases that evict
	// eagerly have no queue unless it is set (tests).
	load int

	_ struct{}
}

const (
	defaultMemoryBudget = 64 << 20
	defaultCacheSize    = 48 << 20
	defaultMinFreeSpace = 64 << 20
	leastWriteBuffer    = 8 << 20
	mostWriteBuffer     = 16 << 20
	// writeBuffers is how many of Pebble's memtables may wait for their flush before writers stall.
	writeBuffers = 3
	// spareCache is what is left of the least cache when all of these are full.
	spareCache = 1 << 20
)

// withDefaults returns a copy with every zero field replaced.
func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Mode == None {
		o.FS, o.Dir = vfs.NewMem(), "none"
	}
	if o.SyncInterval <= 0 {
		o.SyncInterval = 100 * time.Millisecond
		if o.Mode == Async {
			o.SyncInterval = time.Second
		}
	}
	if o.SyncCommits <= 0 {
		o.SyncCommits = 1000
	}
	if o.Mode != Batched {
		o.SyncCommits = 0
	}
	if o.MemoryBudget <= 0 {
		o.MemoryBudget = defaultMemoryBudget
	}
	if o.CacheSize <= 0 {
		o.CacheSize = defaultCacheSize
	}
	if o.WriteBuffer == 0 {
		share := (o.CacheSize - spareCache) / (writeBuffers + 1)
		o.WriteBuffer = uint64(max(leastWriteBuffer, min(mostWriteBuffer, share)))
	}
	// Pebble's own memtables are charged to the cache: a smaller cache would stall every write.
	if floor := int64(o.WriteBuffer)*(writeBuffers+1) + spareCache; o.CacheSize < floor {
		o.CacheSize = floor
	}
	if o.MinFreeSpace <= 0 {
		o.MinFreeSpace = defaultMinFreeSpace
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = systemClock
	}
	if o.readGrace == 0 {
		o.readGrace = defaultReadGrace
	}
	if o.SweepInterval == 0 {
		o.SweepInterval = time.Second
	}
	return o
}
