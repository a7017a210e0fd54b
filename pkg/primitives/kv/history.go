package kv

import (
	"context"
	"iter"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Past is what a key was from one commit on, until the next.
type Past struct {
	// Version and Written are version and time of the commit.
	Version uint64
	Written time.Time
	// Value is what was written; Null if the commit deleted the key.
	Value codec.Value
	// Expires is the deadline that the value was written with; zero for none. From then on the key
	// was absent, whether or not a sweep has deleted it since.
	Expires time.Time
	// Deleted: the commit deleted the key. Swept: it swept away what had expired before.
	Deleted, Swept bool
}

// History yields what a key was, newest first: one Past for every commit that wrote or deleted it.
// A run shows all that is published when the iteration begins, a view what there was at its
// version, a transaction its snapshot without its own writes. An error is yielded once and last; it
// matches backend.ErrPruned if retention has removed what came before. Breaking out early is fine.
//
// Inside a transaction the key joins the read set. Cost: by what is yielded, and a lookup each for
// the time.
func (k KV) History(ctx context.Context, key string) iter.Seq2[Past, error] {
	return func(yield func(Past, error) bool) {
		p, at := k.place(key)
		for past, err := range k.scope.History(ctx, p, at) {
			found := Past{
				Version: past.Version, Written: time.Unix(0, past.Time), Deleted: past.Deleted,
				Swept: past.Swept,
			}
			if past.Expiry != 0 {
				found.Expires = time.Unix(0, past.Expiry)
			}
			if err == nil && !past.Deleted && !past.Swept {
				found.Value, err = codec.DecodeValue(past.Value)
			}
			if err != nil {
				yield(Past{}, k.wrap("history", key, err))
				return
			}
			if !yield(found, nil) {
				return
			}
		}
	}
}
