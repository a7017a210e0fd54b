package model

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// NewestCommit implements backend.History.
func (b *Backend) NewestCommit(ctx context.Context, at uint64) (uint64, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return 0, 0, fmt.Errorf("newest commit at %d: %w", at, err)
	}
	version, time := uint64(0), int64(0)
	for _, c := range b.commits {
		if c.Version <= at {
			version, time = c.Version, c.Time
		}
	}
	return version, time, nil
}

// VersionAt implements backend.History.
func (b *Backend) VersionAt(ctx context.Context, time int64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return 0, fmt.Errorf("version at time %d: %w", time, err)
	}
	later := sort.Search(len(b.commits), func(i int) bool { return b.commits[i].Time > time })
	if later == 0 {
		return 0, nil
	}
	return b.commits[later-1].Version, nil
}

// Versions implements backend.History. The whole answer is taken at once.
func (b *Backend) Versions(
	ctx context.Context, s *backend.Scope, p codec.Primitive, user string, at uint64,
) iter.Seq2[backend.Record, error] {
	return func(yield func(backend.Record, error) bool) {
		all, err := b.allVersions(ctx, keyOf(s, p, user), s, at)
		for _, r := range slices.Backward(all) {
			b.countHistory(1)
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(backend.Record{}, err)
		}
	}
}

func (b *Backend) allVersions(
	ctx context.Context, k key, s *backend.Scope, at uint64,
) ([]backend.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.readable(ctx, s)
	at = min(at, b.published)
	if err == nil {
		err = b.unpruned(s, k.primitive, at)
	}
	if err != nil {
		return nil, fmt.Errorf("versions of %s: %w", codec.FormatKey(k.scope, k.primitive, k.user), err)
	}
	all := slices.Clone(b.versions(k, at))
	earliest := b.horizonsOf(k.scope).Of(k.primitive)
	if below := below(all, earliest); len(all) > 0 && all[below].Version <= earliest {
		return all[below:], &backend.PrunedError{
			Run: s.Record, Version: earliest - 1, Earliest: earliest,
		}
	}
	return all, nil
}

func (b *Backend) countHistory(keys uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.HistoryKeys += keys
}

// Journal implements backend.History: it looks for one commit after the other among all.
func (b *Backend) Journal(
	ctx context.Context, s *backend.Scope, r backend.JournalRange,
) iter.Seq2[backend.JournalEntry, error] {
	return func(yield func(backend.JournalEntry, error) bool) {
		for number := max(r.From, 1); ; number++ {
			e, ok, err := b.journalEntry(ctx, s, number, &r)
			if err != nil {
				yield(backend.JournalEntry{}, err)
				return
			}
			if !ok || !yield(e, nil) {
				return
			}
		}
	}
}

// journalEntry is the commit with a number, if it lies in the range.
func (b *Backend) journalEntry(
	ctx context.Context, s *backend.Scope, number uint64, r *backend.JournalRange,
) (e backend.JournalEntry, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.readable(ctx, s); err != nil {
		return e, false, fmt.Errorf("journal of scope %d: %w", s.Number, err)
	}
	c, x, ok := b.numbered(s.Number, number, r.At)
	if !ok {
		return e, false, nil
	}
	e = backend.JournalEntry{
		Version: c.Version, Number: number, Time: c.Time, Origin: x.Origin,
		Changes: []backend.JournalChange{},
	}
	if err := b.unpruned(s, codec.Journal, c.Version); err != nil {
		return e, false, fmt.Errorf("journal of scope %d: %w", s.Number, err)
	}
	for _, change := range x.Changes {
		if !r.Keeps(change) {
			continue
		}
		b.stats.HistoryKeys++
		if err := b.untold(s, change.Primitive, c.Version, r.Values); err != nil {
			return e, false, fmt.Errorf("journal of scope %d: %w", s.Number, err)
		}
		told := backend.JournalChange{Change: change}
		k := key{space{s.Number, change.Primitive}, change.Key}
		if now := b.at(k, c.Version); r.Values != backend.NoValues && now.Exists() {
			told.Value, told.Expiry = now.Value, now.Expiry
		}
		if old := b.at(k, c.Version-1); r.Values == backend.OldAndNewValues && old.Exists() &&
			(old.Expiry == 0 || old.Expiry > e.Judged()) {
			told.Old = &old
		}
		e.Changes = append(e.Changes, told)
	}
	return e, true, nil
}

// untold refuses values that were pruned. Callers hold mu.
func (b *Backend) untold(
	s *backend.Scope, p codec.Primitive, version uint64, values backend.JournalValues,
) error {
	switch values {
	case backend.NewValues:
		return b.unpruned(s, p, version)
	case backend.OldAndNewValues:
		return b.unpruned(s, p, version-1)
	}
	return nil
}

// numbered is the commit of a scope with a number at or below a version, with what it changed
// there. Callers hold mu.
func (b *Backend) numbered(
	s codec.Scope, number, at uint64,
) (found backend.Commit, in backend.ScopeChanges, ok bool) {
	for _, c := range b.commits {
		for _, x := range c.Scopes {
			if x.Scope == s && x.Number == number && c.Version <= at {
				return c, x, true
			}
		}
	}
	if o, ok := b.origins[s]; ok {
		return b.numbered(o.parent, number, min(at, o.version))
	}
	return found, in, false
}
