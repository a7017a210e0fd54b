// Package memtable keeps versions of keys in memory, for an engine that has all of them in a store.
//
// It answers three questions at memory speed: what is the newest version of a key at or below a
// snapshot, which keys lie in a range, and has anything changed since a snapshot. It may forget
// whatever it likes as long as it says Unknown then; the store knows. What it holds per key has no
// pointers, so the garbage collector does not see keys: ten million cost it milliseconds.
//
// # Structure
//
//	Table ── index: 256 shards ──► buckets ──► entry          Get, Newest, Apply
//	  │                                          │
//	  ├── arena: segments of words ◄─────────────┤
//	  │                                          ▼
//	  │                                      record ─► older record ─► ...
//	  ├── write log (linked per scope)                        WritesSince
//	  │
//	  └── Scope ── order per primitive: serial ──► entry      Scan
//	                 base (rising keys) + tree (the others)
//
// Arena (segment.go): segments of 1 MiB, []uint64 on the Go heap, filled in append order. A word is
// named by a 48-bit offset, segment number above, word below; offsets are never reused. A segment
// is given back as a whole, by dropping the directory's pointer to it: the garbage collector frees
// it when the last value that was handed out from it is gone. What needs more than a quarter of a
// segment gets one of its own.
//
//	entry   head 8 | stamp 8 | scope 5, primitive 1, key length 2 | serial 8 | key, padded
//	record  version 8 | older 6, flags and value length 2 | [length 8] [expiry 8] [stamp 8]
//	        | value, padded
//	item    entry record                               a key's first version
//	        mark and offset of the entry 8 | record    each later one
//
// Index (index.go): one cache line per bucket, 7 slots with a tag byte each. Readers take no lock.
// A shard grows alone. A key is hashed once per operation, with its scope and primitive.
//
//	control   tag tag tag tag tag tag tag | overflow 1 bit, referenced 7 bits
//	7 slots   hash 2 | offset of the entry 6
//
// Orders (order.go, guide.go, tree.go, leaf.go): a key costs one serial, 8 bytes, until a scan
// wants more. Keys that arrive in rising order stay like that. The others form a tail that the
// first scan, or the 1025th key of it, turns into a tree of leaves; from then on the writer keeps
// the tree up by appending to leaves. So no call ever sorts more than a thousand keys. Entries are
// named by serial in it, and moving an entry changes one word of the serial table. Scans that
// search among the rising keys leave a guide there, half a byte per key.
//
// Memory per key over key and value: about 80 bytes, and 16 to 20 more in trees.
//
// # Concurrency
//
// One writer at a time: the caller holds a lock of its own around everything marked Writer. Any
// number of readers beside it, lock-free. Methods marked Writer are StampAt, Newest, Apply, Admit,
// WritesSince, Forget, Evict, NewScope, DropScope, MarkCold; all others are for any goroutine.
//
// The one lock of the package is order.building. A scan holds it while it turns a tail into a tree
// or makes a guide longer, the writer while it adds to a tail that is no tree yet, at most for the
// sort of lazyTail keys. Nothing else is locked under it.
//
// The writer publishes by atomic stores and in this order; readers load against it.
//
//	new key      item, then serial, order, index tag
//	new version  record, then entry.head, then entry.stamp
//	move         copy, then serial, index slot, then the original is dead, then its segment may go
//	eviction     scope's complete mark, then index tag, serial, stamp = dead, then its segment may go
//	growth       new buckets in full, then the shard's pointer
//
// A reader that is led to a segment that is gone was overtaken; it looks the key up again, and
// finds it elsewhere or not at all. The caller publishes a commit's version when all of it was
// applied, and readers never ask for a version above the published one, so they see no half commit.
//
// # Invariants
//
//  1. immutable: a word of the arena does not change once an offset that leads to it was published,
//     but for entry.head, entry.stamp, and the owner of an item that no reader looks at.
//  2. absent-is-old: a key that is not in memory has no version above the horizon of the last
//     Evict, if it was written since its scope was made. Horizons are the oldest snapshot of an
//     open read-write transaction; so such a transaction never needs the store to be validated.
//  3. mark-before-removal: the complete mark of a scope is taken away before an entry of it is. So
//     a reader that misses a key and then finds the mark knows that the key does not exist, and a
//     cursor that reads an entry and then finds the mark knows that it skipped nothing.
//  4. newest-is-whole: the newest record of an entry in the index is in memory. Older ones may be
//     gone with their segments; then the chain ends in Unknown. So it does at flagCut, the end of
//     what was taken over when the past of the key was not known, and after maxHops.
//  5. not-newer-outside: Admit takes nothing that was read before a version that has come and gone,
//     so the newest record in memory is the newest there is.
//  6. live: segment.live counts the words of its living entries and of newest records, so a
//     segment with live 0 holds nothing that a reader could not get elsewhere.
//
// 2 and 3 are asserted under -tags invariants; 4 and 6 by verify, which the model test calls after
// each step; 5 and all of them together by the model test's judgement of every answer.
//
// # Eviction
//
// Memory is freed by emptying segments. Garbage first (superseded versions, dropped scopes): a
// segment a quarter of which is dead is emptied by moving the rest, which costs no scope anything.
// Then the entries of scopes that were marked cold; then the oldest segment, where an entry that
// was used since the last visit gets a second chance, up to half of the segment. Moving an entry
// takes its newest version along and leaves older ones behind. See evict.go and compact.go.
package memtable
