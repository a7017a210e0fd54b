package txn

import (
	"context"
	"iter"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Past is what a key was from one commit on.
type Past struct {
	// Version and Time (Unix nanoseconds) are those of the commit.
	Version uint64
	Time    int64
	// Value is the encoded value that was written, Expiry its deadline in Unix nanoseconds, 0 for
	// none. Nil if the key was deleted.
	Value  []byte
	Expiry int64
	// Swept: what had expired was deleted; Deleted: by somebody.
	Swept, Deleted bool
}

// History yields the versions of a key, newest first, as far as this form shows them: a transaction
// those up to its snapshot, without its own writes; the key then joins the read set. Expiry is not
// judged: a deadline is told and not applied. An error is yielded once and last; it is a
// *backend.PrunedError if retention has removed what came before.
func (s Scope) History(ctx context.Context, p codec.Primitive, key string,
) iter.Seq2[Past, error] {
	return func(yield func(Past, error) bool) {
		at, err := s.version()
		if err == nil {
			err = checkKey(key)
		}
		if err == nil && s.tx != nil {
			_, err = s.tx.get(ctx, s.s, p, key)
		}
		if err != nil {
			yield(Past{}, err)
			return
		}
		for r, err := range s.m.b.Versions(ctx, s.s, p, key, at) {
			past := Past{
				Version: r.Version, Value: r.Value, Expiry: r.Expiry,
				Swept: r.Deleted && r.Stamp != r.Version, Deleted: r.Deleted && r.Stamp == r.Version,
			}
			if err == nil {
				past.Time, err = s.CommitTime(ctx, r.Version)
			}
			if err != nil {
				yield(Past{}, ContextError(err))
				return
			}
			if !yield(past, nil) {
				return
			}
		}
	}
}
