package inmem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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

// Sizes says what a database holds, and what that takes, in bytes.
type Sizes struct {
	// Runs are the largest runs and shared namespaces, the largest first; Count is how many hold
	// something of their own.
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

// RunSize is what a run holds of its own: what a fork inherits is not in it.
type RunSize struct {
	// Run is its id, or the name of a shared namespace; empty for deleted runs that are not freed
	// yet.
	Run string `json:"run"`
	// Records are all versions of all its keys, Bytes their keys and values, before compression.
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`
	// Primitives are the parts of that, the largest first.
	Primitives []PrimitiveSize `json:"primitives"`
}

// PrimitiveSize is what a primitive holds.
type PrimitiveSize struct {
	// Name is "keys", "events", "journal" and so on.
	Name string `json:"name"`
	// Records are all versions of all its keys, Bytes their keys and values, before compression.
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`
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
// what it does.
//
// Cost: all keys are read, and no values: about a second for some million records.
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
	sums := map[string]PrimitiveSize{}
	err := store.Sizes(ctx, func(i backend.SizeInfo) error {
		r := runSize(&i)
		if i.Scope == codec.SystemScope {
			x.System = r
			return nil
		}
		x.Count++
		for _, p := range r.Primitives {
			add(sums, p)
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
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Run, b.Run))
	})
	if most > 0 && len(list) > most {
		list = list[:most]
	}
	return list
}

func runSize(i *backend.SizeInfo) RunSize {
	var r RunSize
	if i.Record != "" {
		name, err := scopeName(i.Record)
		if r.Run = name; err != nil {
			r.Run = i.Record
		}
	}
	sums := map[string]PrimitiveSize{}
	for p, held := range i.Held {
		add(sums, PrimitiveSize{sizeName(i.Scope, p), held.Records, held.Bytes})
		r.Records += held.Records
		r.Bytes += held.Bytes
	}
	r.Primitives = sizesOf(sums)
	return r
}

func add(sums map[string]PrimitiveSize, p PrimitiveSize) {
	before := sums[p.Name]
	sums[p.Name] = PrimitiveSize{p.Name, before.Records + p.Records, before.Bytes + p.Bytes}
}

func sizesOf(sums map[string]PrimitiveSize) []PrimitiveSize {
	return slices.SortedFunc(maps.Values(sums), func(a, b PrimitiveSize) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
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
