package vecindex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Search finds the rows of a collection that are nearest to a vector, as they were at a version,
// which must be published. It sees every row that was committed by then, and none that was deleted.
//
// Errors: codec.ErrInvalidArgument for a k below 1, a vector that is none of the collection's, a
// filter or strategy that is none; what the filter's Validate answers; *backend.PrunedError,
// backend.ErrScopeGone, backend.ErrClosed, what reading rows answers, and the context's error.
//
// Cost: that of the index, see package vector, after what was committed since the last search was
// pulled; the first search reads all rows, and so does one at a version from before the first.
func (m *Manager) Search(
	ctx context.Context, c Collection, at uint64, q Query,
) (Result, error) {
	if err := q.check(&c.Config); err != nil {
		return Result{}, fmt.Errorf("vector search: %w", err)
	}
	r, err := m.search(ctx, &c, at, &q)
	if err != nil {
		return Result{}, fmt.Errorf("vector search: %w", err)
	}
	return r, nil
}

func (q *Query) check(c *vector.Config) error {
	if q.K < 1 {
		return fmt.Errorf("%w: k is %d, expected 1 or more", codec.ErrInvalidArgument, q.K)
	}
	if q.Ef < 0 {
		return fmt.Errorf("%w: ef is %d, expected 0 or more", codec.ErrInvalidArgument, q.Ef)
	}
	if q.Strategy > vector.TwoHop {
		return fmt.Errorf("%w: %d is not a strategy", codec.ErrInvalidArgument, q.Strategy)
	}
	if err := vector.CheckVector(c.Dim, q.Vector); err != nil {
		return err
	}
	return q.Filter.Validate()
}

func (m *Manager) search(
	ctx context.Context, c *Collection, at uint64, q *Query,
) (Result, error) {
	if at = min(at, m.b.Published()); at == 0 {
		return Result{Plan: Plan{Strategy: vector.Scan, Reason: "nothing was there yet",
			Exact: true, Estimated: 1, Actual: 1}}, nil
	}
	horizons, err := m.b.Horizons(ctx, c.Scope)
	if errors.Is(err, backend.ErrScopeGone) {
		m.Drop(c.Scope)
	}
	if err != nil {
		return Result{}, err
	}
	if earliest := horizons.Of(codec.Vectors); at < earliest {
		return Result{}, &backend.PrunedError{
			Run: c.Scope.Record, Version: at, Earliest: earliest,
		}
	}
	r, parts, err := m.searchOnce(ctx, c, at, q)
	if parts != nil && (errors.Is(err, backend.ErrScopeGone) || errors.Is(err, backend.ErrPruned)) {
		// What is in memory is still of an ancestor that is gone, and its rows cannot be read any
		// more. Without it the search finds out where its own come from now.
		for _, p := range parts {
			m.forget(p.content.owner)
		}
		r, parts, err = m.searchOnce(ctx, c, at, q)
	}
	for errors.Is(err, errStale) { // once for each file that is false, at most
		for _, p := range parts {
			if x := p.content.owner; x.unproven.Load() == p.content {
				if err := x.disown(ctx, p.content); err != nil && ctx.Err() != nil {
					return Result{}, err
				}
			}
		}
		r, parts, err = m.searchOnce(ctx, c, at, q)
	}
	return r, err
}

// searchOnce searches the indexes, which it returns; nil if the rows were read instead.
func (m *Manager) searchOnce(
	ctx context.Context, c *Collection, at uint64, q *Query,
) (Result, []part, error) {
	parts, err := m.settledParts(ctx, c, at)
	if err != nil {
		return Result{}, nil, err
	}
	m.shrink()
	m.pokeFor(parts)
	if parts == nil {
		r, err := m.scan(ctx, c, at, q)
		return r, nil, err
	}
	r, err := m.searchParts(ctx, parts, q)
	for _, p := range parts {
		if p.content.dropped.Load() {
			return Result{}, parts, errStale // it was found to be false meanwhile
		}
	}
	return r, parts, err
}

// pokeFor starts the worker if it has something to do for one of the parts.
func (m *Manager) pokeFor(parts []part) {
	for _, p := range parts {
		if p.content.owner.hasWork() {
			m.mu.Lock()
			m.poke()
			m.mu.Unlock()
			return
		}
	}
}

// searchParts searches all parts and merges what they find.
func (m *Manager) searchParts(ctx context.Context, parts []part, q *Query) (Result, error) {
	r := Result{Plan: Plan{Exact: true, Estimated: 1, Actual: 1, Layers: len(parts)}}
	s := partSearch{q: q, plan: &r.Plan}
	for i, p := range parts {
		if err := s.search(ctx, p, hidden(parts[:i], p.content)); err != nil {
			return Result{}, err
		}
	}
	r.Hits = s.hits
	if len(parts) > 1 {
		sortHits(r.Hits)
		r.Hits = r.Hits[:min(len(r.Hits), q.K)]
	}
	s.sum()
	return r, nil
}

func sortHits(hits []Hit) {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.ID, b.ID))
	})
}

// partSearch collects the hits of several parts.
type partSearch struct {
	q    *Query
	hits []Hit
	plan *Plan

	slots, passed int     // all, and those that pass the filter
	expected      float64 // to pass it
	most          int     // rows that one part looked at, the most
}

// search searches one part, without the slots that are hidden.
func (s *partSearch) search(ctx context.Context, p part, hidden *vector.Bitmap) error {
	rows := p.content.rows.Load()
	if rows == nil {
		return nil
	}
	allowed, err := s.allowed(ctx, p, hidden)
	if err != nil {
		return err
	}
	for k := min(s.q.K, rows.Slots()); ; k = 2*k + 16 {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, info, err := rows.Search(nil, s.q.Vector, vector.SearchOptions{
			K: k, At: p.at, Ef: s.q.Ef, Allowed: allowed, Strategy: s.q.Strategy,
		})
		if err != nil {
			return err
		}
		s.note(&info)
		taken := len(s.hits)
		s.hits = slices.Grow(s.hits, min(len(found), s.q.K))
		for _, h := range found {
			id := rows.ID(h.Slot)
			if s.q.Hidden != nil && s.q.Hidden(id) {
				continue
			}
			born, _ := rows.Life(h.Slot)
			s.hits = append(s.hits, Hit{id, h.Score, born})
			if len(s.hits)-taken == s.q.K {
				return nil
			}
		}
		if len(found) < k {
			return nil
		}
		s.hits = s.hits[:taken]
	}
}

// allowed are the slots of a part that pass the filter and are not hidden; nil are all.
func (s *partSearch) allowed(
	ctx context.Context, p part, hidden *vector.Bitmap,
) (*vector.Bitmap, error) {
	if s.q.Filter == nil && hidden == nil {
		return nil, nil
	}
	c := p.content
	var pass *vector.Bitmap
	if s.q.Filter == nil {
		pass = vector.FullBitmap(c.rows.Load().Slots())
	} else {
		f, err := c.filter(ctx, s.q.Filter)
		if err != nil {
			return nil, err
		}
		pass = f.pass
		s.slots += f.slots
		s.passed += pass.Count()
		s.expected += f.expected
	}
	if hidden != nil {
		pass.AndNot(hidden)
	}
	return pass, nil
}

// note adds what a part tells of its search to the plan.
func (s *partSearch) note(info *vector.SearchInfo) {
	s.plan.Exact = s.plan.Exact && info.Exact
	s.plan.Rows += info.Rows
	s.plan.Ranked += info.Ranked
	s.plan.Tail += info.Tail
	if s.plan.Reason == "" || info.Rows > s.most {
		s.most, s.plan.Strategy, s.plan.Reason = info.Rows, info.Strategy, info.Why
	}
}

// sum ends the plan.
func (s *partSearch) sum() {
	if s.slots > 0 {
		s.plan.Estimated = s.expected / float64(s.slots)
		s.plan.Actual = float64(s.passed) / float64(s.slots)
	}
	if s.plan.Reason == "" {
		s.plan.Strategy, s.plan.Reason = vector.Scan, "there are no rows"
	}
}
