package agents

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// traces are the operations of traces.
func (m *maker) traces() []measure.Workload {
	return []measure.Workload{
		m.workload("primitives/trace_minimal", "record a span (20 µs, aim 10)", recordTrial(0)),
		m.workload("primitives/trace_tags/3", "record a span with 3 tags (40 µs, aim 20)",
			recordTrial(3)),
		m.workload("primitives/trace_by_type", "list the 10 spans of a type, of 1,000 (200 µs, aim 100)",
			byTypeTrial),
		m.workload("primitives/trace_tree/13", "read a tree of 13 spans (150 µs, aim 70)", treeTrial),
	}
}

// span is the span that is recorded everywhere: without tags and attributes.
func span() inmem.Span { return inmem.Span{Type: inmem.SpanToolCall, Name: "search"} }

func recordTrial(tags int) func(context.Context, *world) (*measure.Trial, error) {
	return func(_ context.Context, w *world) (*measure.Trial, error) {
		var words []string
		for i := range tags {
			words = append(words, fmt.Sprintf("tag_%d", i))
		}
		return &measure.Trial{
			Op: func(ctx context.Context, _, i int) error {
				s := span()
				s.Tags = words
				_, err := w.run.Traces().Record(ctx, s)
				return err
			},
			Check: func(ctx context.Context, done []int) error {
				f := inmem.SpanFilter{Type: inmem.SpanToolCall}
				if tags > 0 {
					f = inmem.SpanFilter{Tag: words[tags-1]}
				}
				return w.expectSpans(ctx, f, sum(done))
			},
		}, nil
	}
}

// expectSpans checks how many spans there are of a kind.
func (w *world) expectSpans(ctx context.Context, f inmem.SpanFilter, want int) error {
	n, err := w.run.Traces().Count(ctx, f)
	if err != nil {
		return err
	}
	return expectEqual("number of spans", n, want)
}

func byTypeTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	const spans, of = 1000, 10
	for i := range spans {
		s := span()
		if i%(spans/of) == 0 {
			s.Type = inmem.SpanDecision
		}
		if _, err := w.run.Traces().Record(ctx, s); err != nil {
			return nil, err
		}
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		n := 0
		for s, err := range w.run.Traces().List(ctx, inmem.SpanFilter{Type: inmem.SpanDecision}) {
			if err != nil {
				return err
			}
			if err := expectEqual("type of a span", s.Type, inmem.SpanDecision); err != nil {
				return err
			}
			n++
		}
		return expectEqual("spans of a type", n, of)
	}}, nil
}

// treeTrial reads a root with three children, each of which has three.
func treeTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	root, err := w.run.Traces().Record(ctx, span())
	if err != nil {
		return nil, err
	}
	under := func(parent string) (string, error) {
		s := span()
		s.Parent = parent
		return w.run.Traces().Record(ctx, s)
	}
	for range 3 {
		child, err := under(root)
		if err != nil {
			return nil, err
		}
		for range 3 {
			if _, err := under(child); err != nil {
				return nil, err
			}
		}
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		tree, err := w.run.Traces().Tree(ctx, root)
		if err != nil {
			return err
		}
		n := 1
		for _, child := range tree.Children {
			n += 1 + len(child.Children)
		}
		return expectEqual("spans of a tree", n, 13)
	}}, nil
}
