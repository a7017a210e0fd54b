package inmem_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// drawSpanWrite draws the start, the end, the record or a change of a span.
func drawSpanWrite(r *rapid.T, at string, m *mirror) deed {
	id := some(r, append(spanIDs, "")...)
	what := some(r, "record", "start", "start", "end", "end", "update")
	if s := m.scopes[at]; s != nil && !odds(r, 3) && (what == "end" || what == "update") {
		id = some(r, append([]string{id}, slices.Sorted(maps.Keys(s.spans))...)...)
	}
	switch what {
	case "record":
		return recordSpan(at, drawSpan(r, id, m.now), false)
	case "start":
		return recordSpan(at, drawSpan(r, id, m.now), true)
	case "end":
		return endSpan(at, id, drawSpanEnd(r, m.now))
	}
	return updateSpan(r, at, id)
}

func drawTags(r *rapid.T, from []string) (tags []string) {
	for range evenly(r, 4) {
		tags = append(tags, some(r, from...))
	}
	return tags
}

func drawAttributes(r *rapid.T) inmem.Value {
	one, _ := inmem.ValueOf(map[string]any{"k": 1, "": "e"})
	two, _ := inmem.ValueOf(map[string]any{"k": "new", "deep": []any{nil, 2.5}})
	return some(r,
		inmem.Null(), inmem.Null(), one, two, inmem.Int(1))
}

func drawSpan(r *rapid.T, id string, now time.Time) inmem.Span {
	s := inmem.Span{
		ID: id, Type: some(r, append(append(spanTypes, spanTypes...), "")...),
		Name: some(r, spanNames...), Tags: drawTags(r, spanTags),
		Parent:      some(r, "", "", "", "s0", "s1", "none"),
		InputTokens: int64(evenly(r, 101)), OutputTokens: 7,
		Cost: inmem.Cost(evenly(r, 10)), Attributes: drawAttributes(r),
		Model: some(r, "", "m"),
	}
	if s.Model != "" {
		s.Operation, s.Provider, s.ResponseModel = "chat", "p\x00", "m-1"
		s.ToolCallID, s.Agent, s.Conversation = "call", "agent", "talk"
	}
	if off := evenly(r, 5) - 3; off != 0 {
		s.Start = now.Add(time.Duration(off) * time.Second)
	}
	if odds(r, 6) {
		s.End = now.Add(-time.Second)
	}
	if odds(r, 5) {
		s.Error, s.ErrorType = "it broke", "timeout"
	}
	return s
}

func tagSet(tags []string) []string {
	tags = slices.Sorted(slices.Values(tags))
	return slices.Compact(tags)
}

// invalid is what is wrong with a span by itself.
func invalid(s inmem.Span) (said []string) {
	if s.Type == "" || s.Type == inmem.SpanCustom && s.Name == "" ||
		!s.End.IsZero() && s.End.Before(s.Start) {
		said = append(said, "invalid argument")
	}
	if s.Attributes == inmem.Int(1) {
		said = append(said, "type mismatch")
	}
	return said
}

// recordSpan records a span that is over, or starts one.
func recordSpan(at string, span inmem.Span, open bool) deed {
	given := span.ID
	d := inScope(at, fmt.Sprintf("record (open %v) %s", open, spanText(span)),
		func(h hands) string {
			t := h.place(at).Traces()
			record := t.Record
			if open {
				record = t.Start
			}
			id, err := record(h.ctx, span)
			if err == nil {
				span.ID = id
			}
			return answer(err, "ok")
		}, func(a *attempt, s *mirrorScope) string {
			p := span
			if p.Start.IsZero() {
				p.Start = a.now
			}
			if !open && p.End.IsZero() {
				p.End = a.now
				if p.Start.After(a.now) {
					p.End = p.Start
				}
			}
			said := invalid(p)
			if open && !p.End.IsZero() {
				said = append(said, "invalid argument")
			}
			if _, ok := s.spans[given]; ok && given != "" {
				said = append(said, "exists")
			}
			if _, ok := s.spans[p.Parent]; !ok && p.Parent != "" {
				said = append(said, "not found")
			}
			if said != nil {
				return strings.Join(said, "|")
			}
			p.Tags = tagSet(p.Tags)
			s.spans[p.ID] = mirrorSpan{p, pending}
			return "ok"
		})
	d.parent, d.once = span.Parent != "", given == ""
	return d
}

func drawSpanEnd(r *rapid.T, now time.Time) inmem.SpanEnd {
	e := inmem.SpanEnd{
		InputTokens: int64(evenly(r, 4)), Attributes: drawAttributes(r),
		Cost: inmem.Cost(evenly(r, 4)),
	}
	if off := evenly(r, 9) - 4; off != 0 {
		e.Time = now.Add(time.Duration(off) * time.Second)
	}
	if odds(r, 4) {
		e.Error, e.ErrorType, e.ResponseModel, e.OutputTokens = "broke", "x", "m-2", 9
	}
	return e
}

// merged are attributes with others added.
func merged(old, more inmem.Value) inmem.Value {
	if more.IsNull() {
		return old
	}
	all := map[string]inmem.Value{}
	for _, v := range []inmem.Value{old, more} {
		for key, x := range v.Entries() {
			all[key] = x
		}
	}
	v, _ := inmem.ValueOf(all)
	return v
}

func endSpan(at, id string, e inmem.SpanEnd) deed {
	return inScope(at, fmt.Sprintf("end span %q %+v", id, e), func(h hands) string {
		return word(h.place(at).Traces().End(h.ctx, id, e))
	}, func(a *attempt, s *mirrorScope) string {
		var said []string
		p, ok := s.spans[id]
		if id == "" {
			said = append(said, "invalid argument")
		}
		if !ok {
			said = append(said, "not found")
		} else if !p.End.IsZero() {
			said = append(said, "ended")
		}
		end := e.Time
		if end.IsZero() {
			end = a.now
			if p.Start.After(a.now) {
				end = p.Start
			}
		}
		if end.Before(p.Start) {
			said = append(said, "invalid argument")
		}
		if e.Attributes == inmem.Int(1) {
			said = append(said, "type mismatch")
		}
		if said != nil {
			return strings.Join(said, "|")
		}
		p.End, p.version = end, pending
		p.Attributes = merged(p.Attributes, e.Attributes)
		p.finish(e)
		s.spans[id] = p
		return "ok"
	})
}

// finish takes over what is not zero.
func (p *mirrorSpan) finish(e inmem.SpanEnd) {
	if e.Error != "" {
		p.Error = e.Error
	}
	if e.ErrorType != "" {
		p.ErrorType = e.ErrorType
	}
	if e.ResponseModel != "" {
		p.ResponseModel = e.ResponseModel
	}
	if e.InputTokens != 0 {
		p.InputTokens = e.InputTokens
	}
	if e.OutputTokens != 0 {
		p.OutputTokens = e.OutputTokens
	}
	if e.Cost != 0 {
		p.Cost = e.Cost
	}
}

// updateSpan changes tags and name, sometimes ends the span, sometimes changes what stays.
func updateSpan(r *rapid.T, at, id string) deed {
	tags, name := drawTags(r, spanTags), some(r, spanNames...)
	what := some(r, "tags", "tags", "name", "end", "nothing", "type", "fail")
	change := func(s *inmem.Span) error {
		switch what {
		case "tags":
			s.Tags = tags
		case "name":
			s.Name = name
		case "end":
			s.End = s.Start.Add(time.Second)
		case "type":
			s.Type, s.Name = spanTypes[(slices.Index(spanTypes, s.Type)+1)%len(spanTypes)], "n"
		case "fail":
			s.Tags = nil
			return errAbort
		}
		return nil
	}
	return inScope(at, fmt.Sprintf("update %s of span %q %q %q", what, id, tags, name),
		func(h hands) string {
			return word(h.place(at).Traces().Update(h.ctx, id, change))
		}, func(_ *attempt, s *mirrorScope) string {
			p, ok := s.spans[id]
			if !ok {
				if id == "" {
					return "not found|invalid argument"
				}
				return "not found"
			}
			was := p.Span
			if change(&p.Span) != nil {
				return "abort"
			}
			if what == "end" && !was.End.IsZero() && !was.End.Equal(p.End) || what == "type" {
				return "invalid argument"
			}
			if said := invalid(p.Span); said != nil {
				return strings.Join(said, "|")
			}
			p.Tags = tagSet(p.Tags)
			if spanText(p.Span) != spanText(was) {
				p.version = pending
				s.spans[id] = p
			}
			return "ok"
		})
}
