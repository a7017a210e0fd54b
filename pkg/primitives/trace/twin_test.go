package trace

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/txn"
)

// twin is what Traces should show: a map, filtering, and sorting.
type twin map[string]Span

// list is the full scan filter, written without a look at Filter.matches.
func (m twin) list(f Filter) (all []Span) {
	for _, s := range m {
		drop := f.Type != "" && s.Type != f.Type || f.Name != "" && s.Name != f.Name ||
			f.Parent != "" && s.Parent != f.Parent || f.Roots && s.Parent != "" ||
			f.Open && !s.End.IsZero() ||
			!f.Since.IsZero() && s.Start.Before(f.Since) ||
			!f.Until.IsZero() && !s.Start.Before(f.Until)
		if f.Tag != "" {
			drop = drop || !slices.Contains(s.Tags, f.Tag)
		}
		if !drop {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Span) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
	})
	if f.Reverse {
		slices.Reverse(all)
	}
	if f.Limit > 0 && len(all) > f.Limit {
		all = all[:f.Limit]
	}
	return all
}

// tree builds the subtree under a span by looking at all spans again and again.
func (m twin) tree(s Span) *Node {
	n := &Node{Span: s}
	for _, child := range m.list(Filter{Parent: s.ID}) {
		n.Children = append(n.Children, m.tree(child))
	}
	return n
}

// rollup adds up a tree, recursively.
func rollup(n *Node) Rollup {
	var r Rollup
	var visit func(n *Node)
	var starts, ends []time.Time
	r.ByType = map[SpanType]Totals{}
	visit = func(n *Node) {
		s := n.Span
		one := Totals{Spans: 1, InputTokens: s.InputTokens, OutputTokens: s.OutputTokens, Cost: s.Cost}
		end := s.End
		if end.IsZero() {
			one.Open, end = 1, s.Start
		}
		if s.Error+s.ErrorType != "" || s.Type == Error {
			one.Errors = 1
		}
		starts, ends = append(starts, s.Start), append(ends, end)
		r.Totals = plus(r.Totals, one)
		r.ByType[s.Type] = plus(r.ByType[s.Type], one)
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(n)
	r.First = slices.MinFunc(starts, time.Time.Compare)
	r.Last = slices.MaxFunc(ends, time.Time.Compare)
	r.Duration = r.Last.Sub(r.First)
	return r
}

func plus(a, b Totals) Totals {
	return Totals{a.Spans + b.Spans, a.Open + b.Open, a.Errors + b.Errors,
		a.InputTokens + b.InputTokens, a.OutputTokens + b.OutputTokens, a.Cost + b.Cost}
}

// R180: every query equals a full scan filter, and trees and sums those of a map: in a transaction,
// directly, in a view of what was there before, and after the commit.
func TestR180AgainstAMap(t *testing.T) {
	for _, form := range []string{"direct", "transaction"} {
		t.Run(form, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkAgainstMap(t, form) })
		})
	}
}

var someIDs = []string{"a", "a\x00", "b", "ab", "é", "/", "\x00", "parent"}

func checkAgainstMap(t *rapid.T, form string) {
	ctx := context.Background()
	w := onModel(ctx, t)
	state := twin{}
	for range rapid.IntRange(0, 6).Draw(t, "before") {
		record(t, w.traces(), state)
	}
	before := maps.Clone(state)
	tr := w.traces()
	var tx *txn.Tx
	if form == "transaction" {
		var err error
		tx, err = w.m.Begin(ctx, w.run, txn.Options{Isolation: txn.Serializable})
		require.NoError(t, err)
		tr = New(tx.Scope(w.run))
	}
	t.Repeat(map[string]func(*rapid.T){
		"record": func(t *rapid.T) { record(t, tr, state) },
		"end":    func(t *rapid.T) { end(t, tr, state) },
		"update": func(t *rapid.T) { update(t, tr, state) },
		"": func(t *rapid.T) {
			checkReads(ctx, t, tr, state)
			if tx != nil {
				checkReads(ctx, t, w.traces(), before)
			}
			err := w.m.View(ctx, func(v *txn.View) error {
				seen := state
				if tx != nil {
					seen = before
				}
				checkReads(ctx, t, New(v.Scope(w.run)), seen)
				return nil
			})
			require.NoError(t, err)
		},
	})
	if tx != nil {
		_, err := tx.Commit(ctx)
		require.NoError(t, err)
		checkReads(ctx, t, w.traces(), state)
	}
}

// drawTime draws from few times, so that many are equal and lie on bounds.
func drawTime(t *rapid.T, what string) time.Time { return at(rapid.IntRange(-2, 3).Draw(t, what)) }

func drawTags(t *rapid.T) (tags []string) {
	all := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "xy", "x\x00", "y"}), 0, 3,
		rapid.ID[string]).Draw(t, "tags")
	slices.Sort(all)
	if len(all) == 0 {
		return nil
	}
	return all
}

// record records or starts a random span, which may be refused.
func record(t *rapid.T, tr Traces, state twin) {
	s := Span{
		ID:     rapid.SampledFrom(someIDs).Draw(t, "id"),
		Parent: rapid.SampledFrom(append([]string{"", ""}, someIDs...)).Draw(t, "parent"),
		Type:   rapid.SampledFrom(spanTypes).Draw(t, "type"),
		Name:   rapid.SampledFrom([]string{"n", "m"}).Draw(t, "name"),
		Start:  drawTime(t, "start"), Tags: drawTags(t),
		InputTokens:  rapid.Int64Range(0, 3).Draw(t, "in"),
		OutputTokens: rapid.Int64Range(0, 3).Draw(t, "out"),
		Cost:         Cost(rapid.Int64Range(0, 3).Draw(t, "cost")),
		ErrorType:    rapid.SampledFrom([]string{"", "timeout"}).Draw(t, "error"),
	}
	call := tr.Start
	if rapid.Bool().Draw(t, "finished") {
		s.End = s.Start.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "took")))
		call = tr.Record
	}
	_, exists := state[s.ID]
	_, parent := state[s.Parent]
	_, err := call(context.Background(), s)
	switch {
	case exists:
		require.ErrorIs(t, err, ErrExists)
	case s.Parent != "" && !parent:
		require.ErrorIs(t, err, ErrNotFound)
	default:
		require.NoError(t, err)
		state[s.ID] = s
	}
}

func end(t *rapid.T, tr Traces, state twin) {
	id := rapid.SampledFrom(someIDs).Draw(t, "id")
	e := SpanEnd{Time: drawTime(t, "end"), OutputTokens: rapid.Int64Range(0, 2).Draw(t, "out")}
	s, ok := state[id]
	err := tr.End(context.Background(), id, e)
	switch {
	case !ok:
		require.ErrorIs(t, err, ErrNotFound)
	case !s.End.IsZero():
		require.ErrorIs(t, err, ErrEnded)
	case e.Time.Before(s.Start):
		require.Error(t, err)
	default:
		require.NoError(t, err)
		s.End = e.Time
		if e.OutputTokens != 0 {
			s.OutputTokens = e.OutputTokens
		}
		state[id] = s
	}
}

func update(t *rapid.T, tr Traces, state twin) {
	id := rapid.SampledFrom(someIDs).Draw(t, "id")
	tags := drawTags(t)
	s, ok := state[id]
	err := tr.Update(context.Background(), id, func(s *Span) error {
		s.Tags, s.Name = tags, "changed"
		return nil
	})
	if !ok {
		require.ErrorIs(t, err, ErrNotFound)
		return
	}
	require.NoError(t, err)
	s.Tags, s.Name = tags, "changed"
	state[id] = s
}

func drawFilter(t *rapid.T) Filter {
	maybe := func(what string) bool { return rapid.IntRange(0, 2).Draw(t, what) == 0 }
	f := Filter{
		Reverse: rapid.Bool().Draw(t, "reverse"), Limit: rapid.IntRange(0, 3).Draw(t, "limit"),
		Open: maybe("open"),
	}
	if maybe("by type") {
		f.Type = rapid.SampledFrom(spanTypes).Draw(t, "of type")
	}
	if maybe("by tag") {
		f.Tag = rapid.SampledFrom([]string{"x", "xy", "x\x00", "y", "never"}).Draw(t, "tagged")
	}
	if maybe("by name") {
		f.Name = "n"
	}
	switch rapid.IntRange(0, 3).Draw(t, "by parent") {
	case 0:
		f.Parent = rapid.SampledFrom(someIDs).Draw(t, "under")
	case 1:
		f.Roots = true
	}
	if maybe("since") {
		f.Since = drawTime(t, "from")
	}
	if maybe("until") {
		f.Until = drawTime(t, "to")
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && f.Since.After(f.Until) {
		f.Since, f.Until = f.Until, f.Since
	}
	return f
}

// checkReads compares every reading method with the map.
func checkReads(ctx context.Context, t *rapid.T, tr Traces, state twin) {
	for _, f := range []Filter{{}, drawFilter(t)} {
		want := state.list(f)
		require.Equal(t, want, collect(t, tr.List(ctx, f)), "%+v", f)
		n, err := tr.Count(ctx, f)
		require.NoError(t, err)
		require.Equal(t, len(want), n, "%+v", f)
	}
	types := map[SpanType]int{}
	var roots []*Node
	for id, s := range state {
		got, ok, err := tr.Get(ctx, id)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, s, got)
		require.Equal(t, state.list(Filter{Parent: id}), collect(t, tr.Children(ctx, id)))
		types[s.Type]++
		tree, err := tr.Tree(ctx, id)
		require.NoError(t, err)
		require.Equal(t, state.tree(s), tree)
		sums, err := tr.Rollup(ctx, id)
		require.NoError(t, err)
		require.Equal(t, rollup(tree), sums, fmt.Sprint(tree))
	}
	for _, s := range state.list(Filter{Roots: true}) {
		roots = append(roots, state.tree(s))
	}
	forest, err := tr.Forest(ctx)
	require.NoError(t, err)
	require.Equal(t, roots, forest)
	counts, err := tr.CountByType(ctx)
	require.NoError(t, err)
	require.Equal(t, types, counts)
	all, err := tr.RollupRun(ctx)
	require.NoError(t, err)
	require.Equal(t, len(state), all.Spans)
	if len(roots) == 1 {
		require.Equal(t, rollup(roots[0]), all)
	}
	report, err := tr.VerifyIndexes(ctx)
	require.NoError(t, err)
	require.True(t, report.Healthy(), "%+v", report)
}
