package txn

import (
	"context"
	"sync"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Commits that were imported have two times: that of the commit here, and that of the commit that
// it repeats. What a run shows of its past goes by the second: its times, and what had expired.
// Scope.Imported says of which runs this has to be asked; it costs all others a look at that field.

// originAt is the origin of the newest commit of a scope, or of its lineage, at or below a version,
// and the version that it has here. Zeros if there is none, or it was made here.
func (m *Manager) originAt(
	ctx context.Context, s *backend.Scope, at uint64,
) (o codec.Origin, version uint64, err error) {
	if !s.Imported {
		return o, 0, nil
	}
	c, err := m.b.Commits(ctx, s, at)
	if err != nil || c.Count == 0 {
		return o, 0, ContextError(err)
	}
	r := backend.JournalRange{From: c.Count, At: at}
	for e, err := range m.b.Journal(ctx, s, r) {
		return e.Origin, e.Version, ContextError(err)
	}
	return o, 0, nil
}

// timeIn is the time by which a view of the past at a version judges expiry in a scope: now, that
// of the newest commit of the database at or below it; but if the newest commit of the scope was
// imported, the time which that one had.
func (m *Manager) timeIn(
	ctx context.Context, s *backend.Scope, at uint64, now int64,
) (int64, error) {
	o, _, err := m.originAt(ctx, s, at)
	if o.Version != 0 {
		now = o.Time
	}
	return now, err
}

// times are those that a view of the past of the whole database has found for imported runs.
type times struct {
	mu    sync.Mutex
	found map[codec.Scope]int64 // guarded by mu
}

// judge is the time by which the scope's view judges expiry in it.
func (s Scope) judge(ctx context.Context) (int64, error) {
	v := s.view
	if !s.s.Imported || v.hold == nil || v.only {
		return v.now, nil
	}
	v.times.mu.Lock()
	defer v.times.mu.Unlock()
	if t, ok := v.times.found[s.s.Number]; ok {
		return t, nil
	}
	t, err := s.m.timeIn(ctx, s.s, v.at, v.now)
	if err != nil {
		return 0, err
	}
	if v.times.found == nil {
		v.times.found = map[codec.Scope]int64{}
	}
	v.times.found[s.s.Number] = t
	return t, nil
}

// VersionAt returns the greatest version of a scope whose commit time is at or before a time in
// Unix nanoseconds; 0 if there is none. For imported commits the time which they had counts; behind
// the last of them it is the database's. Errors: those of the storage, backend.ErrPruned.
// Cost: the logarithm of the number of versions, in seeks.
func (m *Manager) VersionAt(ctx context.Context, s *backend.Scope, time int64) (uint64, error) {
	version, err := m.b.VersionAt(ctx, time)
	if err != nil || s == nil || !s.Imported {
		return version, ContextError(err)
	}
	last, err := m.imported(ctx, s)
	if err != nil {
		return 0, ContextError(err)
	}
	// Commit low is imported and at or before the time, commit high is imported and after it, or
	// the first that was made here.
	var low, high, found uint64 = 0, last + 1, 0
	for high-low > 1 {
		middle := low + (high-low)/2
		r := backend.JournalRange{From: middle, At: m.b.Published()}
		for e, err := range m.b.Journal(ctx, s, r) {
			if err != nil {
				return 0, ContextError(err)
			}
			if e.Judged() <= time {
				low, found = middle, e.Version
			} else {
				high = middle
			}
			break
		}
	}
	if low == last {
		found = max(found, version)
	}
	return found, nil
}

// imported is how many commits of a scope were imported: they are its first.
func (m *Manager) imported(ctx context.Context, s *backend.Scope) (uint64, error) {
	at := m.b.Published()
	c, err := m.b.Commits(ctx, s, at)
	if err != nil {
		return 0, err
	}
	var low, high uint64 = 0, c.Count + 1 // commit low was imported, commit high was made here
	for high-low > 1 {
		middle := low + (high-low)/2
		for e, err := range m.b.Journal(ctx, s, backend.JournalRange{From: middle, At: at}) {
			if err != nil {
				return 0, err
			}
			if e.Origin.Version != 0 {
				low = middle
			} else {
				high = middle
			}
			break
		}
	}
	return low, nil
}
