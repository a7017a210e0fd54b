package txn

import (
	"iter"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// What follows is for primitives that find keys by other means than Get and Scan, such as an index
// in memory: they read what is committed, lay over it what the transaction wrote itself, and say
// what they have read.

// Handle is the authority's handle of the scope; nil if no run is named.
func (s Scope) Handle() *backend.Scope { return s.s }

// At is the version that a read would come from now: the snapshot of a transaction, the version of
// a view, else what is published. Errors: ErrTxnDone and the like, where nothing can be read.
func (s Scope) At() (uint64, error) { return s.version() }

// Beneath returns a read-only scope of what is committed at the version that this one shows: of a
// transaction its snapshot, without its own writes, and for as long as it lasts. Reading it leaves
// no trace in the read set. Errors: those of At.
func (s Scope) Beneath() (Scope, error) {
	at, err := s.version()
	if err != nil {
		return Scope{}, err
	}
	if s.tx == nil {
		return s.Snapshot(), nil
	}
	s.view = &View{m: s.m, at: at, now: s.tx.now, only: true}
	s.tx = nil
	return s, nil
}

// Pending yields what the transaction itself has written in a range, in the order of keys, as it is
// when the iteration begins; deletes too, with an Entry that does not exist. Nothing outside of a
// transaction.
func (s Scope) Pending(p codec.Primitive, r Range) iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		if s.tx == nil || s.s == nil || s.tx.usable() != nil {
			return
		}
		own := s.tx.writes.scan(s.s.Number, p, r)
		defer own.close()
		for w := own.peek(); w != nil; w = own.peek() {
			key, e := w.Key, pending(w)
			own.skip()
			if !yield(key, e) {
				return
			}
		}
	}
}

// ReadRange tells a Serializable transaction that all keys of a range were looked at, as Scan does
// by itself. Everywhere else it does nothing.
func (s Scope) ReadRange(p codec.Primitive, r Range) {
	if s.tx != nil && s.tx.options.Isolation == Serializable {
		s.GuardRange(p, r)
	}
}

// GuardRange demands, whatever the isolation, that nobody has written into a range between the
// transaction's snapshot and its commit. Outside of a transaction it does nothing.
func (s Scope) GuardRange(p codec.Primitive, r Range) {
	if s.tx == nil || s.s == nil || s.tx.usable() != nil {
		return
	}
	s.tx.touch()
	r.Reverse = false
	s.tx.ranges.add(backend.RangeRead{Scope: s.s, Primitive: p, Range: r})
}
