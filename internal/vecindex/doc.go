// Package vecindex keeps collections of vectors in memory, so that a search need not read them all.
//
// The rows in the store are the truth, and the index of a collection is derived from them: made on
// the first search, dropped when memory is short, made again at the next one. Nobody tells it of a
// commit. A search at a version pulls what the scope has committed since the last one, in
// proportion to the changes; so a committed row is always found, and a commit waits for nothing.
//
// # Versions
//
// Every version of a row has a slot with the versions between which it is seen (package vector). An
// index is loaded by one scan at a version, its base; from there on it has everything. A search
// below the base goes over the rows, as they were.
//
// # Forks
//
// A fork that reads through its parent has an index of what it wrote itself, above the version of
// the fork; under it, it searches the index of its parent, as of that version, which all forks
// share. What the fork wrote or deleted is hidden there.
//
// # Invariants
//
//  1. An answer is exactly what a scan of the rows at its version would give, but for rows that a
//     graph does not find: never a row that is not there, a score that is not its own, or fewer
//     hits than there are.
//  2. Whatever the index cannot prove from the journal (retention, a deleted parent) makes it load
//     the rows anew; it never makes it guess.
//  3. Files hold nothing that rows could not give back, and a row decides what is seen.
//
// # Locks
//
// Manager.mu guards the table of indexes; index.gate lets one goroutine load or pull; content.mu
// guards what the puller changes and searches read. They are taken in this order, and nobody who
// holds Manager.mu or content.mu calls the store.
package vecindex
