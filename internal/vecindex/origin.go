package vecindex

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// part is one index that a search goes through, as of a version.
type part struct {
	content *content
	at      uint64
}

// scopeOrigin is where a scope comes from, as its record said when it was read. Immutable.
type scopeOrigin struct {
	parent *backend.Scope // nil: it reads through nothing
	fork   uint64
}

// origin tells where a scope comes from. A fork that is flattened later keeps its origin as long as
// the parent is there: what it shows is the same.
func (m *Manager) origin(ctx context.Context, s *backend.Scope) (*scopeOrigin, error) {
	m.mu.Lock()
	o := m.lineages[s.Number]
	m.mu.Unlock()
	if o != nil {
		return o, nil
	}
	r, err := m.b.Get(ctx, m.system, codec.ScopeRecords, s.Record, m.b.Published())
	if err != nil {
		return nil, err
	}
	if !r.Exists() {
		return nil, fmt.Errorf("scope %d: %w", s.Number, backend.ErrScopeGone)
	}
	record, err := codec.DecodeScopeRecord(r.Value)
	if err != nil {
		return nil, err
	}
	if record.Number != s.Number {
		return nil, fmt.Errorf("scope %d: its id belongs to scope %d now: %w",
			s.Number, record.Number, backend.ErrScopeGone)
	}
	o = &scopeOrigin{}
	if record.ReadsThrough() {
		o.fork = record.ForkVersion
		o.parent = &backend.Scope{Number: record.ParentNumber, Record: record.ParentKey()}
	}
	m.setOrigin(s, o)
	return o, nil
}

func (m *Manager) setOrigin(s *backend.Scope, o *scopeOrigin) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.lineages[s.Number] = o
	}
}

// lineage is what a scope reads through, down to where nothing is known.
func (m *Manager) lineage(ctx context.Context, s *backend.Scope) (all []codec.Scope) {
	for s != nil {
		all = append(all, s.Number)
		o, err := m.origin(ctx, s)
		if err != nil {
			return all
		}
		s = o.parent
	}
	return all
}

// settledParts is parts. If an ancestor of a fork is gone, somebody was flattened before that could
// happen: then it asks anew where all of them come from.
func (m *Manager) settledParts(ctx context.Context, c *Collection, at uint64) ([]part, error) {
	for {
		parts, err := m.parts(ctx, c, c.Scope, at)
		if !errors.Is(err, backend.ErrScopeGone) && !errors.Is(err, backend.ErrPruned) {
			return parts, err
		}
		before := m.lineage(ctx, c.Scope) // as the parts had it
		m.mu.Lock()
		clear(m.lineages)
		m.mu.Unlock()
		if slices.Equal(before, m.lineage(ctx, c.Scope)) {
			return nil, err
		}
	}
}

// parts are the indexes that a search in a scope at a version goes through, that of the scope
// itself first. Without an error they are nil if the rows must be read.
func (m *Manager) parts(
	ctx context.Context, c *Collection, s *backend.Scope, at uint64,
) ([]part, error) {
	from, err := m.origin(ctx, s)
	if err != nil {
		return nil, err
	}
	if from.parent == nil {
		return m.wholePart(ctx, c, s, at)
	}
	if at <= from.fork {
		return m.parts(ctx, c, from.parent, at)
	}
	x, err := m.index(indexKey{
		scope: s.Number, prefix: c.Prefix, incarnation: c.Incarnation, own: true,
	}, c, s, from.fork)
	if err != nil {
		return nil, err
	}
	own, err := x.reach(ctx, at)
	if errors.Is(err, backend.ErrPruned) {
		// What tells own rows from inherited ones is gone: all of them become one index.
		m.forget(x)
		m.setOrigin(s, &scopeOrigin{})
		return m.wholePart(ctx, c, s, at)
	}
	if err != nil {
		return nil, err
	}
	below, err := m.parts(ctx, c, from.parent, from.fork)
	if below == nil || err != nil {
		return nil, err
	}
	return append([]part{{own, at}}, below...), nil
}

// wholePart is the index of all rows that a scope shows.
func (m *Manager) wholePart(
	ctx context.Context, c *Collection, s *backend.Scope, at uint64,
) ([]part, error) {
	k := indexKey{scope: s.Number, prefix: c.Prefix, incarnation: c.Incarnation}
	x, err := m.index(k, c, s, 0)
	if err != nil {
		return nil, err
	}
	found, err := x.reach(ctx, at)
	if err != nil {
		return nil, err
	}
	if found != nil {
		return []part{{found, at}}, nil
	}
	// A past that others will ask for, too: forks share it, and so do views.
	then, err := m.b.Commits(ctx, s, at)
	if err != nil {
		return nil, err
	}
	k.frozen = max(then.Last, 1)
	if !m.wanted(k, s == c.Scope) {
		return nil, nil
	}
	if x, err = m.index(k, c, s, 0); err != nil {
		return nil, err
	}
	if found, err = x.reach(ctx, k.frozen); err != nil {
		return nil, err
	}
	return []part{{found, k.frozen}}, nil
}
