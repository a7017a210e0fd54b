// Package crashtest holds the tests that treat a database badly, on real files and through the
// public API only: processes that are killed, files that are damaged, disks that are full, second
// owners, and values, transactions and data sets at and beyond their limits.
//
// The test binary starts itself again as a child (main_test.go). What a child was promised it
// writes to a pipe, so that the promise outlives it; the parent keeps the ledger and holds the
// database to it.
//
// Long forms: INMEM_LONG=1, and INMEM_CRASH_ROUNDS=n for n rounds of killing.
package crashtest
