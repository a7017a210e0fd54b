package statecell

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Cells are the cells of one run. It is a small value: copy it freely. Made from a run or a view it
// is safe for concurrent use; made from a transaction it shares the transaction's rules.
type Cells struct {
	scope  txn.Scope
	guards Guards
}

// New returns the primitive over a scope, without guards: a transition that names one is refused.
func New(s txn.Scope) Cells { return Cells{scope: s} }

// NewWithGuards returns the primitive over a scope with the guards that machines may name. The map
// must not change any more.
func NewWithGuards(s txn.Scope, guards Guards) Cells { return Cells{scope: s, guards: guards} }

// Cell is one cell by its name. It costs nothing to make, whether the cell exists or not; a name
// that is too long is refused by the operations. Copies and concurrent use are as for Cells.
type Cell struct {
	scope  txn.Scope
	guards Guards
	name   string
}

// Cell returns the cell with a name of any bytes, up to codec.MaxKeySize.
func (x Cells) Cell(name string) Cell {
	return Cell{scope: x.scope, guards: x.guards, name: name}
}

// Name is the cell's name.
func (c Cell) Name() string { return c.name }

// StateOf is what a cell shows, with the value as a T.
type StateOf[T any] struct {
	// Value is the zero T unless Exists.
	Value T
	// Version is the commit version of the last write, a delete included: what CompareAndSwap has
	// to name, also for a cell that was deleted. It never repeats. 0 means that the cell never
	// existed, or, inside a transaction, that the last write is the transaction's own and has no
	// version yet.
	Version uint64
	// Updated is the time of that write's commit. Load tells it; it is zero when Version is 0, and
	// in what every other method returns.
	Updated time.Time
	// Exists is false if the cell was never written, or deleted.
	Exists bool
}

// State is what a cell shows. A value that does not exist is Null.
type State = StateOf[codec.Value]

// List yields the names of the cells that exist and begin with prefix, in byte order, all from one
// version: outside a transaction the one that is published when the iteration begins; inside, the
// transaction's snapshot under its own writes as they are when the iteration begins. An error is
// yielded once and last. The sequence can be iterated again and then looks anew.
//
// Inside a transaction the cells that the iteration went over join the read set. A name that has a
// machine but no value is not listed. Cost: what lies under the prefix; values are not decoded.
func (x Cells) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield("", x.Cell(prefix).wrap("list", err))
			return
		}
		c := x.scope.Scan(ctx, codec.Cells, txn.PrefixRange(prefix))
		defer c.Close()
		for c.Next() {
			if !yield(c.Key(), nil) {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield("", x.Cell(prefix).wrap("list", err))
		}
	}
}

// Count counts the cells that List yields; see there.
func (x Cells) Count(ctx context.Context, prefix string) (int, error) {
	n := 0
	for _, err := range x.List(ctx, prefix) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func checkPrefix(prefix string) error {
	if len(prefix) > codec.MaxKeySize {
		return fmt.Errorf("%w: a prefix of %d bytes, at most %d",
			codec.ErrTooLarge, len(prefix), codec.MaxKeySize)
	}
	return nil
}
