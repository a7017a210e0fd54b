package trace

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// full is a span with every field.
func full(t require.TestingT) Span {
	attributes, err := codec.ValueOf(map[string]any{
		"gen_ai.request.temperature": 0.5, "x": []any{int64(1), nil, map[string]any{}},
	})
	require.NoError(t, err)
	return Span{
		ID: "s1", Type: ToolCall, Name: "search", Start: at(1), End: at(3),
		Tags: []string{"a", "b"}, Error: "no answer", ErrorType: "timeout", Operation: "execute_tool",
		Provider: "anthropic", Model: "m-1", ResponseModel: "m-1-0901", ToolCallID: "call-7",
		Agent: "planner", Conversation: "c-9", InputTokens: 12, OutputTokens: 34, Cost: 56,
		Attributes: attributes,
	}
}

// R180: each type is stored and read back, with a given id and with a generated one.
func TestR180EachTypeIsReadBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		parent := ""
		for _, typ := range spanTypes {
			s := full(t)
			s.ID, s.Type, s.Parent = "id of "+string(typ), typ, parent
			require.Equal(t, s.ID, mustRecord(t, w.traces(), s))
			got, ok, err := w.traces().Get(t.Context(), s.ID)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, s, got)

			s.ID = ""
			s.ID = mustRecord(t, w.traces(), s)
			made, err := uuid.Parse(s.ID)
			require.NoError(t, err)
			require.Equal(t, uuid.Version(7), made.Version())
			got, _, err = w.traces().Get(t.Context(), s.ID)
			require.NoError(t, err)
			require.Equal(t, s, got)
			parent = s.ID
		}
		_, ok, err := w.traces().Get(t.Context(), "never")
		require.NoError(t, err)
		require.False(t, ok)
	})
}

// R182: the original took the primitive away; here it is, reachable like the others.
func TestR182TheSmallestSpan(t *testing.T) {
	w := onModel(t.Context(), t)
	id := mustRecord(t, w.traces(), Span{Type: Thought})
	got, ok, err := w.traces().Get(t.Context(), id)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, Span{ID: id, Type: Thought, Start: at(0), End: at(0)}, got)
}

func manyTags(n int) (tags []string) {
	for i := range n {
		tags = append(tags, fmt.Sprint(i), fmt.Sprint(i))
	}
	return tags
}

// R181: ids are unique, a parent must exist; what is refused writes nothing, also in the middle of
// a transaction that goes on.
func TestR181Refusals(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustRecord(t, w.traces(), Span{ID: "there", Type: Thought})
		before := w.b.Published()
		refused := map[string]struct {
			span Span
			want error
		}{
			"unknown parent":  {Span{Type: Thought, Parent: "nobody"}, ErrNotFound},
			"its own parent":  {Span{ID: "me", Parent: "me", Type: Thought}, ErrNotFound},
			"same id":         {Span{ID: "there", Type: Thought}, ErrExists},
			"same as parent":  {Span{ID: "there", Type: Thought, Parent: "there"}, ErrExists},
			"no type":         {Span{}, codec.ErrInvalidArgument},
			"unknown type":    {Span{Type: "tool"}, codec.ErrInvalidArgument},
			"unnamed custom":  {Span{Type: Custom}, codec.ErrInvalidArgument},
			"end before":      {Span{Type: Query, Start: at(2), End: at(1)}, codec.ErrInvalidArgument},
			"end before now":  {Span{Type: Query, End: at(-1)}, codec.ErrInvalidArgument},
			"too early":       {Span{Type: Query, Start: firstTime.Add(-1)}, codec.ErrInvalidArgument},
			"too late":        {Span{Type: Query, End: lastTime.Add(1)}, codec.ErrInvalidArgument},
			"input tokens":    {Span{Type: Query, InputTokens: -1}, codec.ErrInvalidArgument},
			"output tokens":   {Span{Type: Query, OutputTokens: -1}, codec.ErrInvalidArgument},
			"cost":            {Span{Type: Query, Cost: -1}, codec.ErrInvalidArgument},
			"empty tag":       {Span{Type: Query, Tags: []string{"a", ""}}, codec.ErrInvalidArgument},
			"attributes":      {Span{Type: Query, Attributes: codec.Int(1)}, codec.ErrTypeMismatch},
			"not UTF-8 error": {Span{Type: Query, Error: "\xff"}, codec.ErrInvalidArgument},
			"long error": {Span{Type: Query, Error: strings.Repeat("e", MaxErrorSize+1)},
				codec.ErrTooLarge},
			"many tags": {Span{Type: Query, Tags: manyTags(MaxTags + 1)}, codec.ErrTooLarge},
		}
		for name, r := range refused {
			_, err := w.traces().Record(ctx, r.span)
			require.ErrorIs(t, err, r.want, name)
			if r.span.End.IsZero() {
				_, err = w.traces().Start(ctx, r.span)
				require.ErrorIs(t, err, r.want, name)
			}
		}
		_, err := w.traces().Start(ctx, Span{Type: Query, End: at(5)})
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
		require.Equal(t, before, w.b.Published(), "nothing was written")

		_, err = w.m.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
			tr := New(tx.Scope(w.run))
			for name, r := range refused {
				_, err := tr.Record(ctx, r.span)
				require.ErrorIs(t, err, r.want, name)
			}
			require.Zero(t, tx.Counts().Puts+tx.Counts().Deletes)
			_, err := tr.Record(ctx, Span{ID: "after all", Type: Thought, Parent: "there"})
			return err
		})
		require.NoError(t, err)
		require.Len(t, keysOf(t, w.scope(), codec.Traces), 2)
		require.Len(t, keysOf(t, w.scope(), index), 6)
	})
}

// A write that finds the transaction too full takes back what it has written, and the transaction
// goes on.
func TestAFullTransactionHoldsNoHalves(t *testing.T) {
	for room := 1; room <= 7; room++ {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			ctx := t.Context()
			c := newClock()
			w := newWorld(ctx, t, onModel(ctx, t).b, c, txn.Config{MaxWrites: 2})
			big := newWorld(ctx, t, w.b, c, txn.Config{})
			w.run = big.run
			mustRecord(t, big.traces(), Span{ID: "old", Type: Thought, Tags: []string{"a", "b"}})
			small := txn.New(w.b, txn.Config{MaxWrites: room})
			_, err := small.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
				tr := New(tx.Scope(w.run))
				_, err := tr.Record(ctx, Span{ID: "new", Type: Thought, Tags: []string{"x", "y"}})
				if room < 6 {
					require.ErrorIs(t, err, codec.ErrTooLarge)
				} else {
					require.NoError(t, err)
				}
				return nil
			})
			require.NoError(t, err)
			_, err = small.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
				tr := New(tx.Scope(w.run))
				err := tr.Update(ctx, "old", func(s *Span) error {
					s.Tags = []string{"c", "d"}
					return nil
				})
				if room < 5 {
					require.ErrorIs(t, err, codec.ErrTooLarge)
				} else {
					require.NoError(t, err)
				}
				return nil
			})
			require.NoError(t, err)
			report, err := big.traces().VerifyIndexes(ctx)
			require.NoError(t, err)
			require.Empty(t, report.Faults)
		})
	}
}

// Whatever a name holds, it is data or refused, and reaches nothing but its own keys.
func TestHostileNames(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustRecord(t, w.traces(), Span{ID: "a", Type: Thought, Tags: []string{"tag"}})
		names := []string{"__meta__", "\x00", "\x00\xc3\xbf", "/", "r/0000000001/t/a\x00", "t/", "é",
			"parent", "a\x00\x01", strings.Repeat("\x00", MaxNameSize), "k\n\x1b[31m"}
		parent := "a"
		for i, name := range names {
			s := Span{ID: name, Type: Custom, Name: name, Tags: []string{name}, Parent: parent,
				Start: at(i), End: at(i), Model: name, ErrorType: name}
			mustRecord(t, w.traces(), s)
			parent = name
			require.Equal(t, []Span{s}, collect(t, w.traces().List(ctx, Filter{Tag: name})))
			require.Equal(t, []Span{s}, collect(t, w.traces().Children(ctx, s.Parent)))
			n, err := w.traces().Count(ctx, Filter{Tag: name})
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		root, err := w.traces().Tree(ctx, "a")
		require.NoError(t, err)
		for n := root; len(n.Children) > 0; n = n.Children[0] {
			require.Len(t, n.Children, 1)
		}
		report, err := w.traces().VerifyIndexes(ctx)
		require.NoError(t, err)
		require.True(t, report.Healthy())
		require.Equal(t, len(names)+1, report.Spans)

		for name, want := range map[string]error{
			"\xff": codec.ErrInvalidArgument, "a\xff": codec.ErrInvalidArgument,
			strings.Repeat("k", MaxNameSize+1): codec.ErrTooLarge,
			strings.Repeat("k", 8<<10):         codec.ErrTooLarge,
		} {
			for field, s := range map[string]Span{
				"id": {ID: name}, "parent": {Parent: name}, "tag": {Tags: []string{name}},
				"name": {Name: name}, "model": {Model: name}, "agent": {Agent: name},
			} {
				s.Type = Query
				_, err := w.traces().Record(ctx, s)
				require.ErrorIs(t, err, want, field)
				require.Less(t, len(err.Error()), 400)
			}
			for _, f := range []Filter{{Tag: name}, {Parent: name}, {Name: name}} {
				_, err := w.traces().Count(ctx, f)
				require.ErrorIs(t, err, want)
			}
			require.ErrorIs(t, w.traces().End(ctx, name, SpanEnd{}), want)
			for _, err := range w.traces().Children(ctx, name) {
				require.ErrorIs(t, err, want)
			}
		}
		for _, err := range w.traces().Children(ctx, "") {
			require.ErrorIs(t, err, codec.ErrInvalidArgument)
		}
	})
}

// R196: recording touches the keys of spans and nothing else. R198: no name given to it makes a
// key of another primitive.
func TestR196OnlyItsOwnKeys(t *testing.T) {
	w := onModel(t.Context(), t)
	mustRecord(t, w.traces(), full(t))
	require.NoError(t, w.traces().Update(t.Context(), "s1", func(s *Span) error {
		s.Tags = []string{"c"}
		return nil
	}))
	_, err := w.traces().RebuildIndexes(t.Context())
	require.NoError(t, err)
	for p := codec.Primitive('A'); p <= 'z'; p++ {
		if p > 'Z' && p < 'a' {
			continue
		}
		want := map[codec.Primitive]int{codec.Traces: 1, index: 4}[p]
		if p != codec.Journal {
			require.Len(t, keysOf(t, w.scope(), p), want, "%c", byte(p))
		}
	}
}

// Other runs do not see the spans of one.
func TestRunsAreApart(t *testing.T) {
	w := onModel(t.Context(), t)
	other := New(w.m.Scope(w.begin(t.Context(), t, 2)))
	mustRecord(t, w.traces(), full(t))
	_, err := other.Record(t.Context(), Span{Type: Thought, Parent: "s1"})
	require.ErrorIs(t, err, ErrNotFound)
	mustRecord(t, other, Span{ID: "s1", Type: Thought})
	require.Len(t, collect(t, other.List(t.Context(), Filter{})), 1)
	require.Empty(t, collect(t, other.List(t.Context(), Filter{Tag: "a"})))
}

// Errors name the operation, the run and the span.
func TestErrorsTellWhere(t *testing.T) {
	w := onModel(t.Context(), t)
	tr, ctx := w.traces(), t.Context()
	mustRecord(t, tr, Span{ID: "x", Type: Thought})
	_, err := tr.Record(ctx, Span{ID: "x", Type: Thought})
	require.EqualError(t, err, `trace record run run-1 span "x": span exists already`)
	_, err = tr.Start(ctx, Span{ID: "y", Type: Thought, Parent: "p"})
	require.EqualError(t, err, `trace start run run-1 span "y": parent "p": span not found`)
	require.EqualError(t, tr.End(ctx, "y", SpanEnd{}), `trace end run run-1 span "y": span not found`)
	require.EqualError(t, tr.End(ctx, "x", SpanEnd{}),
		`trace end run run-1 span "x": span has ended already`)
	_, err = tr.Tree(ctx, "y")
	require.EqualError(t, err, `trace tree run run-1 span "y": span not found`)
	_, err = tr.Rollup(ctx, "y")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = tr.Count(ctx, Filter{Limit: -1})
	require.EqualError(t, err,
		"trace count run run-1: invalid argument: limit -1, must not be negative")
	_, err = tr.RepairIndex(ctx, "k")
	require.ErrorIs(t, err, codec.ErrInvalidArgument)

	var zero Traces
	_, err = zero.Record(ctx, Span{Type: Thought})
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	require.ErrorContains(t, err, "run (none)")
	_, err = zero.VerifyIndexes(ctx)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	_, err = zero.Count(ctx, Filter{})
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
}

// A view refuses writes, shows one version, and ends.
func TestView(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx := t.Context()
	id, err := w.traces().Start(ctx, Span{Type: Thought, Tags: []string{"a"}})
	require.NoError(t, err)
	var kept Traces
	err = w.m.View(ctx, func(v *txn.View) error {
		kept = New(v.Scope(w.run))
		require.NoError(t, w.traces().End(ctx, id, SpanEnd{}))
		mustRecord(t, w.traces(), Span{Type: Query, Tags: []string{"a"}})
		spans := collect(t, kept.List(ctx, Filter{Tag: "a"}))
		require.Equal(t, []string{id}, idsOf(spans))
		require.True(t, spans[0].IsOpen())
		_, err := kept.Record(ctx, Span{Type: Thought})
		require.ErrorIs(t, err, backend.ErrReadOnly)
		_, err = kept.Start(ctx, Span{Type: Thought})
		require.ErrorIs(t, err, backend.ErrReadOnly)
		require.ErrorIs(t, kept.End(ctx, id, SpanEnd{}), backend.ErrReadOnly)
		return nil
	})
	require.NoError(t, err)
	_, err = kept.Count(ctx, Filter{})
	require.ErrorIs(t, err, txn.ErrTxnDone)
	_, err = kept.CountByType(ctx)
	require.ErrorIs(t, err, txn.ErrTxnDone)
	_, err = kept.Forest(ctx)
	require.ErrorIs(t, err, txn.ErrTxnDone)
	_, err = kept.RollupRun(ctx)
	require.ErrorIs(t, err, txn.ErrTxnDone)
}

// An iteration can be left early and begun again; a context that ends is told once.
func TestIterationIsRepeatable(t *testing.T) {
	w := onModel(t.Context(), t)
	for i := range 600 {
		mustRecord(t, w.traces(), Span{ID: fmt.Sprintf("%03d", i), Type: Thought})
	}
	seq := w.traces().List(t.Context(), Filter{Reverse: true})
	for s, err := range seq {
		require.NoError(t, err)
		require.Equal(t, "599", s.ID)
		break
	}
	mustRecord(t, w.traces(), Span{ID: "600", Type: Thought})
	require.Len(t, collect(t, seq), 601)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs []error
	for _, err := range w.traces().List(ctx, Filter{}) {
		cancel()
		if err != nil {
			errs = append(errs, err)
		}
	}
	require.Len(t, errs, 1)
	require.True(t, errors.Is(errs[0], txn.ErrCanceled), "%v", errs[0])
}

// What is read in one call is of one version, also when writers are at work meanwhile.
func TestOneVersion(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx, tr := t.Context(), w.traces()
	for _, id := range []string{"a", "b", "c"} {
		_, err := tr.Start(ctx, Span{ID: id, Type: Query, Tags: []string{"x"}})
		require.NoError(t, err)
	}
	for name, seq := range map[string]func(func(Span, error) bool){
		"list": tr.List(ctx, Filter{Tag: "x"}), "by time": tr.List(ctx, Filter{}),
	} {
		seen := 0
		for s, err := range seq {
			require.NoError(t, err)
			require.Zero(t, s.InputTokens, name)
			for _, id := range []string{"a", "b", "c"} {
				require.NoError(t, tr.Update(ctx, id, func(s *Span) error {
					s.InputTokens = 1
					return nil
				}))
			}
			seen++
		}
		require.Equal(t, 3, seen)
		for _, id := range []string{"a", "b", "c"} {
			require.NoError(t, tr.Update(ctx, id, func(s *Span) error {
				s.InputTokens = 0
				return nil
			}))
		}
	}
	first := true
	err := tr.subtree(ctx, "test", "a", func(s *Span, _ int) {
		require.True(t, first, "recorded after the walk began")
		first = false
		mustRecord(t, tr, Span{Type: Thought, Parent: "a"})
	})
	require.NoError(t, err)
}

// A retry begins with what was given: a time that was made up for the first attempt is forgotten.
func TestRetriedRecord(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx := t.Context()
	attempts := 0
	lose := &losing{Backend: w.b, lose: func() bool {
		attempts++
		w.clock.Add(int64(time.Second))
		return attempts == 1
	}}
	_, err := New(txn.New(lose, txn.Config{}).Scope(w.run)).Record(ctx, Span{ID: "x", Type: Query})
	require.NoError(t, err)
	require.Equal(t, 2, attempts)
	s, _, err := w.traces().Get(ctx, "x")
	require.NoError(t, err)
	require.Equal(t, at(1), s.Start)
	require.Equal(t, at(1), s.End)
}

// losing is an authority that finds conflicts where there are none.
type losing struct {
	backend.Backend
	lose func() bool
}

func (l *losing) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	if l.lose() {
		return backend.Outcome{}, &backend.ConflictError{Keys: []backend.Conflict{{
			Scope: r.Writes[0].Scope.Number, Primitive: codec.Traces, Key: "x"}}}
	}
	return l.Backend.Commit(ctx, r)
}

// Times: the authority's clock where none is given, nanoseconds, no zone.
func TestTimes(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx := t.Context()
	now := time.Now() // has a monotonic reading and a zone
	id := mustRecord(t, w.traces(), Span{Type: Thought, Start: now, End: now.Add(1)})
	s, _, err := w.traces().Get(ctx, id)
	require.NoError(t, err)
	require.True(t, s.Start.Equal(now))
	require.Equal(t, time.Duration(1), s.Duration())
	require.Equal(t, time.UTC, s.Start.Location())

	id = mustRecord(t, w.traces(), Span{Type: Thought, Start: at(9)})
	s, _, err = w.traces().Get(ctx, id)
	require.NoError(t, err)
	require.Equal(t, at(9), s.End, "it began later than now")

	for _, edge := range []time.Time{firstTime, lastTime, time.Unix(0, 0)} {
		id := mustRecord(t, w.traces(), Span{Type: Query, Start: edge, End: edge})
		s, _, err := w.traces().Get(ctx, id)
		require.NoError(t, err)
		require.True(t, s.Start.Equal(edge) && s.End.Equal(edge))
		require.False(t, s.IsOpen())
	}
	spans := collect(t, w.traces().List(ctx, Filter{Type: Query,
		Since: time.Unix(-1<<40, 0), Until: time.Unix(1<<40, 0)}))
	require.Len(t, spans, 3)
	require.Equal(t, firstTime, spans[0].Start)
	require.Equal(t, lastTime, spans[2].Start)
	for _, f := range []Filter{
		{Since: lastTime.Add(1)}, {Until: firstTime}, {Until: firstTime.Add(-1)},
		{Since: at(1), Until: at(1)},
	} {
		n, err := w.traces().Count(ctx, f)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	require.Equal(t, time.Duration(math.MaxInt64), (&Span{Start: firstTime, End: lastTime}).Duration())
}

// In one transaction the clock stands still; spans keep their order by the generated ids.
func TestOrderInATransaction(t *testing.T) {
	w := onModel(t.Context(), t)
	var want []string
	_, err := w.m.Update(t.Context(), w.run, txn.Options{}, func(tx *txn.Tx) error {
		want = nil
		for range 50 {
			want = append(want, mustRecord(t, New(tx.Scope(w.run)), Span{Type: Thought}))
			w.clock.Add(5)
		}
		require.Equal(t, want, idsOf(collect(t, New(tx.Scope(w.run)).List(t.Context(), Filter{}))))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, want, idsOf(collect(t, w.traces().List(t.Context(), Filter{Roots: true}))))
}
