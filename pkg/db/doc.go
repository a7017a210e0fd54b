// Package inmem is an embedded database for AI agents: one process, one directory, no server.
//
//	import inmem "github.com/inmem-db/inmem/pkg/db"
//
// # The places
//
//   - DB: one database, one directory. Open it, share it between goroutines, Close it.
//   - Run: one execution of an agent. Everything that an agent writes belongs to a run. BeginRun
//     starts one, Run finds one again, End closes it for writing; what it wrote stays. Fork makes
//     one that goes on from another one's version; Promote keeps the best of several.
//   - Shared: a namespace that the runs of a tenant, app or agent have in common.
//   - Tx: a read-write transaction on one of these, or over several. Update runs a function in one
//     and retries conflicts. Whatever it writes, in whichever primitives, is one step.
//   - View: a read-only look at one version.
//
// # The six nouns
//
// What a run holds. A Run, a Tx, a View and a Shared hand out the same types from the same methods;
// only where the writes go differs.
//
//   - KV, from KV(): values under keys. Get, Put, PutWithTTL, Delete, CAS, Scan...
//   - Events, from Events(): what happened, in order, hashed into a chain, never changed. Append,
//     Get, List by time or type, Verify. Appends never conflict.
//   - Cell, from Cell(name): one value with a version, for what is read and rewritten. Init, Load,
//     Store, CompareAndSwap, Update; CellOf for Go types; a Machine declares the states it may
//     take, and Fire moves it.
//   - Traces, from Traces(): spans, what the agent did, under what, when, at what price. Start,
//     End, Record, List, Tree, RollupRun.
//   - RunIndex, from DB.Runs(): which runs there are. Query by status, tag, namespace, parent,
//     time; RunRecord, from Record(): one run's status, tags, metadata and lineage.
//   - Vector is to come.
//
// Values are null, bool, int64, float64, string, bytes, array or map; Get, Put and CellOf convert
// from and to Go types. A version is a number that grows with every commit: all keys of a commit
// carry it, and compare-and-set names it. What is missing can be built on Extension.
//
// # Isolation
//
// A transaction reads one snapshot and its own writes, and commits only if every key it read is
// still as it was: otherwise it fails with ErrConflict, naming the keys, and Update runs the
// function again. Blind writes never conflict. Keys that others add to a scanned range pass
// unnoticed, unless TxOptions asks for Serializable. Readers never wait for writers.
//
// # Durability
//
// Options.Durability says when a commit is on stable storage: Strict (before the call returns),
// Batched (at the latest after 100 ms, the default), Async (after a second), None (never: the
// database is in memory). Flush waits for all of it, TxOptions asks for Strict per transaction.
//
// # History
//
// Nothing that was committed is overwritten. At and AtTime show a run, or the whole database, as it
// was; History tells what a key or cell was, Replay everything that happened, Diff where two runs
// parted; Watch goes on with what happens. ExportRun and ImportRun carry a run with its history to
// another database, Checkpoint and Restore the whole. All of it is kept unless SetRetention lets it
// go: then what was removed answers ErrPruned, never something wrong. See docs/retention.md.
//
// # Errors
//
// See the table at the errors in this package. Absence is not an error.
//
// # Concurrency
//
// DB, Run, Shared, View, and the primitives made from them are safe for concurrent use. A Tx, with
// all that was made from it, belongs to one goroutine at a time.
package inmem
