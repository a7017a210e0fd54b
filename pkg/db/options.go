package inmem

import (
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/inmem-db/inmem/pkg/txn"
)

// Durability says when a commit is on stable storage.
type Durability uint8

const (
	// Strict: when the commit returns. Concurrent commits share one sync. No reader ever sees what
	// a power cut can take away.
	Strict Durability = iota + 1
	// Batched: after Options.SyncInterval or Options.SyncCommits, whichever comes first, also when
	// the database is idle. A crash takes at most what came after the last sync, and always a
	// suffix of the commits. The default.
	Batched
	// Async: in the background, every Options.SyncInterval.
	Async
	// None: never. The database lives in memory and ends with Close; everything else works.
	None
)

// String is the mode in lower case.
func (d Durability) String() string {
	switch d {
	case Strict:
		return "strict"
	case Batched:
		return "batched"
	case Async:
		return "async"
	case None:
		return "none"
	}
	return fmt.Sprintf("Durability(%d)", uint8(d))
}

// Retry is how often and how fast Update tries again after a conflict.
type Retry = txn.Retry

// Options configure Open. A zero field takes its default, so does a nil *Options. Open works on a
// copy and reports all faults at once.
type Options struct {
	// What the database promises.

	// Durability is the mode; default Batched.
	Durability Durability
	// SyncInterval is the longest time a commit waits for its sync. Default 100 ms when Batched,
	// 1 s when Async; without effect otherwise.
	SyncInterval time.Duration
	// SyncCommits is the number of commits that trigger a sync earlier. Default 1000; Batched only.
	SyncCommits int
	// Retry is the policy of Update. Default: 3 retries, 10 ms doubling up to 100 ms, full jitter.
	// A policy whose Max is 0 never retries.
	Retry *Retry
	// MaxTxnBytes bounds the keys and values that one transaction writes. Default 64 MiB, at most
	// 1 GiB. What a transaction reads has no bound: its read set takes about 100 bytes and the key
	// for each key that was read or scanned over, outside of MemoryBudget.
	MaxTxnBytes int64
	// MaxTxnWrites bounds the number of keys that one transaction writes, index entries of the
	// primitives included, and of events that it appends. Default 100,000.
	MaxTxnWrites int
	// Guards are functions that the state machines of cells ask by name before a transition. The
	// map is copied. Default: none; a transition that names a missing one is refused.
	Guards Guards

	// RetentionInterval is how often the policies of SetRetention are carried out while the database
	// is open. Default one minute; negative: only by ApplyRetention. Without a policy nothing is done.
	RetentionInterval time.Duration

	// Inspect says whether other processes may look at the database while it is open; see Inspect.
	// Default InspectNever.
	Inspect Inspection

	// What it costs.

	// MemoryBudget bounds the memory for recent data, in bytes. Data beyond it is read from disk;
	// the meaning of nothing changes. Default 64 MiB, at least 1 MiB. Not counted are the sets of
	// open transactions, what they read and are about to write, VectorMemory and CacheSize.
	MemoryBudget int64
	// VectorMemory bounds the memory of all indexes of vectors together, in bytes. Those that were
	// not searched for longest give way, and are made again when they are searched. Default 1 GiB.
	VectorMemory int64
	// CacheSize bounds the cache of disk blocks, in bytes. Default 48 MiB; a value below
	// about 33 MiB is raised to it.
	CacheSize int64
	// MinFreeSpace is the free disk space, in bytes, below which commits are refused with
	// ErrNoSpace. Default 64 MiB.
	MinFreeSpace int64

	// What it tells.

	// Logger receives what an operator may want to know. Default: silence.
	Logger *slog.Logger

	_ struct{}
}

// withDefaults returns a complete copy.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Durability == 0 {
		c.Durability = Batched
	}
	if c.SyncInterval == 0 {
		c.SyncInterval = 100 * time.Millisecond
		if c.Durability == Async {
			c.SyncInterval = time.Second
		}
	}
	if c.SyncCommits == 0 {
		c.SyncCommits = 1000
	}
	if c.RetentionInterval == 0 {
		c.RetentionInterval = time.Minute
	}
	if c.Retry == nil {
		c.Retry = txn.DefaultRetry()
	} else {
		policy := *c.Retry // its owner may change it
		c.Retry = &policy
	}
	c.Guards = maps.Clone(c.Guards) // they are asked while their owner may change the map
	setDefault(&c.MaxTxnBytes, txn.DefaultMaxBytes)
	if c.MaxTxnWrites == 0 {
		c.MaxTxnWrites = txn.DefaultMaxWrites
	}
	setDefault(&c.MemoryBudget, 64<<20)
	setDefault(&c.VectorMemory, 1<<30)
	setDefault(&c.CacheSize, 48<<20)
	setDefault(&c.MinFreeSpace, 64<<20)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault(field *int64, value int64) {
	if *field == 0 {
		*field = value
	}
}

// The bounds of options, in bytes. A transaction goes to the log as one record, whose length has 32
// bits; below the least budget what one commit needs would not fit.
const (
	mostTxnBytes = 1 << 30
	leastMemory  = 1 << 20
)

// validate names every rule that the options break.
func (o *Options) validate(path string) error {
	var faults []string
	fault := func(broken bool, format string, args ...any) {
		if broken {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	fault(path == "" && o.Durability != None, "path is empty")
	fault(o.Durability > None, "Durability is %v", o.Durability)
	fault(o.Inspect > InspectBySocket, "Inspect is %d", o.Inspect)
	fault(o.Inspect == InspectBySocket && o.Durability == None,
		"Inspect: there is nothing on disk to look at with Durability %v", o.Durability)
	fault(o.Inspect == InspectBySocket && runtime.GOOS == "windows",
		"Inspect: there are no sockets in directories on Windows")
	fault(o.SyncInterval < 0, "SyncInterval %v is negative", o.SyncInterval)
	fault(o.SyncCommits < 0, "SyncCommits %d is negative", o.SyncCommits)
	fault(o.MaxTxnBytes < 0, "MaxTxnBytes %d is negative", o.MaxTxnBytes)
	fault(o.MaxTxnBytes > mostTxnBytes, "MaxTxnBytes %d is over the limit of %d (1 GiB)",
		o.MaxTxnBytes, mostTxnBytes)
	fault(o.MaxTxnWrites < 0, "MaxTxnWrites %d is negative", o.MaxTxnWrites)
	fault(o.MemoryBudget < 0, "MemoryBudget %d is negative", o.MemoryBudget)
	fault(o.MemoryBudget >= 0 && o.MemoryBudget < leastMemory,
		"MemoryBudget %d is under the least of %d (1 MiB)", o.MemoryBudget, leastMemory)
	fault(o.VectorMemory < 0, "VectorMemory %d is negative", o.VectorMemory)
	fault(o.CacheSize < 0, "CacheSize %d is negative", o.CacheSize)
	fault(o.MinFreeSpace < 0, "MinFreeSpace %d is negative", o.MinFreeSpace)
	for _, name := range slices.Sorted(maps.Keys(o.Guards)) {
		fault(name == "" || o.Guards[name] == nil, "guard %q has no name or no function", name)
	}
	faults = append(faults, retryFaults(o.Retry)...)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: options: %s", ErrInvalidArgument, strings.Join(faults, "; "))
}

func retryFaults(r *Retry) (faults []string) {
	if r == nil {
		return nil
	}
	if r.Max < 0 {
		faults = append(faults, fmt.Sprintf("Retry.Max %d is negative", r.Max))
	}
	if r.Base < 0 {
		faults = append(faults, fmt.Sprintf("Retry.Base %v is negative", r.Base))
	}
	if r.Cap < 0 {
		faults = append(faults, fmt.Sprintf("Retry.Cap %v is negative", r.Cap))
	}
	return faults
}
