package txn

import (
	"context"
	"errors"
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
	// the first that was made here. What was pruned lies before all that can be read.
	var low, high, found uint64 = 0, last + 1, 0
	var pruned error
	for high-low > 1 {
		middle := low + (high-low)/2
		e, gone, err := m.entry(ctx, s, middle)
		switch {
		case err != nil:
			return 0, ContextError(err)
		case gone != nil:
			low, pruned = middle, gone
		case e.Judged() <= time:
			low, found, pruned = middle, e.Version, nil
		default:
			high = middle
		}
	}
	if low == last {
		return max(found, version), nil
	}
	return found, pruned
}

// imported is how many commits of a scope were imported: they are its first. Those that were pruned
// count as such.
func (m *Manager) imported(ctx context.Context, s *backend.Scope) (uint64, error) {
	c, err := m.b.Commits(ctx, s, m.b.Published())
	if err != nil {
		return 0, err
	}
	var low, high uint64 = 0, c.Count + 1 // commit low was imported, commit high was made here
	for high-low > 1 {
		middle := low + (high-low)/2
		e, gone, err := m.entry(ctx, s, middle)
		switch {
		case err != nil:
			return 0, err
		case gone != nil || e.Origin.Version != 0:
			low = middle
		default:
			high = middle
		}
	}
	return low, nil
}

// entry is a commit of a scope by its number; pruned is the error of one that was pruned.
func (m *Manager) entry(
	ctx context.Context, s *backend.Scope, number uint64,
) (e backend.JournalEntry, pruned, err error) {
	r := backend.JournalRange{From: number, At: m.b.Published()}
	for e, err = range m.b.Journal(ctx, s, r) {
		break
	}
	if errors.Is(err, backend.ErrPruned) {
		return e, err, nil
	}
	return e, nil, err
}
