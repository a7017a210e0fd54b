package trace

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Filter selects spans: those that meet every condition that is set. The zero value selects all.
type Filter struct {
	// Type, Name and Tag are what a span has.
	Type      SpanType
	Name, Tag string
	// Since and Until bound the start: not before Since, before Until. Zero is no bound.
	Since, Until time.Time
	// Parent keeps the children of one span, Roots the spans without a parent.
	Parent string
	Roots  bool
	// Open keeps the spans that have not ended.
	Open bool
	// Reverse begins with the latest.
	Reverse bool
	// Limit is the most spans to return; 0 is no limit.
	Limit int

	_ struct{}
}

// check refuses what can never be meant, and widens times to what can be stored.
func (f *Filter) check() error {
	switch {
	case f.Limit < 0:
		return invalid("limit %d, must not be negative", f.Limit)
	case f.Parent != "" && f.Roots:
		return invalid("roots have no parent")
	case f.Type != "" && !slices.Contains(spanTypes, f.Type):
		return invalid("span type %q", clip(string(f.Type)))
	case !f.Since.IsZero() && !f.Until.IsZero() && f.Since.After(f.Until):
		return invalid("since %v is after until %v", f.Since, f.Until)
	}
	for _, name := range []struct{ what, text string }{
		{"name", f.Name}, {"tag", f.Tag}, {"parent", f.Parent},
	} {
		if name.text != "" {
			if err := checkName(name.what, name.text); err != nil {
				return err
			}
		}
	}
	return nil
}

// matches reports whether a span meets every condition.
func (f *Filter) matches(s *Span) bool {
	return (f.Type == "" || s.Type == f.Type) &&
		(f.Name == "" || s.Name == f.Name) &&
		(f.Tag == "" || slices.Contains(s.Tags, f.Tag)) &&
		(f.Since.IsZero() || !s.Start.Before(f.Since)) &&
		(f.Until.IsZero() || s.Start.Before(f.Until)) &&
		(f.Parent == "" || s.Parent == f.Parent) &&
		(!f.Roots || s.Parent == "") &&
		(!f.Open || s.IsOpen())
}

// choose picks the index that should leave the fewest spans to look at, and says whether its
// entries alone tell which spans match.
func (f *Filter) choose() (kind IndexKind, value string, alone bool) {
	byParent := f.Parent != "" || f.Roots
	rest := f.Name != "" || f.Open
	switch {
	case byParent:
		return IndexParent, f.Parent, !rest && f.Tag == "" && f.Type == ""
	case f.Tag != "":
		return IndexTag, f.Tag, !rest && f.Type == ""
	case f.Type != "":
		return IndexType, string(f.Type), !rest
	}
	return IndexStart, "", !rest
}

// keys is the range of an index that the times select.
func (f *Filter) keys(kind IndexKind, value string) (r txn.Range, empty bool) {
	prefix := kind.prefix(make(codec.Tuple, 0, 128), value)
	r = txn.PrefixRange(string(prefix))
	r.Reverse = f.Reverse
	prefix = slices.Clip(prefix)
	switch {
	case f.Since.IsZero() || f.Since.Before(firstTime):
	case f.Since.After(lastTime):
		return r, true
	default:
		r.Start = string(prefix.AppendTime(f.Since.UnixNano()))
	}
	switch {
	case f.Until.IsZero() || f.Until.After(lastTime):
	case f.Until.Before(firstTime):
		return r, true
	default:
		r.End = string(prefix.AppendTime(f.Until.UnixNano()))
	}
	return r, false
}

// List yields the selected spans in the order of their start, spans of one start in the order of
// their ids, all from one version: outside a transaction the one that is published when the
// iteration begins; inside, the transaction's snapshot under its own writes as they are when the
// iteration begins. An error is yielded once and last. Breaking out early is fine. The sequence can
// be iterated again and then looks anew.
//
// Of the conditions that are set one leads to the spans by its index: Parent or Roots before Tag
// before Type before the times, which bound the walk in every index. Each span there is read and
// held against the other conditions.
//
// Inside a transaction the index entries and spans that the iteration went over join the read set.
func (t Traces) List(ctx context.Context, f Filter) iter.Seq2[Span, error] {
	return t.list(ctx, "list", f)
}

// Children yields the spans directly under one; see List. An unknown id has none.
func (t Traces) Children(ctx context.Context, id string) iter.Seq2[Span, error] {
	return func(yield func(Span, error) bool) {
		if err := checkName("span id", id); err != nil {
			yield(Span{}, t.wrap("children", id, err))
			return
		}
		t.list(ctx, "children", Filter{Parent: id})(yield)
	}
}

func (t Traces) list(ctx context.Context, op string, f Filter) iter.Seq2[Span, error] {
	return func(yield func(Span, error) bool) {
		one := Traces{scope: t.scope.Snapshot()}
		n := 0
		for at, err := range one.walk(ctx, &f) {
			if err != nil {
				yield(Span{}, t.wrap(op, f.Parent, err))
				return
			}
			s, ok, err := get(ctx, one.scope, at.id)
			if err != nil {
				yield(Span{}, t.wrap(op, at.id, err))
				return
			}
			// An entry that the span does not bear out is damage: see VerifyIndexes.
			if !ok || at != s.place() || !f.matches(&s) {
				continue
			}
			if n++; !yield(s, nil) || n == f.Limit {
				return
			}
		}
	}
}

// Count counts the selected spans, at most f.Limit if that is set. If the index that leads to them
// answers all conditions, no span is read.
func (t Traces) Count(ctx context.Context, f Filter) (int, error) {
	n := 0
	if _, _, alone := f.choose(); !alone {
		for _, err := range t.list(ctx, "count", f) {
			if err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	}
	for _, err := range t.walk(ctx, &f) {
		if err != nil {
			return 0, t.wrap("count", f.Parent, err)
		}
		if n++; n == f.Limit {
			break
		}
	}
	return n, nil
}

// walk yields the places in the index that leads to the selected spans.
func (t Traces) walk(ctx context.Context, f *Filter) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		if err := f.check(); err != nil {
			yield(place{}, err)
			return
		}
		kind, value, _ := f.choose()
		r, empty := f.keys(kind, value)
		if empty {
			return
		}
		prefix := len(kind.prefix(nil, value))
		c := t.scope.Scan(ctx, index, r)
		defer c.Close()
		for c.Next() {
			at, err := decodePlace(c.Key()[prefix:])
			if err != nil {
				continue // damage: see VerifyIndexes
			}
			if !yield(at, nil) {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield(place{}, err)
		}
	}
}

// CountByType counts the spans of every type that occurs. It reads one index and no span.
func (t Traces) CountByType(ctx context.Context) (map[SpanType]int, error) {
	prefix := string(codec.Tuple{}.AppendString(string(IndexType)))
	counts := map[SpanType]int{}
	c := t.scope.Scan(ctx, index, txn.PrefixRange(prefix))
	defer c.Close()
	for c.Next() {
		e, err := decodeEntry(c.Key())
		if err != nil {
			continue // damage: see VerifyIndexes
		}
		counts[SpanType(e.value)]++
	}
	if err := c.Err(); err != nil {
		return nil, t.wrap("count by type", "", err)
	}
	return counts, nil
}
