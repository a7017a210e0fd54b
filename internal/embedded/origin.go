package embedded

import (
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Commits that were made in another database and are repeated here: the import of a run.
//
// Such a commit takes a version and a time like any other; beside them the journal keeps those that
// it had. What depends on the time of a commit goes by the one that it had: what of it had expired,
// and the times of its events, so that their hashes come out the same.

// judged is the time by which the deletes and expiries of the request are judged, and its events
// dated: now, or the time at which the commit was made first.
func (p *plan) judged(now int64) int64 {
	if p.req.Origin.Version != 0 {
		return p.req.Origin.Time
	}
	return now
}

// admits refuses what a scope does not take in its state. REQUIRES: the commit lock.
func (p *plan) admits(s *planScope) error {
	open := s.state.status == codec.Active && !s.state.importing
	if p.req.Origin.Version != 0 {
		open = s.state.importing
	}
	if open || s.derived && p.req.Origin.Version == 0 {
		return nil
	}
	return &backend.ScopeStatusError{Record: s.handle.Record, Status: s.state.status}
}
