package txn

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
)

// Stats count transactions since open: those of Update and Begin, every attempt of an Update as
// one. Direct operations and views are not counted here; the authority counts every commit.
// Started = Committed + all causes of abort + Active, but for what happens during the call.
type Stats struct {
	Started   uint64
	Committed uint64
	Active    int64
	Retries   uint64 // attempts of Update after the first

	Conflicts  uint64 // aborted: a read, range or condition no longer held
	TooOld     uint64 // aborted: ended to free memory
	NotActive  uint64 // aborted: a run was not active, or gone
	Contexts   uint64 // aborted: deadline or cancellation
	Function   uint64 // aborted: the function returned an error or panicked
	Failures   uint64 // aborted: anything else, such as a storage failure or a closed database
	RolledBack uint64 // ended by Rollback
	Abandoned  uint64 // begun by hand and dropped without Commit or Rollback
}

// cause says why a transaction ended.
type cause int

const (
	committed cause = iota
	lostConflict
	tooOld
	notActive
	contextDone
	functionFailed
	commitFailed
	rolledBack
	abandoned
	causes
)

type counters struct {
	started, retries atomic.Uint64
	active           atomic.Int64
	ended            [causes]atomic.Uint64
}

func (c *counters) begin() {
	c.started.Add(1)
	c.active.Add(1)
}

func (c *counters) end(why cause) {
	c.active.Add(-1)
	c.ended[why].Add(1)
}

// causeOf sorts a failed commit.
func causeOf(err error) cause {
	switch {
	case errors.Is(err, backend.ErrConflict):
		return lostConflict
	case errors.Is(err, backend.ErrTxnTooOld):
		return tooOld
	case errors.Is(err, backend.ErrScopeNotActive), errors.Is(err, backend.ErrScopeGone):
		return notActive
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return contextDone
	}
	return commitFailed
}

// Stats returns the counters. Cheap, not a consistent cut.
func (m *Manager) Stats() Stats {
	c := &m.count
	of := func(why cause) uint64 { return c.ended[why].Load() }
	return Stats{
		Started: c.started.Load(), Committed: of(committed),
		Active: c.active.Load(), Retries: c.retries.Load(),
		Conflicts: of(lostConflict), TooOld: of(tooOld), NotActive: of(notActive),
		Contexts: of(contextDone), Function: of(functionFailed), Failures: of(commitFailed),
		RolledBack: of(rolledBack), Abandoned: of(abandoned),
	}
}
