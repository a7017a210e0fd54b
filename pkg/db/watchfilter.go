package inmem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// filter is what WatchOptions select, in the words of the seam.
type filter struct {
	only   []backend.KeySpace // none: everything
	values backend.JournalValues
	prefix string   // of keys, where only cannot say it
	types  []string // of events; none: all
}

func (f *filter) read(o *WatchOptions) error {
	if o.Values > NoValues {
		return fmt.Errorf("%w: values %d", ErrInvalidArgument, o.Values)
	}
	f.values = o.Values.journal()
	if len(o.EventTypes) > 0 {
		f.values = max(f.values, backend.NewValues)
	}
	f.prefix, f.types = o.Prefix, o.EventTypes
	chosen := o.Primitives
	if len(chosen) == 0 {
		for _, p := range allPrimitives {
			events := p == PrimitiveEvents
			if o.Prefix != "" && !events || len(o.EventTypes) > 0 && events {
				chosen = append(chosen, p)
			}
		}
	}
	for _, p := range chosen {
		if !slices.Contains(allPrimitives, p) {
			return fmt.Errorf("%w: %v is no primitive of a run", ErrInvalidArgument, p)
		}
		space := backend.KeySpace{Primitive: codec.Primitive(p), Prefix: o.Prefix}
		if p == PrimitiveEvents || p == PrimitiveExtensions || p == PrimitiveVectors {
			space.Prefix = "" // the stored key begins with something else
		}
		f.only = append(f.only, space)
	}
	return nil
}

// journal asks for the commits of a scope from a number on.
func (f *filter) journal(number, at uint64) backend.JournalRange {
	return backend.JournalRange{From: number, At: at, Values: f.values, Only: f.only}
}

// concerns tells whether anything that a commit did in a scope may pass.
func (f *filter) concerns(s *backend.ScopeChanges) bool {
	r := f.journal(0, 0)
	return slices.ContainsFunc(s.Changes, r.Keeps)
}

// entry is what passes of a commit in one scope, without values.
func (f *filter) entry(c *backend.Commit, s *backend.ScopeChanges) *backend.JournalEntry {
	r := f.journal(0, 0)
	e := &backend.JournalEntry{
		Version: c.Version, Number: s.Number, Time: c.Time, Origin: s.Origin,
		Changes: make([]backend.JournalChange, 0, len(s.Changes)),
	}
	for _, x := range s.Changes {
		if r.Keeps(x) {
			e.Changes = append(e.Changes, backend.JournalChange{Change: x})
		}
	}
	return e
}

// keep leaves what the key spaces could not judge.
func (f *filter) keep(c *Commit) (err error) {
	if f.prefix == "" && len(f.types) == 0 {
		return nil
	}
	c.Changes = slices.DeleteFunc(c.Changes, func(x Change) bool {
		switch {
		case x.Primitive == PrimitiveExtensions, x.Primitive == PrimitiveVectors:
			return !strings.HasPrefix(x.Key, f.prefix)
		case x.Primitive != PrimitiveEvents || len(f.types) == 0:
			return false
		}
		e, failed := x.Event()
		if failed != nil {
			err = failed
		}
		return !slices.Contains(f.types, e.Type)
	})
	return err
}

func timeOf(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds) }
