package trace

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// SpanEnd is what is known of a span when it ends. Zero fields leave what the span has.
type SpanEnd struct {
	// Time is when it ended, not before the start; zero is now, or the start if that lies in the
	// future.
	Time time.Time
	// Error and ErrorType say that it failed; see Span.
	Error, ErrorType string
	// ResponseModel is the model that answered.
	ResponseModel string
	// InputTokens and OutputTokens are what the span used in all, Cost what it cost.
	InputTokens, OutputTokens int64
	Cost                      Cost
	// Attributes is a Map of what to add to the span's attributes, or Null. An entry with a key
	// that the span has replaces it.
	Attributes codec.Value

	_ struct{}
}

// End ends a span that Start left open, perhaps in another process. Of several that end one span
// the first does, and the others learn that they came late.
//
// Errors: ErrNotFound, ErrEnded.
func (t Traces) End(ctx context.Context, id string, end SpanEnd) error {
	return t.change(ctx, "end", id, func(s *Span, now time.Time) error {
		if !s.IsOpen() {
			return ErrEnded
		}
		s.End = end.Time
		if s.End.IsZero() {
			s.End = latest(now, s.Start)
		}
		replace(&s.Error, end.Error)
		replace(&s.ErrorType, end.ErrorType)
		replace(&s.ResponseModel, end.ResponseModel)
		replace(&s.InputTokens, end.InputTokens)
		replace(&s.OutputTokens, end.OutputTokens)
		replace(&s.Cost, end.Cost)
		var err error
		s.Attributes, err = merge(s.Attributes, end.Attributes)
		return err
	})
}

// replace sets a field unless the value is zero.
func replace[T comparable](field *T, v T) {
	var zero T
	if v != zero {
		*field = v
	}
}

// merge lays the entries of one Map over those of another.
func merge(under, over codec.Value) (codec.Value, error) {
	switch {
	case over.IsNull():
		return under, nil
	case under.IsNull() || over.Kind() != codec.KindMap:
		return over, nil // check refuses what is no Map
	}
	all := make(map[string]codec.Value, under.Len()+over.Len())
	for key, v := range under.Entries() {
		all[key] = v
	}
	for key, v := range over.Entries() {
		all[key] = v
	}
	return codec.Map(all)
}

// Update lets fn change a span, and writes it with its index entries. ID, Parent, Type and Start
// stay as they are, and so does the End of a span that has ended; setting End ends an open one. If
// fn changes nothing, nothing is written.
//
// Calls that meet on one span take turns, but fn may still run several times, each time on a fresh
// copy: it must be free of side effects. What it returns comes back as it is, wrapped, and nothing
// is changed then.
//
// Errors: ErrNotFound, codec.ErrInvalidArgument for a change of what stays.
func (t Traces) Update(ctx context.Context, id string, fn func(*Span) error) error {
	return t.change(ctx, "update", id, func(s *Span, _ time.Time) error { return fn(s) })
}

// change reads a span, lets fn change it, and writes what came of it.
func (t Traces) change(ctx context.Context, op, id string, fn func(*Span, time.Time) error) error {
	if err := checkName("span id", id); err != nil {
		return t.wrap(op, id, err)
	}
	_, err := t.scope.AtomicOn(ctx, codec.Traces, id, func(tx txn.Scope) error {
		e, err := tx.Get(ctx, codec.Traces, id)
		switch {
		case err != nil:
			return err
		case !e.Exists:
			return ErrNotFound
		}
		before, err := decode(id, e.Value)
		if err != nil {
			return err
		}
		after := before
		after.Tags = slices.Clone(before.Tags)
		if err := fn(&after, nowOf(tx)); err != nil {
			return err
		}
		return rewrite(ctx, tx, &before, &after, e.Value)
	})
	return t.wrap(op, id, err)
}

// rewrite writes a changed span and moves its tags.
func rewrite(ctx context.Context, tx txn.Scope, before, after *Span, stored []byte) error {
	switch {
	case after.ID != before.ID || after.Parent != before.Parent || after.Type != before.Type:
		return invalid("id, parent and type of a span cannot change")
	case !after.Start.Equal(before.Start):
		return invalid("the start of a span cannot change")
	case !before.IsOpen() && !after.End.Equal(before.End):
		return invalid("the end of a span that has ended cannot change")
	}
	if err := after.check(); err != nil {
		return err
	}
	if err := after.checkTimes(); err != nil {
		return err
	}
	data, err := after.encode()
	if err != nil || bytes.Equal(data, stored) {
		return err
	}
	at := after.place()
	changes := appendTags(nil, without(before.Tags, after.Tags), at, true)
	changes = appendTags(changes, without(after.Tags, before.Tags), at, false)
	return apply(ctx, tx, append(changes, change{codec.Traces, after.ID, data}))
}

// without returns the tags of a that b does not have.
func without(a, b []string) []string {
	var rest []string
	for _, tag := range a {
		if !slices.Contains(b, tag) {
			rest = append(rest, tag)
		}
	}
	return rest
}
