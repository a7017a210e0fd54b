// Package txn is the transaction layer over a commit authority (internal/backend). It knows keys
// and bytes, and that appended events get theirs late; no other primitive and no storage.
//
// # Scope
//
// Primitives are written once, over Scope: a small struct that reads and writes the keys of one run
// in one of three forms with the same methods.
//
//   - auto-commit (Manager.Scope): every write is a transaction of its own, every read sees what is
//     published when it begins;
//   - inside a transaction (Tx.Scope): reads come from the transaction's snapshot and its own
//     writes, writes are buffered until the commit;
//   - read-only (View.Scope): reads come from one version, writes are refused.
//
// # Isolation
//
// A Tx remembers what it read: the read set, key by key with the version found, absent keys and
// tombstones included, and every key that a scan went over. The commit succeeds only if all of it
// still holds. So point reads are serializable; what Snapshot isolation admits are phantoms, keys
// that another transaction adds to a range which was scanned. Serializable validates the ranges,
// too. What a transaction reads from its own writes is not in its read set, a compare-and-set is a
// condition of its own, and blind writes never conflict. A transaction that wrote nothing is not
// validated: it read one snapshot, and that is the truth at its place in the order.
//
// # Events
//
// An append is no write: it has no key until its commit has a place in the order. So it reads
// nothing and never conflicts. The transaction's own reads show it provisionally, where it would
// lie if nothing came between, under its key and in the index by type. What can conflict is the end
// of a log: a transaction that asked for the head, or got or scanned to where there is no event
// yet, has read that the log ends there. The end of a log is no phantom, it is validated in
// Snapshot isolation, too.
//
// # Hot keys
//
// Transactions that rewrite one key can only commit one after the other. They take turns at it, in
// the order in which they came: with AtomicOn from the start, with Update for every retry, at the
// first key that was lost, and from the first attempt if the transaction begins with the read of a
// key at which others take turns already. It begins then when its turn comes. A turn is advice and
// no lock: whoever takes none goes on, the commit validates as ever, and a turn that lasts longer
// than Config.Turn goes to the next in line. So nobody waits for ever, not even for himself, and
// the worst that can happen is the conflict that would have been without turns.
//
// # Memory
//
// What a transaction writes is bounded by Config. What it reads is not: the read set has an entry
// for every key that was read or scanned over, the scanned ranges one for every range that touches
// no other, and both count outside the authority's memory budget. When the authority takes the pin
// away to free memory, the sets are dropped with the transaction's next operation, which answers
// backend.ErrTxnTooOld as every later one does.
//
// # Time
//
// Expiry is judged once per transaction or view, by the authority's time at its start, so that no
// value vanishes in the middle of one. That time never goes back, so what has expired stays away
// also when the wall clock is set back. Time never orders anything.
//
// # Concurrency
//
// Manager, View, and Scopes made from them are safe for concurrent use. A Tx, its Scopes and its
// Cursors belong to one goroutine at a time. Using any of them after the end is safe: it answers
// ErrTxnDone.
//
// # Bytes
//
// The rule of package backend holds here: keys and values are immutable once they are handed over,
// in both directions.
package txn
