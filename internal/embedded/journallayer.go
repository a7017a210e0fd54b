package embedded

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// journalLayer is the part of a scope's history that lies under one scope number: that of the scope
// itself, or of one that it reads through. Commit numbers are dense over all layers, so a number
// tells the layer.
type journalLayer struct {
	scope   *backend.Scope
	state   *scopeState
	lineage *lineage
	at      uint64 // the greatest version of the part
	above   uint64 // the records of the part lie above this version
}

// topLayer is the layer of a scope's own records. The copies of a fork that was flattened count as
// own ones.
func (d *DB) topLayer(ctx context.Context, s *backend.Scope, at uint64) (journalLayer, error) {
	st, err := d.readable(ctx, s)
	if err != nil {
		return journalLayer{}, err
	}
	l := journalLayer{scope: s, state: st, lineage: st.lineage.Load(), at: at}
	if l.lineage.isFloor() {
		l.lineage = nil
	}
	l.above = l.lineage.above()
	return l, nil
}

// journalLayer finds the layer of a scope that has the commit with a number, or would have it.
func (d *DB) journalLayer(
	ctx context.Context, s *backend.Scope, number, at uint64,
) (journalLayer, error) {
	for {
		l, err := d.topLayer(ctx, s, at)
		if err != nil || l.lineage == nil || number > l.lineage.base.commits.Count {
			return l, err
		}
		s, at = l.lineage.parent, min(at, l.lineage.fork)
	}
}

// inherited is what the layers below have of a key.
func (l *journalLayer) inherited(
	ctx context.Context, d *DB, c *backend.JournalChange,
) (backend.Record, error) {
	if l.lineage == nil {
		return backend.Record{}, nil
	}
	return d.getInherited(ctx, l.scope, l.lineage, c.Primitive, c.Key)
}

// historyHorizons are, after a read, the horizons of a scope and of all that it reads through down
// to a layer; or the error of a read from a layer that was deleted under it.
func (d *DB) historyHorizons(
	ctx context.Context, s *backend.Scope, layer *journalLayer,
) (all backend.Horizons, err error) {
	if layer.state, err = d.stillThere(ctx, layer.scope, layer.state); err != nil {
		return nil, err
	}
	for {
		st, err := d.readable(ctx, s)
		if err != nil {
			return nil, err
		}
		if h := st.horizons.Load(); h != nil {
			all = all.Raise(h.list)
		}
		l := st.lineage.Load()
		if s.Number == layer.scope.Number || l == nil || l.isFloor() {
			return all, nil
		}
		s = l.parent
	}
}

// prunedHistory is the answer to a read below a horizon.
func prunedHistory(s *backend.Scope, version, earliest uint64) error {
	return &backend.PrunedError{Run: s.Record, Version: version, Earliest: earliest}
}

// pruned tells whether something that the page was to tell lies below a horizon, and how many
// commits come before that.
func (p *journalPage) pruned(s *backend.Scope, h backend.Horizons) (before int, err error) {
	earliest := h.Of(codec.Journal)
	switch {
	case earliest == 0:
	case p.gap:
		return 0, prunedHistory(s, earliest-1, earliest)
	case len(p.entries) > 0 && p.entries[0].Version < earliest:
		return 0, prunedHistory(s, p.entries[0].Version, earliest)
	}
	if p.r.Values == backend.NoValues {
		return 0, nil
	}
	for i := range p.entries {
		e := &p.entries[i]
		needed := e.Version
		if p.r.Values == backend.OldAndNewValues {
			needed--
		}
		if needed >= h.Newest() {
			return 0, nil // and all behind it
		}
		for j := range p.count(i) {
			if earliest := h.Of(p.primitive(i, j)); needed < earliest {
				return i, prunedHistory(s, needed, earliest)
			}
		}
	}
	return 0, nil
}

// missing says that the journal has another record where one should be.
func (l *journalLayer) missing(number, found uint64) error {
	return fmt.Errorf("%w: journal record %d of scope %d is missing, found %d", codec.ErrCorrupt,
		number, l.scope.Number, found)
}

// missingValue says that the journal names what is not there.
func (l *journalLayer) missingValue(c *backend.JournalChange, version uint64) error {
	return fmt.Errorf("%w: %s: what commit %d wrote is missing", codec.ErrCorrupt,
		codec.FormatKey(l.scope.Number, c.Primitive, c.Key), version)
}
