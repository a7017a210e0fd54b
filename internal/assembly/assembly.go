// Package assembly lets test support that lies outside of package db put a database together over
// a commit authority of its own: the simulator, on a disk that fails, with a clock that jumps.
//
// Nobody outside of this module reaches it, so the front door shows nothing of it.
package assembly

import (
	"context"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
)

// Parts are what replaces something below a database.
type Parts struct {
	// Backend is the authority; the database closes it.
	Backend backend.Backend
	// Epoch says which open of the database this is, at least 1.
	Epoch uint64
	// Depth is how deep forks may be before they are flattened in the background; 0 for as
	// everywhere.
	Depth int
	// Sleep and Int64N replace sleeping and chance in retries; nil for the real ones.
	Sleep  func(context.Context, time.Duration) error
	Int64N func(int64) int64
}

// Open assembles a database over an authority, as the Open of package db does after it has opened
// its engine. Options are a *inmem.Options or nil, what comes back is a *inmem.DB. Package db sets
// it before main begins; nobody else does.
var Open func(p Parts, options any) (db any, err error)
