package inmem

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/eventlog"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/txn"
)

// RepairOptions configure Repair. The zero value mends all indexes of all runs.
type RepairOptions struct {
	// Runs are ids of the runs whose indexes are mended; the index of runs is mended for them alone.
	Runs []string
	// Progress, if not nil, is told after every run how many were looked at.
	Progress func(done int)

	_ struct{}
}

// RepairReport is what Repair did. Entries are those of indexes.
type RepairReport struct {
	// Runs is how many runs and shared namespaces were looked at.
	Runs int `json:"runs"`
	// Added were missing, Removed belonged to nothing.
	Added   int `json:"added"`
	Removed int `json:"removed"`
	// Failed are runs of which something could not be read, and why. They are as they were.
	Failed []Problem `json:"failed"`

	_ struct{}
}

// Repair makes all that is derived what it should be: the index of runs, and of every run and
// shared namespace the indexes of events by type and of spans. It works beside all else, in short
// transactions, on runs that have ended, too; where all is right it writes nothing. What was lost
// and is no index it cannot bring back: see Salvage, and Restore.
//
// After an error, or a crash, what was done stays, and a second call does the rest. Cost: a lookup
// for every event, span and index entry.
//
// Errors: ErrRunNotFound and ErrInvalidArgument for a run that was asked for, and those of
// Tx.Commit.
func (d *DB) Repair(ctx context.Context, o RepairOptions) (*RepairReport, error) {
	x := repair{d: d, ctx: ctx, o: &o, report: &RepairReport{Failed: []Problem{}}}
	if err := x.run(); err != nil {
		return x.report, fmt.Errorf("repair: %w", txn.ContextError(err))
	}
	return x.report, nil
}

// repair is one Repair under way.
type repair struct {
	d      *DB
	ctx    context.Context
	o      *RepairOptions
	report *RepairReport
}

func (x *repair) run() error {
	if len(x.o.Runs) > 0 {
		for _, id := range x.o.Runs {
			r, err := x.d.Run(x.ctx, id)
			if err != nil {
				return err
			}
			done, err := r.Record().RebuildIndex(x.ctx)
			if err = x.note(r.scope, codec.RunIndex, done.Added, done.Removed, err); err != nil {
				return err
			}
			if err := x.scope(r.scope); err != nil {
				return err
			}
		}
		return nil
	}
	done, err := runindex.New(x.d.m.Scope(x.d.system), x.d.epoch).Rebuild(x.ctx)
	if err = x.note(x.d.system, codec.RunIndex, done.Added, done.Removed, err); err != nil {
		return err
	}
	return x.d.eachScope(x.ctx, func(s *backend.Scope, _ *codec.ScopeRecord) error {
		return x.scope(s)
	})
}

// scope mends the indexes of one scope.
func (x *repair) scope(s *backend.Scope) error {
	of := x.d.m.Scope(s)
	events, err := eventlog.New(of).RebuildIndex(x.ctx)
	err = x.note(s, codec.Events.Index(), int(events.Added), int(events.Removed), err)
	if err != nil {
		return err
	}
	spans, err := trace.New(of).RebuildIndexes(x.ctx)
	err = x.note(s, codec.Traces.Index(), spans.Added, spans.Removed, err)
	if err != nil {
		return err
	}
	if x.report.Runs++; x.o.Progress != nil {
		x.o.Progress(x.report.Runs)
	}
	return nil
}

// note takes into the report what was done. Damage is told, and the others go on.
func (x *repair) note(s *backend.Scope, p codec.Primitive, added, removed int, err error) error {
	x.report.Added += added
	x.report.Removed += removed
	switch {
	case errors.Is(err, ErrRunNotFound):
		return nil // it was deleted meanwhile
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrFormat):
		name, failed := scopeName(s.Record)
		if failed != nil {
			name = s.Record
		}
		x.report.Failed = append(x.report.Failed, Problem{
			Kind: ProblemUnreadable, Run: name, Scope: uint64(s.Number), Primitive: p.String(),
			Text: err.Error(),
		})
		return nil
	}
	return err
}

// eachScope calls f with all runs and shared namespaces that there are now, in the order of the
// keys of their records. Records that cannot be read are passed over.
func (d *DB) eachScope(
	ctx context.Context, f func(*backend.Scope, *codec.ScopeRecord) error,
) error {
	c := d.b.Scan(ctx, d.system, codec.ScopeRecords, backend.Range{}, d.b.Published())
	defer c.Close()
	for c.Next() {
		rec, err := codec.DecodeScopeRecord(c.Record().Value)
		if err != nil || rec.Kind == codec.KindImport {
			continue
		}
		s := &backend.Scope{Number: rec.Number, Record: c.Key(), Imported: rec.Imported > 0}
		if err := f(s, &rec); err != nil {
			return err
		}
	}
	return c.Err()
}
