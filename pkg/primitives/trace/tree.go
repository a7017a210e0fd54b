package trace

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Node is a span with its children, in the order of their start, then of their ids.
type Node struct {
	Span     Span
	Children []*Node
}

// Tree returns a span with all that lies under it, from one version; see List. The cost is a lookup
// and a short scan per span. Errors: ErrNotFound.
func (t Traces) Tree(ctx context.Context, id string) (*Node, error) {
	var nodes []*Node
	err := t.subtree(ctx, "tree", id, func(s *Span, parent int) {
		n := &Node{Span: *s}
		if nodes = append(nodes, n); parent >= 0 {
			nodes[parent].Children = append(nodes[parent].Children, n)
		}
	})
	if err != nil {
		return nil, err
	}
	return nodes[0], nil
}

// subtree visits a span and all that lies under it, parents before children, and children in their
// order. It says of each which visit was that of its parent, -1 for the first.
func (t Traces) subtree(ctx context.Context, op, id string, visit func(s *Span, parent int)) error {
	one := Traces{scope: t.scope.Snapshot()}
	root, ok, err := get(ctx, one.scope, id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return t.wrap(op, id, err)
	}
	visit(&root, -1)
	// Spans are recorded under what exists, so there are no cycles; but bytes can be damaged, and a
	// walk must end.
	seen := map[string]bool{id: true}
	queue := []string{id}
	for i := 0; i < len(queue); i++ {
		for s, err := range one.list(ctx, op, Filter{Parent: queue[i]}) {
			if err != nil {
				return err
			}
			if seen[s.ID] {
				return t.wrap(op, s.ID, fmt.Errorf("%w: the span lies under itself",
					codec.ErrCorrupt))
			}
			seen[s.ID] = true
			queue = append(queue, s.ID)
			visit(&s, i)
		}
	}
	return nil
}

// Forest returns all spans of the run as trees, the roots in the order of their start, then of
// their ids. It reads every span in one scan and no index. Inside a transaction all of them join
// the read set.
func (t Traces) Forest(ctx context.Context) ([]*Node, error) {
	nodes := map[string]*Node{}
	var all, roots []*Node
	for s, err := range t.scan(ctx, "forest", "") {
		if err != nil {
			return nil, err
		}
		n := &Node{Span: s}
		nodes[s.ID] = n
		all = append(all, n)
	}
	slices.SortFunc(all, compareNodes)
	for _, n := range all {
		if n.Span.Parent == "" {
			roots = append(roots, n)
			continue
		}
		parent := nodes[n.Span.Parent]
		if parent == nil {
			return nil, t.wrap("forest", n.Span.ID, fmt.Errorf("%w: parent %q is missing",
				codec.ErrCorrupt, clip(n.Span.Parent)))
		}
		parent.Children = append(parent.Children, n)
	}
	reached := slices.Clone(roots)
	for i := 0; i < len(reached); i++ {
		reached = append(reached, reached[i].Children...)
	}
	if len(reached) != len(all) {
		return nil, t.wrap("forest", "", fmt.Errorf("%w: %d spans lie under themselves",
			codec.ErrCorrupt, len(all)-len(reached)))
	}
	return roots, nil
}

func compareNodes(a, b *Node) int {
	return cmp.Or(a.Span.Start.Compare(b.Span.Start), cmp.Compare(a.Span.ID, b.Span.ID))
}

// scan yields the spans from an id on, in the order of their ids.
func (t Traces) scan(ctx context.Context, op, from string) iter.Seq2[Span, error] {
	return func(yield func(Span, error) bool) {
		c := t.scope.Scan(ctx, codec.Traces, txn.Range{Start: from})
		defer c.Close()
		for c.Next() {
			s, err := decode(c.Key(), c.Entry().Value)
			if err != nil {
				yield(Span{}, t.wrap(op, c.Key(), err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield(Span{}, t.wrap(op, "", err))
		}
	}
}

// Totals are sums over spans. InputTokens, OutputTokens and Cost stay at the end of their range
// when the sum would leave it.
type Totals struct {
	Spans, Open  int // all of them, and those that have not ended
	Errors       int // those that Failed
	InputTokens  int64
	OutputTokens int64
	Cost         Cost
}

func (t *Totals) add(s *Span) {
	t.Spans++
	if s.IsOpen() {
		t.Open++
	}
	if s.Failed() {
		t.Errors++
	}
	t.InputTokens = sum(t.InputTokens, s.InputTokens)
	t.OutputTokens = sum(t.OutputTokens, s.OutputTokens)
	t.Cost = Cost(sum(int64(t.Cost), int64(s.Cost)))
}

// Rollup says what a subtree or a run came to.
type Rollup struct {
	Totals
	// First is the earliest start, Last the latest end (of an open span: its start), and Duration
	// the time between them. Zero without spans.
	First, Last time.Time
	Duration    time.Duration
	// ByType has the totals of every type that occurs.
	ByType map[SpanType]Totals
}

func (r *Rollup) add(s *Span) {
	end := s.End
	if s.IsOpen() {
		end = s.Start
	}
	if r.Spans == 0 || s.Start.Before(r.First) {
		r.First = s.Start
	}
	if r.Spans == 0 || end.After(r.Last) {
		r.Last = end
	}
	r.Duration = r.Last.Sub(r.First)
	r.Totals.add(s)
	one := r.ByType[s.Type]
	one.add(s)
	if r.ByType == nil {
		r.ByType = map[SpanType]Totals{}
	}
	r.ByType[s.Type] = one
}

// sum adds numbers that are not negative.
func sum(a, b int64) int64 {
	if c := a + b; c >= a {
		return c
	}
	return 1<<63 - 1
}

// Rollup adds up a span and all that lies under it; see Tree. It keeps ids, not spans, in memory.
// Errors: ErrNotFound.
func (t Traces) Rollup(ctx context.Context, id string) (Rollup, error) {
	var r Rollup
	err := t.subtree(ctx, "rollup", id, func(s *Span, _ int) { r.add(s) })
	if err != nil {
		return Rollup{}, err
	}
	return r, nil
}

// RollupRun adds up all spans of the run, in one scan and in constant memory. Inside a transaction
// all of them join the read set.
func (t Traces) RollupRun(ctx context.Context) (Rollup, error) {
	var r Rollup
	for s, err := range t.scan(ctx, "rollup run", "") {
		if err != nil {
			return Rollup{}, err
		}
		r.add(&s)
	}
	return r, nil
}
