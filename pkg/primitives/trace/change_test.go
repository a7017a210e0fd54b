package trace

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// End takes over what it is told and leaves the rest.
func TestEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		s := full(t)
		s.End = time.Time{}
		_, err := w.traces().Start(ctx, s)
		require.NoError(t, err)
		got, _, err := w.traces().Get(ctx, "s1")
		require.NoError(t, err)
		require.True(t, got.IsOpen())
		require.Zero(t, got.Duration())

		more, err := codec.ValueOf(map[string]any{"x": "new", "y": int64(1)})
		require.NoError(t, err)
		w.clock.Store(at(60).UnixNano())
		require.NoError(t, w.traces().End(ctx, "s1", SpanEnd{
			Error: "no", ResponseModel: "m-2", OutputTokens: 99, Cost: 7, Attributes: more,
		}))
		s.End, s.Error, s.ResponseModel, s.OutputTokens, s.Cost = at(60), "no", "m-2", 99, 7
		s.Attributes, err = codec.ValueOf(map[string]any{
			"gen_ai.request.temperature": 0.5, "x": "new", "y": int64(1)})
		require.NoError(t, err)
		got, _, err = w.traces().Get(ctx, "s1")
		require.NoError(t, err)
		require.Equal(t, s, got)
		require.ErrorIs(t, w.traces().End(ctx, "s1", SpanEnd{}), ErrEnded)

		id, err := w.traces().Start(ctx, Span{Type: Query, Start: at(100)})
		require.NoError(t, err)
		for name, bad := range map[string]SpanEnd{
			"before start": {Time: at(99)}, "tokens": {OutputTokens: -1}, "cost": {Cost: -1},
			"owned": {Attributes: mapOf(t, "gen_ai.request.model", codec.Null())},
		} {
			require.ErrorIs(t, w.traces().End(ctx, id, bad), codec.ErrInvalidArgument, name)
		}
		for range 2 {
			err := w.traces().End(ctx, id, SpanEnd{Attributes: codec.Bool(true)})
			require.ErrorIs(t, err, codec.ErrTypeMismatch)
		}
		require.NoError(t, w.traces().End(ctx, id, SpanEnd{}))
		got, _, err = w.traces().Get(ctx, id)
		require.NoError(t, err)
		require.Equal(t, at(100), got.End, "it began later than now")
	})
}

func mapOf(t require.TestingT, key string, v codec.Value) codec.Value {
	m, err := codec.Map(map[string]codec.Value{key: v})
	require.NoError(t, err)
	return m
}

// Update changes what may change, and moves the entries of tags in the same step.
func TestUpdate(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx, tr := t.Context(), w.traces()
		mustRecord(t, tr, Span{ID: "p", Type: Thought})
		mustRecord(t, tr, full(t))
		tagged := func(tag string) int {
			n, err := tr.Count(ctx, Filter{Tag: tag})
			require.NoError(t, err)
			return n
		}
		require.NoError(t, tr.Update(ctx, "s1", func(s *Span) error {
			s.Tags = append(s.Tags[1:], "c", "b", "c")
			s.Model, s.Error, s.ErrorType = "other", "", ""
			return nil
		}))
		want := full(t)
		want.Tags, want.Model, want.Error, want.ErrorType = []string{"b", "c"}, "other", "", ""
		got, _, err := tr.Get(ctx, "s1")
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, []int{0, 1, 1}, []int{tagged("a"), tagged("b"), tagged("c")})

		require.NoError(t, tr.Update(ctx, "s1", func(s *Span) error {
			s.Tags[0] = "z" // in place
			return nil
		}))
		require.Equal(t, []int{0, 1, 1}, []int{tagged("b"), tagged("c"), tagged("z")})
		require.NoError(t, tr.Update(ctx, "s1", func(s *Span) error {
			s.Tags[1] = "b"
			return nil
		}))

		id, err := tr.Start(ctx, Span{Type: Decision})
		require.NoError(t, err)
		require.NoError(t, tr.Update(ctx, id, func(s *Span) error {
			s.End = s.Start.Add(time.Second)
			return nil
		}))
		require.ErrorIs(t, tr.End(ctx, id, SpanEnd{}), ErrEnded)
	})
}

// What stays stays: a refused change writes nothing, and neither does one that changes nothing.
func TestUpdateThatWritesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx, tr := t.Context(), w.traces()
		mustRecord(t, tr, Span{ID: "p", Type: Thought})
		mustRecord(t, tr, full(t))
		before := w.b.Published()
		require.NoError(t, tr.Update(ctx, "s1", func(s *Span) error {
			s.Tags = []string{"b", "a", "b"}
			return nil
		}))
		mine := errors.New("mine")
		require.ErrorIs(t, tr.Update(ctx, "s1", func(s *Span) error {
			s.Tags = nil
			return mine
		}), mine)
		for name, change := range map[string]func(*Span){
			"id":     func(s *Span) { s.ID = "other" },
			"parent": func(s *Span) { s.Parent = "p" },
			"cycle":  func(s *Span) { s.Parent = "s1" },
			"type":   func(s *Span) { s.Type = Query },
			"start":  func(s *Span) { s.Start = s.Start.Add(-1) },
			"end":    func(s *Span) { s.End = s.End.Add(1) },
			"reopen": func(s *Span) { s.End = time.Time{} },
			"tokens": func(s *Span) { s.InputTokens = -1 },
			"tag":    func(s *Span) { s.Tags = []string{""} },
		} {
			err := tr.Update(ctx, "s1", func(s *Span) error {
				change(s)
				return nil
			})
			require.ErrorIs(t, err, codec.ErrInvalidArgument, name)
		}
		require.Equal(t, before, w.b.Published(), "nothing was written")
		require.Equal(t, full(t), collect(t, tr.List(ctx, Filter{Tag: "a"}))[0])
		require.ErrorIs(t, tr.Update(ctx, "q", func(*Span) error { return nil }), ErrNotFound)
	})
}

// Writers under one parent never meet: no conflict, and none to be retried either.
func TestSiblingsDoNotConflict(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const writers, each = 16, 25
		root, err := w.traces().Start(t.Context(), Span{Type: Custom, Name: "root"})
		require.NoError(t, err)
		retries := w.m.Stats().Retries
		var wg sync.WaitGroup
		for g := range writers {
			wg.Go(func() {
				for i := range each {
					_, err := w.traces().Record(t.Context(), Span{
						ID: fmt.Sprint(g, "/", i), Type: ToolCall, Parent: root, Tags: []string{"hot"},
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.Equal(t, retries, w.m.Stats().Retries)
		n, err := w.traces().Count(t.Context(), Filter{Parent: root, Tag: "hot"})
		require.NoError(t, err)
		require.Equal(t, writers*each, n)
	})
}

// Of many that end one span, or record one id, one does.
func TestOneWins(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for round := range 20 {
			id, err := w.traces().Start(t.Context(), Span{Type: Query})
			require.NoError(t, err)
			var ended, recorded atomic.Int32
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					switch err := w.traces().End(t.Context(), id, SpanEnd{}); {
					case err == nil:
						ended.Add(1)
					case !errors.Is(err, ErrEnded):
						t.Error(err)
					}
					_, err := w.traces().Record(t.Context(), Span{
						ID: fmt.Sprint("same ", round), Type: Query})
					switch {
					case err == nil:
						recorded.Add(1)
					case !errors.Is(err, ErrExists):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, int32(1), ended.Load())
			require.Equal(t, int32(1), recorded.Load())
		}
	})
}

// Goroutines that change one span take turns.
func TestUpdatesOfOneSpan(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const writers, each = 8, 10
		retries := w.m.Stats().Retries
		id, err := w.traces().Start(t.Context(), Span{Type: Query})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for g := range writers {
			wg.Go(func() {
				for range each {
					err := w.traces().Update(t.Context(), id, func(s *Span) error {
						s.InputTokens++
						s.Tags = append(s.Tags, fmt.Sprint(g))
						runtime.Gosched() // whoever took no turn would be here, too
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		s, _, err := w.traces().Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, int64(writers*each), s.InputTokens)
		// A turn ends after a while, so a machine that stands still may cost one.
		require.LessOrEqual(t, w.m.Stats().Retries, retries+3)
		require.Len(t, s.Tags, writers)
		report, err := w.traces().VerifyIndexes(t.Context())
		require.NoError(t, err)
		require.True(t, report.Healthy())
	})
}

// A transaction that read a span or listed some conflicts with one that changed them; one that only
// named a parent does not.
func TestWhatJoinsTheReadSet(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx := t.Context()
	mustRecord(t, w.traces(), Span{ID: "p", Type: Thought, Tags: []string{"x"}})
	touch := func() {
		require.NoError(t, w.traces().Update(ctx, "p", func(s *Span) error {
			s.InputTokens++
			return nil
		}))
	}
	for name, use := range map[string]struct {
		call     func(Traces) error
		conflict bool
	}{
		"get":  {func(tr Traces) error { _, _, err := tr.Get(ctx, "p"); return err }, true},
		"list": {func(tr Traces) error { collect(t, tr.List(ctx, Filter{Tag: "x"})); return nil }, true},
		"parent": {func(tr Traces) error {
			_, err := tr.Record(ctx, Span{Type: Query, Parent: "p"})
			return err
		}, false},
	} {
		tx, err := w.m.Begin(ctx, w.run, txn.Options{})
		require.NoError(t, err)
		require.NoError(t, use.call(New(tx.Scope(w.run))))
		mustRecord(t, New(tx.Scope(w.run)), Span{Type: Thought})
		touch()
		_, err = tx.Commit(ctx)
		var lost *txn.ConflictError
		require.Equal(t, use.conflict, errors.As(err, &lost), name)
	}
}
