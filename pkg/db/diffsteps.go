package inmem

import (
	"fmt"
	"sort"
	"time"

	"github.com/inmem-db/inmem/internal/diff"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// detail reads a step again, for what is told of it: the value in which it is compared.
type detail func(*View, *diff.Step) (Value, error)

// events compares the event logs.
func (c *comparison) events() error {
	known, err := c.sameHistory()
	if err != nil {
		return err
	}
	var steps [2]diff.Steps
	for i := range steps {
		view := c.sides[i].view
		n, err := view.Events().Len(c.ctx)
		if err != nil {
			return err
		}
		steps[i] = diff.Steps{
			Len:     n,
			Forward: func(from uint64) diff.Source { return c.eventsFrom(view, from) },
			Backward: func() diff.Source {
				return &eventSource{c: c, cursor: view.scope.Scan(c.ctx, codec.Events,
					txn.Range{Reverse: true})}
			},
		}
	}
	return c.steps(diff.Events, steps, known, &c.report.Events, c.eventDetail)
}

// sameHistory is how many events at the beginning are the very same: of a fork and its parent, or
// of a run and itself. The chain tells: if the hashes of two events with one number are equal, then
// so is everything before. It covers times, so events that are the same at other times are not
// among them; those are compared one by one.
func (c *comparison) sameHistory() (uint64, error) {
	n := ^uint64(0)
	for _, s := range c.sides {
		length, err := s.view.Events().Len(c.ctx)
		if err != nil {
			return 0, err
		}
		n = min(n, length)
	}
	var failed error
	differs := func(i int) bool {
		var hashes [2]codec.EventDigest
		for side, s := range c.sides {
			e, ok, err := s.view.Events().Get(c.ctx, uint64(i))
			if err == nil && !ok {
				err = fmt.Errorf("%w: event %d is missing", ErrCorrupt, i)
			}
			if err != nil {
				failed = err
				return true
			}
			hashes[side] = e.Hash
		}
		return hashes[0] != hashes[1]
	}
	if n == 0 || differs(0) {
		return 0, failed
	}
	known := sort.Search(int(n), differs)
	return uint64(known), failed
}

// steps compares two sequences of steps.
func (c *comparison) steps(shown diff.Primitive, steps [2]diff.Steps, known uint64,
	into *diff.Sequence, read detail,
) error {
	var failed error
	options := diff.AlignOptions{Window: c.o.Window, Known: known}
	out, err := diff.Align(steps[0], steps[1], options, func(e diff.Edit) bool {
		failed = c.step(shown, e, read)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return txn.ContextError(err)
	}
	*into = diff.Sequence{Counts: out.Counts, Prefix: out.Prefix, Suffix: out.Suffix,
		Windowed: out.Windowed}
	if c.visit != nil || out.NextA == nil && out.NextB == nil {
		return nil
	}
	into.Divergence, err = c.divergence(shown, &out, read)
	return err
}

// step reports a step that differs.
func (c *comparison) step(shown diff.Primitive, edit diff.Edit, read detail) error {
	e := DiffEntry{Primitive: shown, Op: edit.Op}
	if !c.detailed() {
		return c.emit(e)
	}
	var err error
	e.A, e.B, e.Changes, err = c.stepChanges(edit, read)
	if err != nil {
		return err
	}
	return c.emit(e)
}

// stepChanges reads the steps of an edit again.
func (c *comparison) stepChanges(edit diff.Edit, read detail,
) (a, b *diff.Step, changes diff.Changes, err error) {
	var values [2]Value
	var steps [2]*diff.Step
	for i, item := range []*diff.Item{edit.A, edit.B} {
		if item == nil {
			continue
		}
		step := item.Step
		if values[i], err = read(c.sides[i].view, &step); err != nil {
			return nil, nil, changes, err
		}
		steps[i] = &step
	}
	return steps[0], steps[1], valueChanges(edit.Op, values[0], values[1], c.limits), nil
}

// divergence says where two sequences part.
func (c *comparison) divergence(shown diff.Primitive, out *diff.Outcome, read detail,
) (*Divergence, error) {
	d := &Divergence{Primitive: shown, Position: out.Prefix}
	if out.LastA == nil && out.Prefix > 0 { // among those known to be the same
		out.LastA = &diff.Item{Step: diff.Step{Position: out.Prefix - 1}}
		out.LastB = &diff.Item{Step: diff.Step{Position: out.Prefix - 1}}
	}
	var err error
	if d.LastA, d.LastB, _, err = c.stepChanges(
		diff.Edit{Op: diff.Added, A: out.LastA, B: out.LastB}, read); err != nil {
		return nil, err
	}
	edit := diff.Edit{Op: diff.Changed, A: out.NextA, B: out.NextB}
	switch {
	case edit.A == nil:
		edit.Op = diff.Added
	case edit.B == nil:
		edit.Op = diff.Removed
	}
	if d.NextA, d.NextB, d.Changes, err = c.stepChanges(edit, read); err != nil {
		return nil, err
	}
	if edit.Op == diff.Changed && (edit.A.Type != edit.B.Type || edit.A.Name != edit.B.Name) {
		// Two different steps, the one instead of the other: each as a whole.
		d.Changes = diff.Changes{}
		for _, one := range []diff.Edit{{Op: diff.Removed, A: edit.A}, {Op: diff.Added, B: edit.B}} {
			_, _, whole, err := c.stepChanges(one, read)
			if err != nil {
				return nil, err
			}
			d.Changes.List = append(d.Changes.List, whole.List...)
		}
	}
	d.VersionA, d.VersionB = c.before(0, d.NextA), c.before(1, d.NextB)
	return d, nil
}

// before is the version that shows a side just before a step; the end of the side without one.
func (c *comparison) before(i int, next *diff.Step) uint64 {
	if next == nil {
		return c.sides[i].view.Version()
	}
	return max(next.Version, 1) - 1
}

// eventDetail is the detail of an event: its payload.
func (c *comparison) eventDetail(v *View, s *diff.Step) (Value, error) {
	e, ok, err := v.Events().Get(c.ctx, s.Position)
	if err == nil && !ok {
		err = fmt.Errorf("%w: event %d is missing", ErrCorrupt, s.Position)
	}
	if err != nil {
		return Value{}, err
	}
	s.Type, s.Name, s.Time, s.Version = e.Type, nameOf(e.Payload), e.Time, e.Version
	return diff.Without(e.Payload, c.o.Ignore)
}

// nameOf is the name of what an event tells of.
func nameOf(payload Value) string {
	for _, key := range []string{"name", "tool", "role"} {
		if v, ok := payload.Lookup(key); ok && v.Kind() == codec.KindString {
			name, _ := v.AsString()
			return name
		}
	}
	return ""
}

// eventSource walks an event log.
type eventSource struct {
	c      *comparison
	cursor *txn.Cursor
	record codec.EventRecord
	args   []byte
	err    error
}

func (c *comparison) eventsFrom(v *View, from uint64) diff.Source {
	r := txn.Range{Start: codec.EventUserKey(from)}
	return &eventSource{c: c, cursor: v.scope.Scan(c.ctx, codec.Events, r)}
}

// Next implements diff.Source.
func (s *eventSource) Next() bool {
	if s.err != nil || !s.cursor.Next() {
		return false
	}
	s.record, s.err = codec.DecodeEventRecord(s.cursor.Value())
	s.args = s.record.Payload
	if s.err == nil && len(s.c.o.Ignore) > 0 {
		s.args, s.err = s.without()
	}
	return s.err == nil
}

// without is the payload without what is not looked at.
func (s *eventSource) without() ([]byte, error) {
	v, err := codec.DecodeValue(s.record.Payload)
	if err != nil {
		return nil, err
	}
	if v, err = diff.Without(v, s.c.o.Ignore); err != nil {
		return nil, err
	}
	return codec.AppendValue(s.args[:0:0], v)
}

// Type implements diff.Source.
func (s *eventSource) Type() string { return s.record.Type }

// Args implements diff.Source.
func (s *eventSource) Args() []byte { return s.args }

// Step implements diff.Source.
func (s *eventSource) Step() diff.Step {
	return diff.Step{Type: s.record.Type, Time: time.Unix(0, s.record.Time),
		Version: s.cursor.Entry().Version}
}

// Name implements diff.Source.
func (s *eventSource) Name() string {
	v, err := codec.DecodeValue(s.record.Payload)
	if err != nil {
		return "" // whoever reads the event for its details is told
	}
	return nameOf(v)
}

// Err implements diff.Source.
func (s *eventSource) Err() error {
	if s.err != nil {
		return s.err
	}
	return s.cursor.Err()
}

// Close implements diff.Source.
func (s *eventSource) Close() { s.cursor.Close() }
