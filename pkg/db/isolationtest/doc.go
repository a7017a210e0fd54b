// Package isolationtest lets many clients work on few keys of a database at once, writes down what
// each of them saw, and has internal/isolation judge it: docs/isolation.md.
//
// Lists are kept as values, in cells, and as the event log; registers as keys and cells, with
// deletes, compare-and-set, and scans over ranges of them. Transactions work on one run or several,
// through Update with its retries, Begin, views of now and of the past, and operations of their
// own; runs are forked meanwhile, and their forks written to.
//
// Long form: INMEM_ISOLATION_SECONDS=n, for n seconds per mode and level (make isolation).
package isolationtest
