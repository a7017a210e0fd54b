package inmem

import (
	"context"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Hooks are what tests replace below a database.
type Hooks struct {
	Backend backend.Backend
	Epoch   uint64 // which open of the database this is; default 1
	Sleep   func(context.Context, time.Duration) error
	Int64N  func(int64) int64
	// Depth is how deep forks may be before the keeper flattens; 0 for as everywhere.
	Depth int
}

// OpenOn assembles a database over an authority.
func OpenOn(h Hooks, o *Options) (*DB, error) {
	options := o.withDefaults()
	if err := options.validate("test"); err != nil {
		return nil, err
	}
	return assemble(parts{
		path: "test", backend: h.Backend, epoch: max(1, h.Epoch), depth: h.Depth,
		manager: txn.Config{Sleep: h.Sleep, Int64N: h.Int64N},
	}, options), nil
}
