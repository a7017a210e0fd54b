package backend

import (
	"cmp"
	"context"
	"slices"

	"github.com/inmem-db/inmem/pkg/codec"
)

// prunable are the primitives whose history retention may cut. Events are none of them: nothing is
// ever written over an event.
var prunable = []codec.Primitive{
	codec.Cells, codec.KV, codec.Machines, codec.Traces, codec.Extensions, codec.Vectors,
}

// Prunable lists the primitives whose history retention may cut, in their order. The index entries
// of a primitive go with it, the journal with all of them.
func Prunable() []codec.Primitive { return slices.Clone(prunable) }

// Horizon is the earliest readable version of one primitive of a scope.
type Horizon = codec.Horizon

// Horizons are those of one scope, sorted by primitive; a primitive that is not listed is whole.
// Immutable.
type Horizons []Horizon

// Of is the earliest readable version of a primitive, 0 if it is whole. Index entries have that of
// their primitive; the journal, of which Commits and Tail tell, has the least of all Prunable: it
// is whole as long as one of them is.
func (h Horizons) Of(p codec.Primitive) uint64 {
	if p == codec.Journal {
		return h.journal()
	}
	if p.IsIndex() {
		p |= 'a' - 'A'
	}
	for _, x := range h {
		if x.Primitive == p {
			return x.Version
		}
	}
	return 0
}

func (h Horizons) journal() uint64 {
	if len(h) < len(prunable) {
		return 0
	}
	least := h[0].Version
	for _, x := range h {
		least = min(least, x.Version)
	}
	return least
}

// Newest is the greatest of all horizons: at and above it everything can be read.
func (h Horizons) Newest() uint64 {
	newest := uint64(0)
	for _, x := range h {
		newest = max(newest, x.Version)
	}
	return newest
}

// Raise returns the greater of both for each primitive.
func (h Horizons) Raise(other Horizons) Horizons {
	raised := slices.Clone(h)
	for _, x := range other {
		i := slices.IndexFunc(raised, func(y Horizon) bool { return y.Primitive == x.Primitive })
		switch {
		case i >= 0:
			raised[i].Version = max(raised[i].Version, x.Version)
		case x.Version != 0:
			raised = append(raised, x)
		}
	}
	slices.SortFunc(raised, func(a, b Horizon) int { return cmp.Compare(a.Primitive, b.Primitive) })
	return raised
}

// Cap returns the horizons with none above a version.
func (h Horizons) Cap(version uint64) Horizons {
	if version == 0 {
		return nil
	}
	capped := slices.Clone(h)
	for i := range capped {
		capped[i].Version = min(capped[i].Version, version)
	}
	return capped
}

// Retainer is the part of a Backend that holds history, and removes it. All methods are safe for
// concurrent use.
type Retainer interface {
	// Horizons tells how much of a scope's history can still be read. Cost: a load for a scope that
	// is in use. Errors: those of Get.
	Horizons(ctx context.Context, s *Scope) (Horizons, error)

	// Retain holds the history of a scope, or with nil of all scopes, at a version: no horizon rises
	// above it until the Retention is released. Errors: *PrunedError if s is given and nothing but
	// its events can be read there any more; with nil it is the reads that tell. ErrScopeGone,
	// ErrClosed, and the context's error.
	// Cost: a lock that is held for some loads and stores; one allocation.
	Retain(ctx context.Context, s *Scope, at uint64) (Retention, error)

	// Prune sets horizons of a scope as far as nothing holds them back, and removes what lies below
	// them. What an error or a crash interrupts is taken up by the next Prune of the scope. One Prune
	// works at a time, others wait. Cost: a walk over the scope, unless no horizon rises; it keeps
	// out of the way of commits, see PruneOptions.
	// Errors: ErrScopeGone, codec.ErrInvalidArgument for the system scope and for what is not
	// Prunable, ErrReadOnly, ErrStorage, codec.ErrCorrupt, ErrClosed, and the context's error.
	Prune(ctx context.Context, s *Scope, o PruneOptions) (PruneReport, error)

	// PlanPrune tells what Prune would do now, and does nothing. Errors and cost: those of Prune.
	PlanPrune(ctx context.Context, s *Scope, o PruneOptions) (PruneReport, error)

	// Reclaim gives the disk space of what Prune has removed since the last time back, that of the
	// scopes that were deleted, and that of the commits of which nothing is left. Without it that
	// happens in the course of time. Errors: ErrStorage, codec.ErrCorrupt, ErrClosed, and the
	// context's error.
	Reclaim(ctx context.Context) (Reclaimed, error)
}

// Retention is a hold on history: what can be read at its version when it begins can be read there
// until it is released. Safe for concurrent use.
type Retention interface {
	// Version is the version that is held.
	Version() uint64
	// Release ends the hold. A second call does nothing.
	Release()
}

// PruneOptions say what Prune may remove.
type PruneOptions struct {
	// Upto names horizons that may be set, each primitive at most once; one that is at or below the
	// present one asks for nothing. Only Prunable primitives. What is set is the version of the
	// scope's newest commit at or below what is asked for and may be: in between nothing happened.
	Upto Horizons
	// Rate bounds how many records are removed per second; 0 is no bound. In any case the work is
	// done in small batches and leaves the commits that come meanwhile the greater part of the time.
	Rate int

	_ struct{}
}

// HoldKind says what holds history back.
type HoldKind uint8

// The kinds.
const (
	HeldByRetention   HoldKind = iota + 1 // a Retention: a view, or a pin of the layers above
	HeldByTransaction                     // an open read-write transaction
	HeldByFork                            // a fork that reads through the scope
	HeldByReaders                         // reads that may be under way: it is too recent
)

// Hold is one thing that keeps a horizon from rising above a version.
type Hold struct {
	Kind    HoldKind
	Version uint64
	Scope   codec.Scope // the scope of the retention, 0 if it is of all; the fork
}

// maxHolds bounds what a PruneReport names.
const maxHolds = 16

// OldestHolds sorts holds by version, and keeps the first 16: what PruneReport.Held lists.
func OldestHolds(holds []Hold) []Hold {
	slices.SortFunc(holds, func(a, b Hold) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Scope, b.Scope))
	})
	holds = slices.Compact(holds)
	return holds[:min(len(holds), maxHolds)]
}

// PruneReport says what Prune did, or would do.
type PruneReport struct {
	// Before and After are the horizons of the scope.
	Before, After Horizons
	// Versions counts records of keys, with those of index entries; Commits those of the journal.
	Versions, Commits uint64
	// Bytes are the keys and values of all these, before compression.
	Bytes uint64
	// Walked is how many records were looked at, about: what it cost.
	Walked uint64
	// Held are the oldest of what kept the horizons from rising to what was asked for, at most 16.
	Held []Hold
}

// Reclaimed is what Reclaim did: the bytes on disk of all scopes that were pruned since the last
// time, and of the list of commits if something of it went, before and after.
type Reclaimed struct {
	Before, After uint64
}
