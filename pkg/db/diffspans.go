package inmem

import (
	"fmt"
	"iter"
	"slices"

	"github.com/inmem-db/inmem/internal/diff"
	"github.com/inmem-db/inmem/pkg/codec"
)

// spans compares the spans, in the order of their start.
func (c *comparison) spans() error {
	var steps [2]diff.Steps
	for i := range steps {
		view := c.sides[i].view
		n, err := view.Traces().Count(c.ctx, SpanFilter{})
		if err != nil {
			return err
		}
		steps[i] = diff.Steps{
			Len:      uint64(n),
			Forward:  func(uint64) diff.Source { return c.spansOf(view, SpanFilter{}) },
			Backward: func() diff.Source { return c.spansOf(view, SpanFilter{Reverse: true}) },
		}
	}
	return c.steps(diff.Traces, steps, 0, &c.report.Spans, c.spanDetail)
}

// spanDetail is the detail of a span: what is compared of it.
func (c *comparison) spanDetail(v *View, s *diff.Step) (Value, error) {
	span, ok, err := v.Traces().Get(c.ctx, s.ID)
	if err == nil && !ok {
		err = fmt.Errorf("%w: span %q is missing", ErrCorrupt, s.ID)
	}
	if err != nil {
		return Value{}, err
	}
	s.Name = span.Name
	if s.Version, err = v.Traces().Created(c.ctx, span); err != nil {
		return Value{}, err
	}
	entries := map[string]Value{}
	for _, f := range spanFields {
		if x := f.of(&span); !x.IsNull() {
			entries[f.name] = x
		}
	}
	all, err := codec.Map(entries)
	if err != nil {
		return Value{}, err
	}
	return diff.Without(all, c.o.Ignore)
}

// spanFields are what is compared of a span besides type and name; Null is what it does not have.
var spanFields = []struct {
	name string
	of   func(*Span) Value
}{
	{"operation", func(s *Span) Value { return orNull(s.Operation) }},
	{"provider", func(s *Span) Value { return orNull(s.Provider) }},
	{"model", func(s *Span) Value { return orNull(s.Model) }},
	{"error", func(s *Span) Value { return orNull(s.Error) }},
	{"error_type", func(s *Span) Value { return orNull(s.ErrorType) }},
	{"open", func(s *Span) Value {
		if s.IsOpen() {
			return codec.Bool(true)
		}
		return codec.Null()
	}},
	{"attributes", func(s *Span) Value { return s.Attributes }},
}

func orNull(text string) Value {
	if text == "" {
		return codec.Null()
	}
	return codec.String(text)
}

// spanSource walks the spans of a run.
type spanSource struct {
	c    *comparison
	pull func() (Span, error, bool)
	stop func()
	span Span
	args []byte
	err  error
}

func (c *comparison) spansOf(v *View, f SpanFilter) diff.Source {
	s := &spanSource{c: c}
	s.pull, s.stop = iter.Pull2(v.Traces().List(c.ctx, f))
	return s
}

// Next implements diff.Source.
func (s *spanSource) Next() bool {
	if s.err != nil {
		return false
	}
	var ok bool
	if s.span, s.err, ok = s.pull(); !ok || s.err != nil {
		return false
	}
	s.args, s.err = s.encode(s.args[:0])
	return s.err == nil
}

// encode appends what is compared of the span: its name, and the fields after each other.
func (s *spanSource) encode(dst []byte) ([]byte, error) {
	dst, err := codec.AppendValue(dst, codec.String(s.span.Name))
	for i := range spanFields {
		if err != nil {
			return dst, err
		}
		var v Value
		if f := &spanFields[i]; !slices.Contains(s.c.o.Ignore, f.name) {
			if v, err = diff.Without(f.of(&s.span), s.c.o.Ignore); err != nil {
				return dst, err
			}
		}
		dst, err = codec.AppendValue(dst, v)
	}
	return dst, err
}

// Type implements diff.Source.
func (s *spanSource) Type() string { return string(s.span.Type) }

// Args implements diff.Source.
func (s *spanSource) Args() []byte { return s.args }

// Step implements diff.Source.
func (s *spanSource) Step() diff.Step {
	return diff.Step{ID: s.span.ID, Type: string(s.span.Type), Time: s.span.Start}
}

// Name implements diff.Source.
func (s *spanSource) Name() string { return s.span.Name }

// Err implements diff.Source.
func (s *spanSource) Err() error { return s.err }

// Close implements diff.Source.
func (s *spanSource) Close() { s.stop() }
