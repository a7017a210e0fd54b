package trace

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// R180: a tree of depth 5 is rebuilt, children in the order of time whatever the order of
// recording.
func TestR180TreeOfDepthFive(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var want func(id string, level int) *Node
		want = func(id string, level int) *Node {
			s := Span{ID: id, Type: Decision, Start: at(level), End: at(level)}
			if i := strings.LastIndexByte(id, '.'); i >= 0 {
				s.Parent = id[:i]
				s.Start = at(9 - int(id[i+1]-'0'))
				s.End = s.Start
			}
			mustRecord(t, w.traces(), s)
			n := &Node{Span: s}
			if level < 5 {
				last := want(id+".1", level+1) // the latest, recorded first
				n.Children = []*Node{want(id+".2", level+1), last}
			}
			return n
		}
		root := want("r", 1)
		other := want("q", 5)
		got, err := w.traces().Tree(ctx, "r")
		require.NoError(t, err)
		require.Equal(t, root, got)
		got, err = w.traces().Tree(ctx, "r.2.1")
		require.NoError(t, err)
		require.Equal(t, root.Children[0].Children[1], got)
		forest, err := w.traces().Forest(ctx)
		require.NoError(t, err)
		require.Equal(t, []*Node{root, other}, forest)
		sums, err := w.traces().Rollup(ctx, "r")
		require.NoError(t, err)
		require.Equal(t, 31, sums.Spans)
	})
}

// A thousand children under one span, and a chain of a thousand.
func TestWideAndDeep(t *testing.T) {
	w := onEngine(t, inMemory)
	ctx := t.Context()
	_, err := w.m.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
		tr := New(tx.Scope(w.run))
		mustRecord(t, tr, Span{ID: "wide", Type: Thought})
		parent := ""
		for i := range 1000 {
			mustRecord(t, tr, Span{Type: Query, Parent: "wide", InputTokens: 1})
			parent = mustRecord(t, tr, Span{ID: fmt.Sprint("deep ", i), Type: Thought,
				Parent: parent, OutputTokens: 2})
		}
		return nil
	})
	require.NoError(t, err)
	wide, err := w.traces().Tree(ctx, "wide")
	require.NoError(t, err)
	require.Len(t, wide.Children, 1000)
	sums, err := w.traces().Rollup(ctx, "wide")
	require.NoError(t, err)
	require.Equal(t, int64(1000), sums.InputTokens)
	require.Equal(t, 1000, sums.ByType[Query].Spans)

	n, err := w.traces().Tree(ctx, "deep 0")
	require.NoError(t, err)
	require.Len(t, strings.Split(n.String(), "\n"), 1001)
	for i := range 1000 {
		require.Equal(t, fmt.Sprint("deep ", i), n.Span.ID)
		if i < 999 {
			n = n.Children[0]
		}
	}
	require.Empty(t, n.Children)
	sums, err = w.traces().Rollup(ctx, "deep 500")
	require.NoError(t, err)
	require.Equal(t, int64(1000), sums.OutputTokens)
	forest, err := w.traces().Forest(ctx)
	require.NoError(t, err)
	require.Len(t, forest, 2)
}

// No call makes a cycle; where damage has made one, every walk ends with an error.
func TestCycles(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx := t.Context()
	mustRecord(t, w.traces(), Span{ID: "a", Type: Thought})
	mustRecord(t, w.traces(), Span{ID: "b", Type: Thought, Parent: "a"})
	require.ErrorIs(t, w.traces().Update(ctx, "a", func(s *Span) error {
		s.Parent = "b"
		return nil
	}), codec.ErrInvalidArgument)

	s, _, err := w.traces().Get(ctx, "a")
	require.NoError(t, err)
	s.Parent = "b"
	damage(t, w, s)
	_, err = w.traces().RebuildIndexes(ctx)
	require.NoError(t, err)
	_, err = w.traces().Tree(ctx, "a")
	require.ErrorIs(t, err, codec.ErrCorrupt)
	_, err = w.traces().Rollup(ctx, "b")
	require.ErrorIs(t, err, codec.ErrCorrupt)
	_, err = w.traces().Forest(ctx)
	require.ErrorIs(t, err, codec.ErrCorrupt)

	s.Parent = "gone"
	damage(t, w, s)
	_, err = w.traces().Forest(ctx)
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.ErrorContains(t, err, `"gone" is missing`)
}

// damage writes a span behind the back of the primitive.
func damage(t *testing.T, w *world, s Span) {
	data, err := s.encode()
	require.NoError(t, err)
	_, err = w.scope().Put(t.Context(), codec.Traces, s.ID, data, 0)
	require.NoError(t, err)
}

// Sums stay at the end of their range, and an empty run has none.
func TestRollupLimits(t *testing.T) {
	w := onModel(t.Context(), t)
	sums, err := w.traces().RollupRun(t.Context())
	require.NoError(t, err)
	require.Equal(t, Rollup{}, sums)
	for range 3 {
		mustRecord(t, w.traces(), Span{Type: Error, InputTokens: math.MaxInt64, OutputTokens: 1,
			Cost: math.MaxInt64 - 1, Start: firstTime, End: lastTime})
	}
	sums, err = w.traces().RollupRun(t.Context())
	require.NoError(t, err)
	require.Equal(t, Totals{Spans: 3, Errors: 3, InputTokens: math.MaxInt64, OutputTokens: 3,
		Cost: math.MaxInt64}, sums.Totals)
	require.Equal(t, time.Duration(math.MaxInt64), sums.Duration)
}

// Whatever a tree holds, its lines are printable and at most 100 characters long.
func TestRenderIsNarrow(t *testing.T) {
	root := &Node{Span: Span{Type: Custom, Name: strings.Repeat("wide ", 50), Start: at(0)}}
	n := root
	for i := range 40 {
		child := &Node{Span: Span{Type: ToolCall, Name: "a\nb\x1b[31m\u202e" + strings.Repeat("ü", i*3),
			Start: at(0), End: lastTime, InputTokens: math.MaxInt64, OutputTokens: math.MaxInt64,
			Cost: math.MaxInt64, ErrorType: "x", Error: "first\nsecond"}}
		n.Children = []*Node{child, {Span: Span{Type: Query, Start: at(0), End: at(1)}}}
		n = child
	}
	lines := strings.Split(strings.TrimSuffix(root.String(), "\n"), "\n")
	require.Len(t, lines, 81)
	for _, l := range lines {
		require.LessOrEqual(t, utf8.RuneCountInString(l), 100, l)
		require.NotContains(t, l, "\x1b")
		require.NotContains(t, l, "\u202e")
		require.Equal(t, l, terminal.Clean(l))
	}
	require.Contains(t, root.String(), `tool_call a\nb\x1b[31m\u202e`)
	require.ErrorIs(t, Fprint(failing{}, root), errFull)
	require.NoError(t, Fprint(failing{}))
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestRound(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 12345: "12.3µs", 123456: "123µs", 1234567: "1.23ms",
		12345678: "12.3ms", 1234567890: "1.23s", 61 * time.Second: "1m1s",
		12345 * time.Millisecond: "12.3s", 3*time.Hour + 123456789: "3h0m0s",
	} {
		require.Equal(t, want, round(d).String(), d)
	}
}

func TestCost(t *testing.T) {
	for c, want := range map[Cost]string{
		0: "$0.00", 1: "$0.000000001", Dollar: "$1.00", 1_500_000_000: "$1.50", -Dollar: "-$1.00",
		1_200_000: "$0.0012", math.MaxInt64: "$9223372036.854775807",
		math.MinInt64: "-$9223372036.854775808",
	} {
		require.Equal(t, want, c.String())
	}
	for amount, want := range map[float64]Cost{
		0: 0, math.Copysign(0, -1): 0, 1: Dollar, 0.0000000014: 1, 0.0000000015: 2, 1.1: 1_100_000_000,
	} {
		c, err := Dollars(amount)
		require.NoError(t, err)
		require.Equal(t, want, c, amount)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 9.3e9} {
		_, err := Dollars(bad)
		require.ErrorIs(t, err, codec.ErrInvalidArgument, bad)
	}
}
