// Package inmem is an embedded database for AI agents: one process, one directory, no server.
//
//	import inmem "github.com/inmem-db/inmem/pkg/db"
//
// # The nouns
//
//   - DB: one database, one directory. Open it, share it between goroutines, Close it.
//   - Run: one execution of an agent, with its own keys. BeginRun starts one, Run finds one again,
//     End closes it for writing; what it wrote stays.
//   - KV: values under keys in a run. run.KV(), tx.KV() and view.KV() have the same methods.
//   - Value: null, bool, int64, float64, string, bytes, array or map. Immutable. Get and Put
//     convert from and to Go types.
//   - Tx: a read-write transaction. Update runs a function in one and retries conflicts.
//   - View: a read-only look at one version.
//   - version: a number that grows with every commit. All keys of a commit carry it;
//     compare-and-set names it.
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
// # Errors
//
// See the table at the errors in this package. Absence is not an error.
//
// # Concurrency
//
// DB, Run, View, and the KV made from them are safe for concurrent use. A Tx belongs to one
// goroutine at a time.
package inmem
