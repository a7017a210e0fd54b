package isolation

import (
	"container/heap"
	"slices"
)

// stages are the kinds of edges that cycles are looked for with, one after the other: what a client
// could not see comes last, so that a cycle needs no more than it must.
var stages = [][]kind{
	{ww}, {ww, wr}, {ww, wr, rw}, {ww, wr, rw, moment}, {ww, wr, rw, moment, version},
}

// most bounds the cycles that are told of each stage.
const most = 4

// anomalies finds cycles. What was in one is left out of all later ones.
func (g *graph) anomalies() (found []Anomaly) {
	gone := make([]bool, len(g.out))
	for _, kinds := range stages {
		s := &search{g: g, gone: gone}
		s.may[inner] = true
		for _, k := range kinds {
			s.may[k] = true
		}
		end := len(found) + most
		for again := true; again && len(found) < end; {
			again = false
			for _, part := range s.components() {
				if len(found) == end {
					break
				}
				cycle := s.shortest(part)
				found = append(found, g.describe(cycle))
				again = again || len(part) > 2*len(cycle)
				for _, st := range cycle {
					if txn, ok := g.transaction(st.from); ok {
						gone[snapshotOf(txn)], gone[commitOf(txn)] = true, true
					}
				}
			}
		}
	}
	return found
}

// search looks for cycles of some kinds of edges among the nodes that are left.
type search struct {
	g    *graph
	may  [kinds]bool
	gone []bool
}

// components finds the strongly connected components of more than one node (Tarjan, without
// recursion), in an order that the graph alone decides.
func (s *search) components() (parts [][]int) {
	n := len(s.g.out)
	index, low := make([]int32, n), make([]int32, n) // index: 0 is not visited
	onStack := make([]bool, n)
	var stack []int
	type frame struct{ node, next int }
	var frames []frame
	counter := int32(0)
	visit := func(v int) {
		counter++
		index[v], low[v] = counter, counter
		stack, onStack[v] = append(stack, v), true
		frames = append(frames, frame{node: v})
	}
	for root := range n {
		if index[root] != 0 || s.gone[root] {
			continue
		}
		visit(root)
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			v := f.node
			if f.next < len(s.g.out[v]) {
				e := &s.g.out[v][f.next]
				f.next++
				switch w := int(e.to); {
				case !s.may[e.kind] || s.gone[w]:
				case index[w] == 0:
					visit(w)
				case onStack[w]:
					low[v] = min(low[v], index[w])
				}
				continue
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				up := frames[len(frames)-1].node
				low[up] = min(low[up], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			at := len(stack) - 1
			for stack[at] != v {
				at--
			}
			part := slices.Clone(stack[at:])
			stack = stack[:at]
			for _, w := range part {
				onStack[w] = false
			}
			if len(part) > 1 {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

// step is an edge of a cycle with its source.
type step struct {
	from int
	edge *edge
}

// tries bounds from how many nodes of a component a shortest cycle is looked for.
const tries = 32

// shortest finds a cycle with the fewest rw edges, and among these a short one.
func (s *search) shortest(part []int) (cycle []step) {
	inside := make(map[int]bool, len(part))
	for _, v := range part {
		inside[v] = true
	}
	starts := slices.Clone(part)
	slices.Sort(starts)
	stride := max(1, len(starts)/tries)
	least := 1 << 60
	for i := 0; i < len(starts); i += stride {
		if found, cost := s.back(starts[i], inside, least); cost >= 0 {
			cycle, least = found, cost
		}
	}
	return cycle
}

// costs of edges: one rw outweighs any number of others, and the steps of a chain are free.
func cost(e *edge) int {
	switch e.kind {
	case rw:
		return 1 << 20
	case ww, wr:
		return 4
	case moment, version:
		return 1
	}
	return 0
}

// back finds the cheapest way from a node back to it (Dijkstra), -1 if there is none below a cost.
func (s *search) back(start int, inside map[int]bool, below int) (cycle []step, total int) {
	type arrival struct {
		by   step
		cost int
		done bool
	}
	seen := map[int]*arrival{}
	queue := &nodeQueue{{node: start}}
	for queue.Len() > 0 {
		next := heap.Pop(queue).(queued)
		if next.node == start && next.cost+len(seen) > 0 {
			break
		}
		if a := seen[next.node]; a != nil {
			if a.done {
				continue
			}
			a.done = true
		}
		for i := range s.g.out[next.node] {
			e := &s.g.out[next.node][i]
			to := int(e.to)
			if !s.may[e.kind] || s.gone[to] || !inside[to] {
				continue
			}
			c := next.cost + cost(e)
			if c >= below {
				continue
			}
			if a := seen[to]; a == nil || !a.done && c < a.cost {
				seen[to] = &arrival{by: step{next.node, e}, cost: c}
				heap.Push(queue, queued{to, c})
			}
		}
	}
	end := seen[start]
	if end == nil {
		return nil, -1
	}
	for at := end; ; at = seen[at.by.from] {
		cycle = append(cycle, at.by)
		if at.by.from == start {
			break
		}
	}
	slices.Reverse(cycle)
	return cycle, end.cost
}

type queued struct{ node, cost int }

// nodeQueue gives out the cheapest node first.
type nodeQueue []queued

func (q nodeQueue) Len() int           { return len(q) }
func (q nodeQueue) Less(i, j int) bool { return q[i].cost < q[j].cost }
func (q nodeQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *nodeQueue) Push(x any)        { *q = append(*q, x.(queued)) }
func (q *nodeQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
