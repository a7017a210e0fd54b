package inmem

import (
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/primitives/statecell"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/txn"
)

// The part of Verify that knows what a primitive means by what it stores.

// runIndex compares the index of runs with their records.
func (v *verification) runIndex(view *txn.View) error {
	r, err := runindex.New(view.Scope(v.d.system), v.d.epoch).Verify(v.ctx)
	if err != nil {
		return v.passes(v.d.system, codec.RunIndex, err)
	}
	for _, f := range r.Faults {
		v.note(backend.Problem{
			Kind: ProblemIndex, Primitive: codec.RunIndex, Record: f.Run, Key: f.Key,
			Text: "an entry of the index of runs is " + missingOrSurplus(f.Missing),
		})
	}
	v.report.Found += r.Missing + r.Surplus - len(r.Faults)
	return nil
}

func missingOrSurplus(missing bool) string {
	if missing {
		return "missing"
	}
	return "surplus"
}

// spans compares the indexes of spans with the spans, and looks for their parents.
func (v *verification) spans(s *backend.Scope, scope txn.Scope) error {
	if err := v.parents(s, scope); err != nil {
		return v.passes(s, codec.Traces, err)
	}
	r, err := trace.New(scope).VerifyIndexes(v.ctx)
	if err != nil {
		return v.passes(s, codec.Traces.Index(), err)
	}
	faults := 0
	for _, k := range r.Kinds {
		faults += k.Missing + k.Surplus
	}
	for _, f := range r.Faults {
		v.note(backend.Problem{
			Kind: ProblemIndex, Scope: s.Number, Record: s.Record, Primitive: codec.Traces.Index(),
			Key: f.Key, Text: fmt.Sprintf("an entry of the index of spans by %q, about span %q, is %s",
				f.Kind, f.Span, missingOrSurplus(f.Missing)),
		})
	}
	v.report.Found += faults - len(r.Faults)
	return nil
}

// parents looks for the parent of every span.
func (v *verification) parents(s *backend.Scope, scope txn.Scope) error {
	c := scope.Scan(v.ctx, codec.Traces, txn.Range{})
	defer c.Close()
	for c.Next() {
		v.report.Spans++
		span, err := trace.Decode(c.Key(), c.Entry().Value)
		if err != nil {
			continue // it was judged
		}
		if span.Parent == "" {
			continue
		}
		e, err := scope.Peek(v.ctx, codec.Traces, span.Parent)
		if err != nil {
			return err
		}
		if !e.Exists {
			v.note(backend.Problem{
				Kind: ProblemValue, Scope: s.Number, Record: s.Record, Primitive: codec.Traces,
				Key: c.Key(), Version: c.Entry().Version,
				Text: fmt.Sprintf("its parent, span %q, is not there", span.Parent),
			})
		}
	}
	return c.Err()
}

// machines holds governed cells to the states of their machines.
func (v *verification) machines(s *backend.Scope, scope txn.Scope) error {
	return v.passes(s, codec.Machines, v.states(s, scope))
}

func (v *verification) states(s *backend.Scope, scope txn.Scope) error {
	c := scope.Scan(v.ctx, codec.Machines, txn.Range{})
	defer c.Close()
	for c.Next() {
		m, err := statecell.DecodeMachine(c.Entry().Value)
		if err != nil {
			continue // it was judged
		}
		e, err := scope.Peek(v.ctx, codec.Cells, c.Key())
		if err != nil {
			return err
		}
		if !e.Exists {
			continue
		}
		value, err := codec.DecodeValue(e.Value)
		if err != nil {
			continue // it was judged
		}
		if state, err := value.AsString(); err != nil || !hasState(&m, state) {
			v.note(backend.Problem{
				Kind: ProblemValue, Scope: s.Number, Record: s.Record, Primitive: codec.Cells,
				Key: c.Key(), Version: e.Version,
				Text: "the cell holds what is no state of the machine that governs it",
			})
		}
	}
	return c.Err()
}

// hasState tells whether a machine declares a state.
func hasState(m *statecell.Machine, state string) bool {
	return m.Initial == state || slices.Contains(m.Terminal, state) ||
		slices.ContainsFunc(m.Transitions, func(t statecell.Transition) bool {
			return t.From == state || t.To == state
		})
}
