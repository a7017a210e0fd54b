package model

import (
	"maps"
	"slices"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Clone returns a copy of the store that goes its own way, and tells the time with now. Open pins
// and retentions stay behind, and so do the counters.
func (b *Backend) Clone(now func() time.Time) *Backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := New(now)
	c.published, c.reserved, c.scopes = b.published, b.reserved, b.scopes
	if n := len(b.commits); n > 0 {
		c.time = b.commits[n-1].Time
	}
	// Clipped, so that what either adds goes to a place of its own.
	for in, keys := range b.records {
		own := make(map[string][]backend.Record, len(keys))
		for user, chain := range keys {
			keys[user] = slices.Clip(chain)
			own[user] = keys[user]
		}
		c.records[in] = own
	}
	b.commits = slices.Clip(b.commits)
	c.commits = b.commits
	c.numbers, c.logs = maps.Clone(b.numbers), maps.Clone(b.logs)
	c.origins, c.dead = maps.Clone(b.origins), maps.Clone(b.dead)
	c.derived, c.horizons = maps.Clone(b.derived), maps.Clone(b.horizons)
	return c
}

// ReserveScopes has scope numbers begin at next from now on, if it is greater than the one that
// would be next; see Reserve.
func (b *Backend) ReserveScopes(next codec.Scope) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if next > 0 {
		b.scopes = max(b.scopes, next-1)
	}
}

// Reserve has versions begin at next from now on, if it is greater than the one that would be next:
// an authority that was not closed skips those that it may have handed out.
func (b *Backend) Reserve(next uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if next > 0 {
		b.reserved = max(b.reserved, next-1)
	}
}
