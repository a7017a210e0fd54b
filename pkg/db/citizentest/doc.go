// Package citizentest holds the tests that use a database badly, from within one process and
// through the public API: what is begun and dropped, values and transactions at and beyond their
// limits, runs of millions of keys, long lines of forks, crowds of watchers, disks that fill up or
// take no writes, calls whose context is done, databases that are closed in the middle of
// everything, and handles that are used after their end. Memory, goroutines and files are counted.
//
// Processes that are killed, stopped, or come second are in package crashtest.
//
// Long forms: INMEM_LONG=1, which make citizens sets.
package citizentest
