package inmem

import "time"

// Metrics are counters since Open, a snapshot that is cheap and not a consistent cut. Sizes are in
// bytes.
type Metrics struct {
	// Transactions: those of Update (each attempt), Begin, BeginRun and End. Direct operations and
	// views are not among them. Started = Committed + Active + the causes of abort.
	Started   uint64
	Committed uint64
	Active    int64
	Retries   uint64 // attempts of Update after the first

	AbortedByConflict uint64
	AbortedByAge      uint64 // ErrTxnTooOld
	AbortedByStatus   uint64 // ErrRunNotActive, ErrRunNotFound
	AbortedByContext  uint64 // ErrTimeout, ErrCanceled
	AbortedByFunction uint64 // the function returned an error or panicked
	AbortedByFailure  uint64 // anything else: ErrStorage, ErrClosed...
	RolledBack        uint64 // by Rollback
	Abandoned         uint64 // dropped without Commit or Rollback

	// Commits of all kinds, direct writes included, as the engine saw them.
	Commits   uint64 // took a version
	Empty     uint64 // had nothing to write and took none
	Conflicts uint64 // refused: a read, range or condition no longer held
	Refused   uint64 // refused for any other reason
	Expired   uint64 // keys that the sweeper deleted

	// The log.
	BytesLogged uint64
	Syncs       uint64
	SyncTime    time.Duration // all syncs together
	SlowestSync time.Duration

	// Memory and disk.
	MemoryHits  uint64 // gets answered from memory (an estimate)
	StoreReads  uint64 // gets that went to the store
	MemoryBytes int64  // recent data in memory
	MemoryKeys  int64
	Spilled     uint64 // entries evicted from memory
	StoreBytes  int64  // size of the database on disk

	_ struct{}
}

// Metrics returns the counters.
func (d *DB) Metrics() Metrics {
	t, s := d.m.Stats(), d.b.Stats()
	return Metrics{
		Started: t.Started, Committed: t.Committed, Active: t.Active, Retries: t.Retries,
		AbortedByConflict: t.Conflicts, AbortedByAge: t.TooOld, AbortedByStatus: t.NotActive,
		AbortedByContext: t.Contexts, AbortedByFunction: t.Function,
		AbortedByFailure: t.Failures, RolledBack: t.RolledBack, Abandoned: t.Abandoned,

		Commits: s.Commits, Empty: s.ReadOnly, Conflicts: s.Conflicts, Refused: s.Refused,
		Expired: s.Expired,

		BytesLogged: s.BytesLogged, Syncs: s.Syncs, SyncTime: s.SyncTime,
		SlowestSync: s.SlowestSync,

		MemoryHits: s.MemtableHits, StoreReads: s.StoreReads, MemoryBytes: s.MemtableBytes,
		MemoryKeys: s.MemtableKeys, Spilled: s.Spilled, StoreBytes: s.StoreBytes,
	}
}
