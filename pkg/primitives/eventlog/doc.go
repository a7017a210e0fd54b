// Package eventlog is the event log primitive: what happened in a run, in the order in which it
// happened, appended and never changed.
//
// # What it is for
//
// The log is where a run records every input that it could not compute itself: what a tool or a
// model answered, the time, a random number, what a user said. Who executes the run's code again
// takes these inputs from the log instead of from the world, and gets the same run. What is not in
// the log is thereby asserted to follow from what is. So append the answer, not only the question,
// and append it in the transaction that uses it.
//
// Log has one implementation for all three forms of a scope. run.Events() commits every append by
// itself, tx.Events() works inside a transaction, view.Events() is read-only; the methods are the
// same.
//
// # Order
//
// Events are numbered from 0, per run and without gaps. An event gets its number, its time and its
// hash when its commit has its place in the commit order; so concurrent appends never conflict, and
// what is aborted burns no number. Inside a transaction all three are provisional: they are what
// will come out if nobody else appends before the commit, and the transaction's own reads show
// them. A transaction that relies on the end of the log (Len, Head, Verify, an absent Get, an
// iteration that came to the end) conflicts with another one's append; appending alone never does.
//
// There is no way to change or remove an event. An event's type is text of 1 to codec.MaxEventType
// bytes, its payload any codec.Value; floats keep all their bits, NaNs too.
//
// # The chain
//
// Every event carries the hash of the one before it. A hash is the SHA-256 over five fields, each
// after its length in 4 bytes, all integers big-endian:
//
//	00000020 hash of the event before; zeros for event 0
//	00000008 sequence number
//	00000008 time, Unix nanoseconds
//	<length> type
//	00000020 SHA-256 of the encoded payload
//
// The encoding of a payload is deterministic CBOR (see package codec): equal values have equal
// bytes, in whatever order the keys of a map were given. So other programs can compute it again.
// Time is part of the hash; it is the time of the commit, stored, and the same in every replay.
//
// Verify proves that the log is one unbroken chain: an event that was altered, exchanged, removed
// from the middle or slipped in is found, unless all hashes behind it were made anew. It cannot
// prove that the end is still there: what is left of a chain that was cut off is a valid chain. Nor
// can it tell a forger who made all hashes anew, for they are not keyed. Both are found by somebody
// who kept a hash elsewhere: the event with that Seq must still be there and have that Hash, and
// Verify must find the log valid; then nothing up to that event has changed.
//
// # Cost
//
// An append writes the event and its entry in the index of events by type: about what a transaction
// of two KV puts costs. Besides, it takes two SHA-256, that of the payload outside of all locks.
// Get is one lookup. Range and List cost what they yield; Since and Until add a binary search over
// the log, O(log n) lookups. By type all is found through the index: List costs by its hits, Types
// by the number of types, CountType by what it counts. Len costs one seek, Head one more lookup.
// Verify reads and hashes everything.
//
// The index is derived from the log and can be made anew: see VerifyIndex and RebuildIndex. It has
// versions like everything else, so a view of a version before a repair shows what the index was
// then.
package eventlog
