package inmem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/statecell"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ProblemKind says what is wrong with something that is stored. docs/verify.md says what each kind
// means, and what to do about it.
type ProblemKind = backend.ProblemKind

// The kinds of problems.
const (
	ProblemGuard      = backend.ProblemGuard      // the file INMEM and what lies there disagree
	ProblemTable      = backend.ProblemTable      // a table file is damaged or missing
	ProblemUnreadable = backend.ProblemUnreadable // records lie in a damaged block
	ProblemKey        = backend.ProblemKey        // a key that nothing has
	ProblemCommit     = backend.ProblemCommit     // the chain of commits is broken
	ProblemJournal    = backend.ProblemJournal    // a run's journal and its commits disagree
	ProblemMissing    = backend.ProblemMissing    // what a commit wrote is not there
	ProblemStray      = backend.ProblemStray      // what no commit wrote is there
	ProblemValue      = backend.ProblemValue      // what is stored under a key cannot be right
	ProblemEvent      = backend.ProblemEvent      // the chain of an event log is broken
	ProblemIndex      = backend.ProblemIndex      // an index entry is missing or surplus
	ProblemDeadline   = backend.ProblemDeadline   // the index by deadline is not right
	ProblemRecord     = backend.ProblemRecord     // the record of a run is not right
	ProblemFork       = backend.ProblemFork       // what a fork reads through is not there
	ProblemGrave      = backend.ProblemGrave      // what is left of a deleted run is not right
	ProblemHorizon    = backend.ProblemHorizon    // what retention says it has removed is not right
)

// Problem is one thing that Verify found.
type Problem struct {
	// Kind says what is wrong.
	Kind ProblemKind `json:"kind"`
	// Run is the id of the run, or the name of the shared namespace (Namespace.String), that it is
	// about; empty for what belongs to the database.
	Run string `json:"run,omitempty"`
	// Scope is the number of the run in the database, 0 for what belongs to the database.
	Scope uint64 `json:"scope,omitempty"`
	// Primitive is the letter of docs/format.md, empty if it is about none.
	Primitive string `json:"primitive,omitempty"`
	// Key is the key as it is stored, Version the version; empty and 0 if it is about none.
	Key     string `json:"key,omitempty"`
	Version uint64 `json:"version,omitempty"`
	// Text says what was found against what was expected.
	Text string `json:"text"`
}

// Derived reports whether Repair mends it: nothing was lost but what can be made again.
func (p *Problem) Derived() bool { return p.Kind == ProblemIndex }

// String is the problem in one line.
func (p *Problem) String() string {
	text := string(p.Kind) + ": "
	if p.Run != "" {
		text += p.Run + ": "
	}
	if p.Key != "" {
		text += fmt.Sprintf("%s %.80q: ", p.Primitive, p.Key)
	}
	if p.Version != 0 {
		text += fmt.Sprintf("version %d: ", p.Version)
	}
	return text + p.Text
}

// VerifyOptions configure Verify. The zero value looks at everything.
type VerifyOptions struct {
	// Runs are ids of the runs to look at. What belongs to the database, its files among it, is
	// checked only if there are none.
	Runs []string
	// Problems is how many problems the report lists; default 1000. All are counted.
	Problems int
	// Progress, if not nil, is told after every run how many of all were looked at.
	Progress func(done, total int)

	_ struct{}
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	// Version is that of the newest commit that was looked at.
	Version uint64 `json:"version"`
	// Runs counts the runs and shared namespaces.
	Runs int `json:"runs"`
	// Commits are those on record: of deleted runs they go in the course of time. Events and Spans are
	// what there is in the runs.
	Commits uint64 `json:"commits"`
	Events  uint64 `json:"events"`
	Spans   uint64 `json:"spans"`
	// Records are the versions of keys of all kinds, Bytes their keys and values.
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`
	// Tables are the files whose every block was held to its checksum.
	Tables int `json:"tables"`
	// Problems are the first ones, Found is how many there are.
	Problems []Problem `json:"problems"`
	Found    int       `json:"found"`

	_ struct{}
}

// Sound reports whether nothing was found.
func (r *VerifyReport) Sound() bool { return r.Found == 0 }

// defaultProblems is how many problems a report lists.
const defaultProblems = 1000

// Verify looks over everything that is stored: the files and the one that guards them, the chain of
// commits, the journal of every run against it and against what is there, every value, the chains
// of events, all indexes, deadlines, forks, what deletions and retention have left. It goes on
// behind what is damaged, and changes nothing. Problems are no error: the report has them.
//
// It sees the database at one version (the indexes of spans and runs at one that is as new, or
// newer), beside all other work. Cost: everything is read, tables a second time as files; memory
// for about a hundred bytes per run and what the report lists.
//
// Errors: ErrRunNotFound and ErrInvalidArgument for a run that was asked for, ErrTimeout,
// ErrCanceled, ErrStorage, ErrClosed.
func (d *DB) Verify(ctx context.Context, o VerifyOptions) (*VerifyReport, error) {
	v := verification{
		d: d, ctx: ctx, report: &VerifyReport{Problems: []Problem{}}, most: o.Problems,
		traced: map[codec.Scope]string{}, governed: map[codec.Scope]string{},
		vectored: map[codec.Scope]string{},
		told:     map[codec.Scope]bool{},
	}
	if v.most <= 0 {
		v.most = defaultProblems
	}
	if err := v.run(&o); err != nil {
		return nil, fmt.Errorf("verify: %w", txn.ContextError(err))
	}
	return v.report, nil
}

// verification is one Verify under way.
type verification struct {
	d      *DB
	ctx    context.Context
	report *VerifyReport
	most   int
	// Scopes with spans and machines of their own, and the keys of their records; and those of whose
	// spans something could not be read.
	traced, governed, vectored map[codec.Scope]string
	told                       map[codec.Scope]bool
}

func (v *verification) run(o *VerifyOptions) error {
	store, ok := v.d.b.(backend.Inspector)
	if !ok {
		return fmt.Errorf("%w: there is nothing stored to be verified", ErrInvalidArgument)
	}
	co := backend.CheckOptions{Judge: v.judge, Progress: o.Progress}
	for _, id := range o.Runs {
		r, err := v.d.Run(v.ctx, id)
		if err != nil {
			return err
		}
		co.Scopes = append(co.Scopes, r.scope.Number)
	}
	info, err := store.Check(v.ctx, co, v.note)
	if err != nil {
		return err
	}
	r := v.report
	r.Version, r.Runs, r.Commits, r.Events = info.Version, info.Scopes, info.Commits, info.Events
	r.Records, r.Tables, r.Bytes = info.Records, info.Tables, info.Bytes
	return v.d.m.View(v.ctx, func(view *txn.View) error {
		if len(o.Runs) == 0 {
			if err := v.runIndex(view); err != nil {
				return err
			}
		}
		for _, n := range slices.Sorted(maps.Keys(v.traced)) {
			s := &backend.Scope{Number: n, Record: v.traced[n]}
			if err := v.spans(s, view.Scope(s)); err != nil {
				return err
			}
		}
		for _, n := range slices.Sorted(maps.Keys(v.governed)) {
			s := &backend.Scope{Number: n, Record: v.governed[n]}
			if err := v.machines(s, view.Scope(s)); err != nil {
				return err
			}
		}
		for _, n := range slices.Sorted(maps.Keys(v.vectored)) {
			s := &backend.Scope{Number: n, Record: v.vectored[n]}
			if err := v.vectors(s, view.Scope(s)); err != nil {
				return err
			}
		}
		return nil
	})
}

// note takes a problem into the report.
func (v *verification) note(p backend.Problem) {
	switch p.Primitive {
	case codec.Traces, codec.Traces.Index():
		v.told[p.Scope] = true
	case codec.RunIndex, codec.ScopeRecords:
		v.told[codec.SystemScope] = v.told[codec.SystemScope] || p.Scope == codec.SystemScope
	}
	v.report.Found++
	if len(v.report.Problems) >= v.most {
		return
	}
	x := Problem{
		Kind: p.Kind, Scope: uint64(p.Scope), Key: p.Key, Version: p.Version, Text: p.Text,
	}
	if p.Primitive != 0 {
		x.Primitive = p.Primitive.String()
	}
	if p.Record != "" {
		name, err := scopeName(p.Record)
		if x.Run = name; err != nil {
			x.Run = p.Record
		}
	}
	v.report.Problems = append(v.report.Problems, x)
}

// judge says whether a version of a key can be what its primitive wrote.
func (v *verification) judge(r *backend.StoredRecord) (err error) {
	switch {
	case r.Scope == codec.SystemScope:
	case r.Primitive == codec.Traces, r.Primitive == codec.Traces.Index():
		v.traced[r.Scope] = r.Record
	case r.Primitive == codec.Machines, r.Primitive == codec.Cells:
		v.governed[r.Scope] = r.Record
	case r.Primitive == codec.Vectors:
		v.vectored[r.Scope] = r.Record
	}
	if r.Deleted || r.Primitive.IsIndex() {
		return nil
	}
	if r.Scope == codec.SystemScope {
		return judgeRecord(r)
	}
	switch r.Primitive {
	case codec.KV, codec.Cells:
		_, err = codec.DecodeValue(r.Value)
	case codec.Extensions:
		if _, _, err = splitExtension(r.Key); err == nil {
			_, err = codec.DecodeValue(r.Value)
		}
	case codec.Machines:
		_, err = statecell.DecodeMachine(r.Value)
	case codec.Traces:
		_, err = trace.Decode(r.Key, r.Value)
	case codec.Vectors:
		err = vectors.Check(r.Key, r.Value)
	}
	return err
}

// judgeRecord says whether the record of a scope lies where it belongs.
func judgeRecord(r *backend.StoredRecord) error {
	if r.Primitive == codec.Meta {
		_, err := codec.DecodeValue(r.Value)
		return err
	}
	rec, err := codec.DecodeScopeRecord(r.Value)
	if err != nil {
		return err
	}
	want := uuid.UUID(rec.ID).String()
	if rec.Kind == codec.KindShared {
		want = codec.SharedKey(rec.Tenant, rec.App, rec.Agent)
	}
	if want != r.Key {
		err = fmt.Errorf("%w: it is the record of %q", ErrCorrupt, want)
	}
	return err
}

// passes tells whether verification goes on behind an error: what was damaged is a problem, and a
// run that was deleted meanwhile none.
func (v *verification) passes(s *backend.Scope, p codec.Primitive, err error) error {
	switch {
	case errors.Is(err, ErrRunNotFound):
		return nil
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrFormat):
		if !v.told[s.Number] {
			v.note(backend.Problem{
				Kind: ProblemUnreadable, Scope: s.Number, Record: s.Record, Primitive: p,
				Text: err.Error(),
			})
		}
		return nil
	}
	return err
}
