package inmem

import (
	"errors"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/diff"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Two sides with a common history need not be gone over: only what one of them has written since
// can differ. The journals tell which keys these are. That is worth it only if there is much that
// was not written since, and possible only if the keys fit into memory.
const (
	smallDiff     = 10_000  // keys of a primitive on both sides that are gone over in any case
	mostChanged   = 100_000 // keys that are kept in memory
	mostJournaled = 200_000 // commits of one side that are asked for them
	mostAncestors = 10_000
)

// ancestor is a run that another one reads, or has read, through, up to a version.
type ancestor struct {
	scope *backend.Scope
	upTo  uint64
}

// lineage is the run of a side, and those that it was forked from, nearest first.
func (c *comparison) lineage(s side) ([]ancestor, error) {
	line := []ancestor{{s.run.scope, s.view.Version()}}
	for len(line) < mostAncestors {
		last := line[len(line)-1]
		rec, err := s.run.d.scopeRecord(c.ctx, last.scope.Record)
		if errors.Is(err, ErrRunNotFound) {
			return line, nil // deleted, after its forks were flattened
		}
		if err != nil {
			return nil, err
		}
		if rec.Number != last.scope.Number || rec.ForkVersion == 0 {
			return line, nil
		}
		line = append(line, ancestor{
			&backend.Scope{Number: rec.ParentNumber, Record: rec.ParentKey()},
			min(last.upTo, rec.ForkVersion),
		})
	}
	return line, nil
}

// common is the greatest version up to which the sides have the same history; 0 if they have none.
func (c *comparison) common() (uint64, error) {
	a, err := c.lineage(c.sides[0])
	if err != nil {
		return 0, err
	}
	b, err := c.lineage(c.sides[1])
	if err != nil {
		return 0, err
	}
	for _, x := range a {
		for _, y := range b {
			if x.scope.Number == y.scope.Number {
				return min(x.upTo, y.upTo), nil
			}
		}
	}
	return 0, nil
}

// changedSince are the keys of the state that were written on either side since the common history,
// in order, by primitive; nil if there is no such history, or there are too many.
func (c *comparison) changedSince() (map[codec.Primitive][]string, error) {
	at, err := c.common()
	if err != nil || at == 0 {
		return nil, err
	}
	sets := map[codec.Primitive]map[string]struct{}{}
	total := 0
	for _, s := range c.sides {
		ok, err := c.collect(s, at, sets, &total)
		if errors.Is(err, backend.ErrPruned) || err == nil && !ok {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	changed := map[codec.Primitive][]string{}
	for _, part := range stateParts {
		list := make([]string, 0, len(sets[part.stored]))
		for key := range sets[part.stored] {
			list = append(list, key)
		}
		slices.Sort(list)
		changed[part.stored] = list
	}
	return changed, nil
}

// collect adds the keys that one side has written behind a version, and reports whether these are
// all.
func (c *comparison) collect(s side, after uint64, sets map[codec.Primitive]map[string]struct{},
	total *int,
) (bool, error) {
	b := s.run.d.b
	before, err := b.Commits(c.ctx, s.run.scope, after)
	if err != nil {
		return false, txn.ContextError(err)
	}
	r := backend.JournalRange{From: before.Count + 1, At: s.view.Version()}
	for _, part := range stateParts {
		r.Only = append(r.Only, backend.KeySpace{Primitive: part.stored})
	}
	commits := 0
	for e, err := range b.Journal(c.ctx, s.run.scope, r) {
		if err != nil {
			return false, txn.ContextError(err)
		}
		if commits++; commits > mostJournaled {
			return false, nil
		}
		for _, change := range e.Changes {
			set := sets[change.Primitive]
			if set == nil {
				set = map[string]struct{}{}
				sets[change.Primitive] = set
			}
			if _, ok := set[change.Key]; ok {
				continue
			}
			set[change.Key] = struct{}{}
			if *total++; *total > mostChanged {
				return false, nil
			}
		}
	}
	return true, nil
}

// large reports whether a primitive has more keys on either side than are gone over in any case.
func (c *comparison) large(p codec.Primitive) (bool, error) {
	for _, s := range c.sides {
		n := 0
		keys := s.view.scope.Scan(c.ctx, p, txn.Range{})
		for n <= c.small && keys.Next() {
			n++
		}
		err := keys.Err()
		keys.Close()
		if err != nil || n > c.small {
			return true, err
		}
	}
	return false, nil
}

// changedKeys compares the given keys only.
func (c *comparison) changedKeys(p codec.Primitive, shown diff.Primitive, keys []string) error {
	counts := c.report.State.Of(shown)
	counts.Shared = true
	for _, key := range keys {
		a, err := c.sides[0].view.scope.Get(c.ctx, p, key)
		if err != nil {
			return err
		}
		b, err := c.sides[1].view.scope.Get(c.ctx, p, key)
		if err != nil {
			return err
		}
		if err := c.key(shown, counts, key, &a, &b); err != nil {
			return err
		}
	}
	return nil
}
