package model

import (
	"context"
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// retained is what retention knows. Guarded by store.mu.
type retained struct {
	horizons map[codec.Scope]backend.Horizons
	held     map[*retention]bool
	pins     map[*pin]bool
}

func newRetained() retained {
	return retained{
		horizons: map[codec.Scope]backend.Horizons{}, held: map[*retention]bool{},
		pins: map[*pin]bool{},
	}
}

// retention implements backend.Retention.
type retention struct {
	b       *Backend
	scope   codec.Scope // 0: all
	version uint64
}

func (r *retention) Version() uint64 { return r.version }

func (r *retention) Release() {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	delete(r.b.held, r)
}

// horizonsOf are those of a scope, and of what it reads through. Callers hold mu.
func (b *Backend) horizonsOf(s codec.Scope) backend.Horizons {
	list := b.horizons[s]
	if parent, _, ok := b.through(s, 0); ok {
		list = list.Raise(b.horizonsOf(parent))
	}
	return list
}

// unpruned refuses what was pruned. Callers hold mu.
func (b *Backend) unpruned(s *backend.Scope, p codec.Primitive, at uint64) error {
	earliest := b.horizonsOf(s.Number).Of(p)
	if at == 0 || at >= earliest {
		return nil
	}
	return &backend.PrunedError{Run: s.Record, Version: at, Earliest: earliest}
}

// unprunedFork refuses a fork at a version at which not all of its parent can be read. Callers hold
// mu.
func (b *Backend) unprunedFork(parent *backend.Scope, version uint64) error {
	earliest := b.horizonsOf(parent.Number).Newest()
	if version >= earliest {
		return nil
	}
	return &backend.PrunedError{Run: parent.Record, Version: version, Earliest: earliest}
}

// Horizons implements backend.Retainer.
func (b *Backend) Horizons(ctx context.Context, s *backend.Scope) (backend.Horizons, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.readable(ctx, s); err != nil {
		return nil, fmt.Errorf("horizons of scope %d: %w", s.Number, err)
	}
	return b.horizonsOf(s.Number), nil
}

// Retain implements backend.Retainer.
func (b *Backend) Retain(
	ctx context.Context, s *backend.Scope, at uint64,
) (backend.Retention, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return nil, fmt.Errorf("retain version %d: %w", at, err)
	}
	r := &retention{b: b, version: at}
	if s != nil {
		r.scope = s.Number
		err := b.readable(ctx, s)
		if err == nil {
			err = b.unpruned(s, codec.Journal, at)
		}
		if err != nil {
			return nil, err
		}
	}
	b.held[r] = true
	return r, nil
}

// PlanPrune implements backend.Retainer.
func (b *Backend) PlanPrune(
	ctx context.Context, s *backend.Scope, o backend.PruneOptions,
) (backend.PruneReport, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.plan(ctx, s, o)
}

// plan finds out what Prune would do. Callers hold mu.
func (b *Backend) plan(
	ctx context.Context, s *backend.Scope, o backend.PruneOptions,
) (r backend.PruneReport, err error) {
	if err := b.readable(ctx, s); err != nil {
		return r, fmt.Errorf("prune scope %d: %w", s.Number, err)
	}
	seen := map[codec.Primitive]bool{}
	for _, h := range o.Upto {
		if s.Number == codec.SystemScope || seen[h.Primitive] ||
			!slices.Contains(backend.Prunable(), h.Primitive) {
			return r, fmt.Errorf("prune scope %d: primitive %s: %w", s.Number, h.Primitive,
				codec.ErrInvalidArgument)
		}
		seen[h.Primitive] = true
	}
	if s.Number == codec.SystemScope {
		return r, fmt.Errorf("prune scope 0: %w", codec.ErrInvalidArgument)
	}
	most := o.Upto.Newest()
	for _, h := range b.holds(s.Number) {
		if h.Version < o.Upto.Newest() {
			r.Held, most = append(r.Held, h), min(most, h.Version)
		}
	}
	r.Held = backend.OldestHolds(r.Held)
	r.Before = b.horizonsOf(s.Number)
	var upTo backend.Horizons
	for _, h := range o.Upto.Cap(most) {
		h.Version = b.extent(s.Number, h.Version).Last
		upTo = append(upTo, h)
	}
	r.After = r.Before.Raise(upTo)
	for in, keys := range b.records {
		if in.scope != s.Number {
			continue
		}
		for user, chain := range keys {
			for _, x := range chain[:below(chain, r.After.Of(in.primitive))] {
				r.Versions++
				key, _ := codec.AppendKey(nil, in.scope, in.primitive, user)
				r.Bytes += uint64(len(codec.AppendVersion(key, x.Version)) + len(x.Value))
			}
		}
	}
	return r, nil
}

// below is how many of a key's versions cannot be read at a horizon or above it.
func below(chain []backend.Record, horizon uint64) int {
	for i := len(chain) - 1; i >= 0; i-- {
		if chain[i].Version <= horizon {
			return i
		}
	}
	return 0
}

// holds lists what holds the history of a scope. Callers hold mu.
func (b *Backend) holds(s codec.Scope) []backend.Hold {
	list := []backend.Hold{{Kind: backend.HeldByReaders, Version: b.published}}
	for p := range b.pins {
		list = append(list, backend.Hold{Kind: backend.HeldByTransaction, Version: p.version})
	}
	family := map[codec.Scope]bool{0: true, s: true}
	for fork := range b.origins {
		if upTo, ok := b.reads(fork, s); ok && !b.dead[fork] {
			family[fork] = true
			list = append(list, backend.Hold{Kind: backend.HeldByFork, Scope: fork, Version: upTo})
		}
	}
	for r := range b.held {
		if family[r.scope] && r.version != 0 {
			list = append(list,
				backend.Hold{Kind: backend.HeldByRetention, Scope: r.scope, Version: r.version})
		}
	}
	return list
}

// reads tells whether a fork reads through a scope, at any remove, and up to which version. Callers
// hold mu.
func (b *Backend) reads(fork, s codec.Scope) (upTo uint64, ok bool) {
	upTo = b.published
	for fork != s {
		if fork, upTo, ok = b.through(fork, upTo); !ok {
			return 0, false
		}
	}
	return upTo, ok
}

// Prune implements backend.Retainer.
func (b *Backend) Prune(
	ctx context.Context, s *backend.Scope, o backend.PruneOptions,
) (backend.PruneReport, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.plan(ctx, s, o)
	if err != nil {
		return r, err
	}
	b.horizons[s.Number] = r.After
	for in, keys := range b.records {
		for user, chain := range keys {
			if in.scope == s.Number {
				keys[user] = chain[below(chain, r.After.Of(in.primitive)):]
			}
		}
	}
	b.stats.Pruned += r.Versions
	b.stats.PrunedBytes += r.Bytes
	return r, nil
}

// Reclaim implements backend.Retainer: nothing is on a disk.
func (b *Backend) Reclaim(ctx context.Context) (backend.Reclaimed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return backend.Reclaimed{}, b.usable(ctx)
}
