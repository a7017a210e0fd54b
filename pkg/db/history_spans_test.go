package inmem_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
)

// Reading the spans of a scope.

var (
	spanIDs   = []string{"s0", "s1", "s1\x00", "s2", "\U0010ffff", "s4"}
	spanTags  = []string{"t", "t\x00", "tu", "z"}
	spanNames = []string{"", "search", "s\x00"}
	spanTypes = []inmem.SpanType{
		inmem.SpanToolCall, inmem.SpanDecision, inmem.SpanQuery, inmem.SpanThought,
		inmem.SpanError, inmem.SpanCustom,
	}
)

func spanText(s inmem.Span) string {
	return fmt.Sprintf("%q under %q %s %q %s..%s %q err %q %q op %q %q %q %q %q %q %q in %d out %d "+
		"cost %d %v", s.ID, s.Parent, s.Type, s.Name, clockText(s.Start), clockText(s.End), s.Tags,
		s.Error, s.ErrorType, s.Operation, s.Provider, s.Model, s.ResponseModel, s.ToolCallID,
		s.Agent, s.Conversation, s.InputTokens, s.OutputTokens, s.Cost, s.Attributes)
}

func bySpanTime(x, y inmem.Span) int {
	if c := x.Start.Compare(y.Start); c != 0 {
		return c
	}
	return strings.Compare(x.ID, y.ID)
}

// matching are the spans that a filter selects.
func (s *mirrorScope) matching(f inmem.SpanFilter) (spans []inmem.Span) {
	for _, p := range s.spans {
		if (f.Type == "" || p.Type == f.Type) && (f.Name == "" || p.Name == f.Name) &&
			(f.Tag == "" || slices.Contains(p.Tags, f.Tag)) &&
			(f.Since.IsZero() || !p.Start.Before(f.Since)) &&
			(f.Until.IsZero() || p.Start.Before(f.Until)) &&
			(f.Parent == "" || p.Parent == f.Parent) && (!f.Roots || p.Parent == "") &&
			(!f.Open || p.End.IsZero()) {
			spans = append(spans, p.Span)
		}
	}
	slices.SortFunc(spans, bySpanTime)
	if f.Reverse {
		slices.Reverse(spans)
	}
	if f.Limit > 0 && len(spans) > f.Limit {
		spans = spans[:f.Limit]
	}
	return spans
}

// spanReads look at all spans.
func spanReads(r *rand.Rand, at string, m *mirror) (all []deed) {
	middle := m.now
	var known []string
	if s := m.scopes[at]; s != nil && len(s.spans) > 0 {
		known = slices.Sorted(maps.Keys(s.spans))
		middle = s.spans[pick(r, known...)].Start
	}
	for _, id := range append(known, "none") {
		all = append(all, readSpan(at, id))
	}
	filters := []inmem.SpanFilter{
		{}, {Reverse: true, Limit: 3}, {Roots: true}, {Roots: true, Open: true, Reverse: true},
		{Open: true}, {Since: middle}, {Until: middle}, {Since: middle, Until: middle.Add(1)},
	}
	for _, typ := range spanTypes {
		filters = append(filters, inmem.SpanFilter{Type: typ},
			inmem.SpanFilter{Type: typ, Reverse: true, Until: middle.Add(1), Open: true})
	}
	for _, tag := range spanTags {
		filters = append(filters, inmem.SpanFilter{Tag: tag}, inmem.SpanFilter{Tag: tag,
			Type: pick(r, spanTypes...), Reverse: true})
	}
	for range 4 {
		filters = append(filters, drawFilter(r, middle))
	}
	for _, f := range filters {
		all = append(all, listSpans(at, f))
	}
	return append(all, countSpans(at), forest(at))
}

func drawFilter(r *rand.Rand, middle time.Time) (f inmem.SpanFilter) {
	maybe := func() bool { return r.IntN(3) == 0 }
	if maybe() {
		f.Type = pick(r, spanTypes...)
	}
	if maybe() {
		f.Tag = pick(r, spanTags...)
	}
	f.Name = pick(r, spanNames...)
	if maybe() {
		f.Parent = pick(r, spanIDs...)
	} else {
		f.Roots = maybe()
	}
	if maybe() {
		f.Since = middle
	}
	if maybe() {
		f.Until = middle.Add(time.Second)
	}
	f.Open, f.Reverse = maybe(), maybe()
	f.Limit = pick(r, 0, 0, 1, 2)
	return f
}

func spanList(spans []inmem.Span) string {
	var all []string
	for _, s := range spans {
		all = append(all, spanText(s))
	}
	return strings.Join(all, "; ")
}

func listSpans(at string, f inmem.SpanFilter) deed {
	return inScope(at, fmt.Sprintf("list spans %+v", f), func(h hands) string {
		t := h.place(at).Traces()
		text := lines(t.List(h.ctx, f), spanText)
		if failed(text) {
			return text
		}
		n, err := t.Count(h.ctx, f)
		return text + answer(err, " %d", n)
	}, func(_ *attempt, s *mirrorScope) string {
		spans := s.matching(f)
		return spanList(spans) + fmt.Sprintf(" %d", len(spans))
	}).inRange()
}

func countSpans(at string) deed {
	return inScope(at, "count spans by type", func(h hands) string {
		n, err := h.place(at).Traces().CountByType(h.ctx)
		return answer(err, "%v", n)
	}, func(_ *attempt, s *mirrorScope) string {
		n := map[inmem.SpanType]int{}
		for _, p := range s.spans {
			n[p.Type]++
		}
		return fmt.Sprint(n)
	}).inRange()
}

func treeText(n *trace.Node) string {
	text := spanText(n.Span) + " ("
	for _, c := range n.Children {
		text += treeText(c) + ", "
	}
	return text + ")"
}

// tree is a span with all under it, in words.
func (s *mirrorScope) tree(id string) string {
	text := spanText(s.spans[id].Span) + " ("
	for _, c := range s.matching(inmem.SpanFilter{Parent: id}) {
		text += s.tree(c.ID) + ", "
	}
	return text + ")"
}

// under are the spans of a subtree.
func (s *mirrorScope) under(id string) []inmem.Span {
	all := []inmem.Span{s.spans[id].Span}
	for _, c := range s.matching(inmem.SpanFilter{Parent: id}) {
		all = append(all, s.under(c.ID)...)
	}
	return all
}

func rollupText(r trace.Rollup) string {
	return fmt.Sprintf("%+v %s %s %v %+v", r.Totals, clockText(r.First), clockText(r.Last),
		r.Duration, r.ByType)
}

func plus(t trace.Totals, s inmem.Span) trace.Totals {
	t.Spans++
	t.InputTokens += s.InputTokens
	t.OutputTokens += s.OutputTokens
	t.Cost += s.Cost
	if s.End.IsZero() {
		t.Open++
	}
	if s.Type == inmem.SpanError || s.Error != "" || s.ErrorType != "" {
		t.Errors++
	}
	return t
}

func addUp(spans []inmem.Span) string {
	r := trace.Rollup{ByType: map[inmem.SpanType]trace.Totals{}}
	for _, s := range spans {
		r.Totals, r.ByType[s.Type] = plus(r.Totals, s), plus(r.ByType[s.Type], s)
		last := s.End
		if last.IsZero() {
			last = s.Start
		}
		if r.First.IsZero() || s.Start.Before(r.First) {
			r.First = s.Start
		}
		if last.After(r.Last) {
			r.Last = last
		}
	}
	r.Duration = r.Last.Sub(r.First)
	return rollupText(r)
}

func readSpan(at, id string) deed {
	return inScope(at, fmt.Sprintf("span %q", id), func(h hands) string {
		t := h.place(at).Traces()
		p, ok, err := t.Get(h.ctx, id)
		if err != nil {
			return word(err)
		}
		tree, err := t.Tree(h.ctx, id)
		if !ok {
			return word(err)
		}
		if err != nil || spanText(tree.Span) != spanText(p) {
			return fmt.Sprintf("tree says %v (%v), get %+v", tree, err, p)
		}
		rollup, err := t.Rollup(h.ctx, id)
		children := lines(t.Children(h.ctx, id), spanText)
		return treeText(tree) + answer(err, "%s", rollupText(rollup)) + children
	}, func(_ *attempt, s *mirrorScope) string {
		if _, ok := s.spans[id]; !ok {
			return "not found"
		}
		return s.tree(id) + addUp(s.under(id)) + spanList(s.matching(inmem.SpanFilter{Parent: id}))
	}).inRange()
}

func forest(at string) deed {
	return inScope(at, "forest", func(h hands) string {
		t := h.place(at).Traces()
		trees, err := t.Forest(h.ctx)
		if err != nil {
			return word(err)
		}
		var all []string
		for _, n := range trees {
			all = append(all, treeText(n))
		}
		rollup, err := t.RollupRun(h.ctx)
		return strings.Join(all, "; ") + answer(err, "%s", rollupText(rollup))
	}, func(_ *attempt, s *mirrorScope) string {
		var all []string
		for _, root := range s.matching(inmem.SpanFilter{Roots: true}) {
			all = append(all, s.tree(root.ID))
		}
		return strings.Join(all, "; ") + addUp(s.matching(inmem.SpanFilter{}))
	}).inRange()
}
