package statecell

import (
	"context"
	"iter"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
)

// History yields what the cell was, newest first: one State, with its time, for every commit that
// wrote or deleted it. A run shows all that is published when the iteration begins, a view what
// there was at its version, a transaction its snapshot without its own writes. An error is yielded
// once and last; it matches backend.ErrPruned if retention has removed what came before. Breaking
// out early is fine.
//
// Inside a transaction the cell joins the read set. Cost: by what is yielded, and a lookup each for
// the time.
func (c Cell) History(ctx context.Context) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		for past, err := range c.scope.History(ctx, codec.Cells, c.name) {
			s := State{
				Version: past.Version, Updated: time.Unix(0, past.Time),
				Exists: !past.Deleted && !past.Swept,
			}
			if err == nil && s.Exists {
				s.Value, err = codec.DecodeValue(past.Value)
			}
			if err != nil {
				yield(State{}, c.wrap("history", err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}
