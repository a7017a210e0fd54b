package simtest

import (
	"fmt"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

var (
	spanTypes = []inmem.SpanType{
		inmem.SpanToolCall, inmem.SpanDecision, inmem.SpanQuery, inmem.SpanThought,
	}
	spanIDs = []string{"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s\x00", "none"}
)

// drawSpan draws a span, under another one perhaps.
func (e *episode) drawSpan(d *args) inmem.Span {
	start := e.clock().Add(time.Duration(d.below(10)-5) * time.Second)
	s := inmem.Span{
		ID: one(d, spanIDs[:9]...), Type: one(d, spanTypes...), Name: one(d, "search", "book"),
		Start: start, InputTokens: int64(d.below(100)), Cost: inmem.Cost(d.below(1000)),
	}
	if d.odds(3) {
		s.Parent = one(d, spanIDs...)
	}
	for range d.below(3) {
		s.Tags = append(s.Tags, one(d, tags...))
	}
	return s
}

// The spans of a run.
var spanKinds = []kind{
	{"span-start", 8, func(e *episode, a Action) {
		d := a.draws()
		x := e.drawSpan(d)
		e.write(a, d, fmt.Sprintf("start span %q under %q", x.ID, x.Parent), func(p place) string {
			id, err := p.Traces().Start(e.ctx, x)
			return answer(err, "%q", id)
		})
	}},
	{"span-record", 4, func(e *episode, a Action) {
		d := a.draws()
		x := e.drawSpan(d)
		x.End = x.Start.Add(time.Duration(d.below(5)) * time.Second)
		e.write(a, d, fmt.Sprintf("record span %q under %q", x.ID, x.Parent), func(p place) string {
			id, err := p.Traces().Record(e.ctx, x)
			return answer(err, "%q", id)
		})
	}},
	{"span-end", 6, func(e *episode, a Action) {
		d := a.draws()
		id := one(d, spanIDs...)
		end := inmem.SpanEnd{OutputTokens: int64(d.below(50)), Error: one(d, "", "", "boom")}
		e.write(a, d, fmt.Sprintf("end span %q", id), func(p place) string {
			return word(p.Traces().End(e.ctx, id, end))
		})
	}},
	{"span-update", 4, func(e *episode, a Action) {
		d := a.draws()
		id, tag, model := one(d, spanIDs...), one(d, tags...), one(d, "opus", "sonnet")
		e.write(a, d, fmt.Sprintf("update span %q", id), func(p place) string {
			return word(p.Traces().Update(e.ctx, id, func(s *inmem.Span) error {
				s.Tags, s.Model = []string{tag}, model
				return nil
			}))
		})
	}},
	{"span-read", 8, func(e *episode, a Action) {
		d := a.draws()
		id := one(d, spanIDs...)
		f := one(d, inmem.SpanFilter{}, inmem.SpanFilter{Type: one(d, spanTypes...)},
			inmem.SpanFilter{Tag: one(d, tags...), Reverse: true}, inmem.SpanFilter{Roots: true},
			inmem.SpanFilter{Open: true, Limit: 2}, inmem.SpanFilter{Since: e.clock()})
		e.read(a, d, fmt.Sprintf("spans %+v, %q", f, id), func(p place) string {
			t := p.Traces()
			x, ok, err := t.Get(e.ctx, id)
			said := answer(err, "%v %s ", ok, spanText(x)) + lines(t.List(e.ctx, f), spanText)
			n, err := t.Count(e.ctx, f)
			said += answer(err, " count %d", n)
			sum, err := t.Rollup(e.ctx, id)
			return said + answer(err, " sum %+v", sum) + lines(t.Children(e.ctx, id), spanText)
		})
	}},
}

func spanText(s inmem.Span) string {
	return fmt.Sprint(s.ID, " ", s.Parent, " ", s.Type, s.Name, clock(s.Start), clock(s.End), s.Tags,
		s.Error, s.Model, s.InputTokens, s.OutputTokens, s.Cost)
}
