package inmem

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ReplayValues says what a replay tells of each change.
type ReplayValues uint8

const (
	// NewValues tells what was written. The default.
	NewValues ReplayValues = iota
	// OldAndNewValues also tells what was there before.
	OldAndNewValues
	// NoValues tells which keys were changed, and how. It costs a fraction.
	NoValues
)

// journal is the same in the words of the authority.
func (v ReplayValues) journal() backend.JournalValues {
	switch v {
	case OldAndNewValues:
		return backend.OldAndNewValues
	case NoValues:
		return backend.NoValues
	}
	return backend.NewValues
}

// ReplayOptions select what a replay tells. The zero value tells all.
type ReplayOptions struct {
	// From is the first version that may be told, To the last; 0 for the first commit of the run,
	// and for what is published when the replay begins.
	From, To uint64
	// Primitives keeps the changes of these; none keeps all. Prefix keeps the changes of keys that
	// begin with it; events have no key, and are kept only without Prefix. Commits of which nothing
	// is left are passed over.
	Primitives []Primitive
	Prefix     string
	// Values says what is told of each change.
	Values ReplayValues
	// OwnOnly leaves out what a fork has from its parent.
	OwnOnly bool
	// FromEarliest: where retention has removed the beginning, the replay begins with the earliest
	// state, as one Commit whose State is set, instead of answering ErrPruned.
	FromEarliest bool
	// Progress, if not nil, is called behind every commit that was walked over, the ones that were
	// passed over included.
	Progress func(ReplayProgress)

	_ struct{}
}

// ReplayProgress says how far a replay has come.
type ReplayProgress struct {
	// Version and Number are those of the commit that it has come to.
	Version, Number uint64
	// Done counts the commits that were walked over, Total those that there are to walk.
	Done, Total uint64
}

// Replay yields the commits of the run in their order, each with what it changed: what happened, as
// it was recorded. It runs nothing again, validates nothing and writes nothing, and is the same
// every time. The state at its end is what At shows at the last version.
//
// A fork begins with what it has from its parent, back to the first commit of the lineage. What is
// committed meanwhile is not told, but does not disturb either. History is held while it runs, so
// retention cannot overtake it. An error is yielded once and last. Breaking out early is fine. The
// sequence can be iterated again and then begins anew.
//
// Cost: by what the run has changed, whatever else the database holds. It holds a page of commits
// with their values in memory: at most some tens of megabytes beyond the largest commit. Metrics
// counts what it reads, in HistoryKeys and HistoryBytes.
//
// Errors: ErrPruned if retention has removed something that was asked for, ErrInvalidArgument for a
// version that is not published or a Primitive that is none, ErrRunNotFound, ErrTimeout,
// ErrCanceled, ErrStorage, ErrCorrupt, ErrClosed.
func (r *Run) Replay(ctx context.Context, o ReplayOptions) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		p := replay{d: r.d, ctx: ctx, scope: r.scope, name: r.id, o: o}
		if err := p.run(yield); err != nil {
			yield(Commit{}, fmt.Errorf("replay run %s: %w", r.id, txn.ContextError(err)))
		}
	}
}

// Replay is Run.Replay for a shared namespace.
func (s *Shared) Replay(ctx context.Context, o ReplayOptions) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		name := s.name.String()
		p := replay{d: s.d, ctx: ctx, scope: s.scope, name: name, o: o}
		if err := p.run(yield); err != nil {
			yield(Commit{}, fmt.Errorf("replay shared namespace %s: %w", name, txn.ContextError(err)))
		}
	}
}

// replay is one replay under way.
type replay struct {
	d     *DB
	ctx   context.Context
	scope *backend.Scope
	name  string
	o     ReplayOptions

	from     uint64 // the first version to be told
	to       uint64
	progress ReplayProgress
}

// run is the whole replay. It returns nil if somebody broke out.
func (p *replay) run(yield func(Commit, error) bool) error {
	only, err := p.check()
	if err != nil {
		return err
	}
	earliest, hold, err := p.hold()
	if err != nil {
		return err
	}
	if hold != nil {
		defer hold.Release()
	}
	if earliest > p.from {
		state, err := p.earliestState(earliest)
		if err != nil || !yield(state, nil) {
			return err
		}
		p.from = earliest + 1
	}
	if p.from > p.to {
		return nil
	}
	r := backend.JournalRange{At: p.to, Values: p.o.Values.journal(), Only: only}
	if r.From, err = p.count(); err != nil {
		return err
	}
	var maker commitMaker
	for e, err := range p.d.b.Journal(p.ctx, p.scope, r) {
		if err != nil {
			return err
		}
		c, err := maker.commit(p.name, &e)
		if err != nil {
			return err
		}
		c.Changes = p.keep(c.Changes)
		if (len(c.Changes) > 0 || !p.filters()) && !yield(c, nil) {
			return nil
		}
		if p.o.Progress != nil {
			p.progress.Version, p.progress.Number = e.Version, e.Number
			p.progress.Done++
			p.o.Progress(p.progress)
		}
	}
	return nil
}

// check refuses options that nothing can be replayed by, and turns the filter into that of a
// journal.
func (p *replay) check() (only []backend.KeySpace, err error) {
	newest := p.d.b.Published()
	p.from, p.to = p.o.From, p.o.To
	switch {
	case max(p.from, p.to) > newest:
		return nil, fmt.Errorf("%w: versions %d to %d, the newest is %d", ErrInvalidArgument, p.from,
			p.to, newest)
	case p.to != 0 && p.from > p.to:
		return nil, fmt.Errorf("%w: from version %d to %d", ErrInvalidArgument, p.from, p.to)
	case p.o.Values > NoValues:
		return nil, fmt.Errorf("%w: values %d", ErrInvalidArgument, p.o.Values)
	case p.to == 0:
		p.to = newest
	}
	if p.o.OwnOnly {
		rec, err := p.d.scopeRecord(p.ctx, p.scope.Record)
		if err != nil {
			return nil, err
		}
		p.from = max(p.from, rec.ForkVersion+1)
	}
	p.from = max(p.from, 1)
	return p.only()
}

// only are the keys that the filter keeps, as far as the authority can tell: the keys of extensions
// and the ids of vectors lie behind a name.
func (p *replay) only() (only []backend.KeySpace, err error) {
	if !p.filters() {
		return nil, nil
	}
	asked := p.o.Primitives
	if len(asked) == 0 {
		asked = allPrimitives
	}
	for _, primitive := range asked {
		switch {
		case !slices.Contains(allPrimitives, primitive):
			return nil, fmt.Errorf("%w: %v is no primitive of a run", ErrInvalidArgument, primitive)
		case primitive == PrimitiveEvents && p.o.Prefix != "":
			continue
		}
		space := backend.KeySpace{Primitive: codec.Primitive(primitive), Prefix: p.o.Prefix}
		if primitive == PrimitiveExtensions || primitive == PrimitiveVectors {
			space.Prefix = ""
		}
		only = append(only, space)
	}
	if only == nil { // events with a prefix: there are none
		only = []backend.KeySpace{{}}
	}
	return only, nil
}

// filters tells whether anything is left out of commits.
func (p *replay) filters() bool { return len(p.o.Primitives) > 0 || p.o.Prefix != "" }

// keep leaves out what only we can tell apart.
func (p *replay) keep(changes []Change) []Change {
	if p.o.Prefix == "" {
		return changes
	}
	return slices.DeleteFunc(changes, func(c Change) bool {
		return !strings.HasPrefix(c.Key, p.o.Prefix)
	})
}

// hold keeps what is to be told from being pruned. It returns the version of the state that the
// replay has to begin with, 0 for none.
func (p *replay) hold() (earliest uint64, hold backend.Retention, err error) {
	if p.from > p.to {
		return 0, nil, nil
	}
	for {
		if p.o.FromEarliest {
			h, err := p.d.b.Horizons(p.ctx, p.scope)
			if err != nil {
				return 0, nil, err
			}
			if earliest = h.Newest(); earliest > p.to {
				return 0, nil, &backend.PrunedError{
					Run: p.scope.Record, Version: p.to, Earliest: earliest,
				}
			}
		}
		at := max(p.from, earliest)
		hold, err = p.d.b.Retain(p.ctx, p.scope, at)
		if err != nil || !p.o.FromEarliest {
			return 0, hold, err
		}
		h, err := p.d.b.Horizons(p.ctx, p.scope)
		if err == nil && h.Newest() <= at { // it did not rise before the hold was there
			return earliest, hold, nil
		}
		hold.Release()
		if err != nil {
			return 0, nil, err
		}
	}
}

// count finds the number of the first commit to be told, and how many there are.
func (p *replay) count() (from uint64, err error) {
	last, err := p.d.b.Commits(p.ctx, p.scope, p.to)
	if err != nil {
		return 0, err
	}
	from = 1
	if p.from > 1 {
		before, err := p.d.b.Commits(p.ctx, p.scope, p.from)
		if err != nil {
			return 0, err
		}
		if from = before.Count; before.Last != p.from {
			from++
		}
	}
	p.progress.Total = last.Count - min(last.Count, from-1)
	return from, nil
}

// allPrimitives are those of a run, in the order of their changes.
var allPrimitives = []Primitive{
	PrimitiveCells, PrimitiveEvents, PrimitiveKV, PrimitiveMachines, PrimitiveTraces,
	PrimitiveExtensions, PrimitiveVectors,
}
