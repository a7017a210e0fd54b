package inmem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// SizesOptions configure Sizes.
type SizesOptions struct {
	// Runs is how many of the largest runs are listed; default 20, negative: all.
	Runs int

	_ struct{}
}

// Sizes says what a database takes, in bytes. What is on disk is estimated from the tables, after
// compression; what was committed just now is in the log, and in no table yet.
type Sizes struct {
	// Runs are the largest runs and shared namespaces, the largest first; Count is how many there
	// are.
	Runs  []RunSize `json:"runs"`
	Count int       `json:"count"`
	// System is what belongs to the database itself: the records of runs, their index, the commits.
	System RunSize `json:"system"`
	// Primitives sums up all runs by primitive.
	Primitives []PrimitiveSize `json:"primitives"`
	// Disk is everything in the directory, Log the part of it that is the log, Obsolete what waits
	// for its deletion.
	Disk     uint64 `json:"disk"`
	Log      uint64 `json:"log"`
	Obsolete uint64 `json:"obsolete"`
	// Memory is what recent data takes, Buffer what waits to be written into tables, Cache the
	// blocks of tables that are kept, CacheLimit what they may take.
	Memory     int64 `json:"memory"`
	Buffer     int64 `json:"buffer"`
	Cache      int64 `json:"cache"`
	CacheLimit int64 `json:"cache_limit"`
	// Levels are those of the tree of tables, from the newest data to the oldest.
	Levels []LevelSize `json:"levels"`
	// Debt is what compactions still have to rewrite.
	Debt uint64 `json:"debt"`
	// LogWritten is what was written into the log since Open, TableWritten what flushes and
	// compactions wrote.
	LogWritten   uint64 `json:"log_written"`
	TableWritten uint64 `json:"table_written"`
	// Flushes and Compactions are counted since Open.
	Flushes     int64 `json:"flushes"`
	Compactions int64 `json:"compactions"`

	_ struct{}
}

// RunSize is what a run takes.
type RunSize struct {
	// Run is its id, or the name of a shared namespace.
	Run string `json:"run"`
	// Disk is all of Primitives.
	Disk       uint64          `json:"disk"`
	Primitives []PrimitiveSize `json:"primitives"`
	// Commits and Events are how many it has; 0 for a fork that has none of its own.
	Commits uint64 `json:"commits"`
	Events  uint64 `json:"events"`
}

// PrimitiveSize is what a primitive takes, by its name: "keys", "events", "journal"...
type PrimitiveSize struct {
	// Name is that of the primitive, Disk what it takes.
	Name string `json:"name"`
	Disk uint64 `json:"disk"`
}

// LevelSize is one level of the tree of tables.
type LevelSize struct {
	// Level is its number: 0 is where new data arrives.
	Level int `json:"level"`
	// Files and Bytes are its tables. Sublevels say how many of them a read of level 0 may meet.
	Files     int   `json:"files"`
	Sublevels int   `json:"sublevels"`
	Bytes     int64 `json:"bytes"`
}

// defaultSizes is how many runs are listed.
const defaultSizes = 20

// Sizes says what the database takes on disk and in memory, by run and primitive. Metrics counts
// what it does. Not a consistent cut.
//
// Cost: some looks into the indexes of tables for every run: some ten microseconds each.
// Errors: ErrInvalidArgument if nothing is stored, ErrCorrupt, ErrTimeout, ErrCanceled, ErrClosed.
func (d *DB) Sizes(ctx context.Context, o SizesOptions) (*Sizes, error) {
	store, ok := d.b.(backend.Inspector)
	if !ok {
		return nil, fmt.Errorf("sizes: %w: nothing is stored", ErrInvalidArgument)
	}
	most := o.Runs
	if most == 0 {
		most = defaultSizes
	}
	x := &Sizes{Runs: []RunSize{}}
	sums := map[string]uint64{}
	err := store.Sizes(ctx, func(i backend.SizeInfo) error {
		r := runSize(&i)
		if i.Scope == codec.SystemScope {
			x.System = r
			return nil
		}
		x.Count++
		for _, p := range r.Primitives {
			sums[p.Name] += p.Disk
		}
		x.Runs = append(x.Runs, r)
		if most > 0 && len(x.Runs) >= 2*most {
			x.Runs = largest(x.Runs, most)
		}
		return nil
	})
	shape, failed := store.Shape()
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("sizes: %w", txn.ContextError(err))
	}
	x.Runs, x.Primitives = largest(x.Runs, most), sizesOf(sums)
	x.shaped(&shape)
	return x, nil
}

// shaped takes over what the store looks like.
func (x *Sizes) shaped(s *backend.ShapeInfo) {
	x.Disk, x.Log, x.Obsolete = s.DiskBytes, s.LogBytes, s.ObsoleteBytes
	x.Memory, x.Buffer = s.MemtableBytes, s.BufferBytes
	x.Cache, x.CacheLimit = s.CacheBytes, s.CacheBudget
	x.Debt, x.LogWritten, x.TableWritten = s.CompactionDebt, s.WrittenByLog, s.WrittenByStore
	x.Flushes, x.Compactions = s.Flushes, s.Compactions
	for _, l := range s.Levels {
		x.Levels = append(x.Levels, LevelSize(l))
	}
}

// largest keeps the largest runs, the largest first.
func largest(list []RunSize, most int) []RunSize {
	slices.SortFunc(list, func(a, b RunSize) int {
		return cmp.Or(cmp.Compare(b.Disk, a.Disk), cmp.Compare(a.Run, b.Run))
	})
	if most > 0 && len(list) > most {
		list = list[:most]
	}
	return list
}

func runSize(i *backend.SizeInfo) RunSize {
	r := RunSize{Commits: i.Commits, Events: i.Events}
	if i.Record != "" {
		name, err := scopeName(i.Record)
		if r.Run = name; err != nil {
			r.Run = i.Record
		}
	}
	sums := map[string]uint64{}
	for p, n := range i.Disk {
		sums[sizeName(i.Scope, p)] += n
		r.Disk += n
	}
	r.Primitives = sizesOf(sums)
	return r
}

func sizesOf(sums map[string]uint64) []PrimitiveSize {
	list := []PrimitiveSize{}
	for name, n := range sums {
		list = append(list, PrimitiveSize{Name: name, Disk: n})
	}
	slices.SortFunc(list, func(a, b PrimitiveSize) int {
		return cmp.Or(cmp.Compare(b.Disk, a.Disk), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// sizeName is what people call what lies under a letter.
func sizeName(n codec.Scope, p codec.Primitive) string {
	if n == codec.SystemScope {
		return map[codec.Primitive]string{
			codec.RunIndex: "index of runs", codec.Commits: "commits", codec.Graveyard: "graveyard",
			codec.Journal: "journal", codec.Meta: "meta", codec.ScopeRecords: "records of runs",
			codec.Expiries: "index by deadline",
		}[p]
	}
	return map[codec.Primitive]string{
		codec.Events.Index(): "index of events", codec.Traces.Index(): "index of spans",
		codec.Cells: "cells", codec.Events: "events", codec.Horizons: "horizons",
		codec.Journal: "journal", codec.KV: "keys", codec.Machines: "machines",
		codec.Traces: "spans", codec.Extensions: "extensions", codec.Vectors: "vectors",
	}[p]
}
