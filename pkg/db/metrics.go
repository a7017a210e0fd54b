package inmem

import "time"

// Metrics are counters since Open, a snapshot that is cheap and not a consistent cut. Sizes are in
// bytes.
type Metrics struct {
	// Started, Committed and Active count transactions: those of Update (each attempt), Begin,
	// BeginRun and End. Direct operations and views are not among them.
	// Started = Committed + Active + RolledBack + Abandoned + all causes of abort.
	Started, Committed uint64
	Active             int64
	// Retries are the attempts of Update after the first.
	Retries uint64
	// AbortedByConflict counts lost conflicts.
	AbortedByConflict uint64
	// AbortedByAge counts ErrTxnTooOld.
	AbortedByAge uint64
	// AbortedByStatus counts ErrRunNotActive and ErrRunNotFound.
	AbortedByStatus uint64
	// AbortedByContext counts ErrTimeout and ErrCanceled.
	AbortedByContext uint64
	// AbortedByFunction counts functions that returned an error or panicked.
	AbortedByFunction uint64
	// AbortedByFailure counts everything else: ErrStorage, ErrClosed...
	AbortedByFailure uint64
	// RolledBack and Abandoned count transactions of Begin that were ended by Rollback, and that
	// were dropped without Commit or Rollback.
	RolledBack, Abandoned uint64

	// Commits are the commits of all kinds that took a version, direct writes included; Empty are
	// those that had nothing to write and took none.
	Commits, Empty uint64
	// Conflicts were refused because a read, range or condition no longer held; Refused for any
	// other reason.
	Conflicts, Refused uint64
	// Expired are the keys that the sweeper deleted.
	Expired uint64

	// BytesLogged is the size of all commits, each as if it were alone in the log: small ones that
	// come together share keys there, and take less.
	BytesLogged uint64
	// Syncs is the number of syncs, SyncTime what they took together, SlowestSync the longest.
	Syncs                 uint64
	SyncTime, SlowestSync time.Duration

	// MemoryHits are the gets answered from memory (an estimate), StoreReads those that went to
	// the store.
	MemoryHits, StoreReads uint64
	// MemoryBytes and MemoryKeys are the recent data in memory; Spilled counts entries that had to
	// leave it.
	MemoryBytes, MemoryKeys int64
	Spilled                 uint64
	// HistoryKeys and HistoryBytes are the entries of the store, and their bytes, that Replay,
	// History and the like went over.
	HistoryKeys, HistoryBytes uint64
	// Pruned are the records that retention has removed, PrunedBytes their keys and values before
	// compression.
	Pruned, PrunedBytes uint64
	// StoreBytes is the size of the database on disk.
	StoreBytes int64

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
		MemoryKeys: s.MemtableKeys, Spilled: s.Spilled, HistoryKeys: s.HistoryKeys,
		HistoryBytes: s.HistoryBytes, Pruned: s.Pruned, PrunedBytes: s.PrunedBytes,
		StoreBytes: s.StoreBytes,
	}
}
