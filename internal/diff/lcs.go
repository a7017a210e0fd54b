package diff

import (
	"cmp"
	"slices"
)

// pair is a place in a and the place in b that holds the same.
type pair struct{ a, b int }

// common returns a longest common subsequence of two sequences, as pairs of places in rising order.
// Of several it takes one that depends on the contents and not on the sides: common(b, a) are the
// same pairs, turned around.
//
// It is the algorithm of Myers ("An O(ND) difference algorithm and its variations", 1986) with
// linear space. Time O((n+m)·d) for d differences; what occurs on one side only is left out before,
// so that sequences with nothing in common cost next to nothing.
func common[K cmp.Ordered](a, b []K) []pair {
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	pairs := make([]pair, 0, start+end)
	for i := range start {
		pairs = append(pairs, pair{i, i})
	}
	pairs = append(pairs, middle(a[start:len(a)-end], b[start:len(b)-end], start)...)
	for i := end; i > 0; i-- {
		pairs = append(pairs, pair{len(a) - i, len(b) - i})
	}
	return pairs
}

// middle is common for what is left without what is equal at both ends; offset is added to all
// places.
func middle[K cmp.Ordered](a, b []K, offset int) []pair {
	ranks := rank(a, b)
	x, atX := shared(a, ranks)
	y, atY := shared(b, ranks)
	// The side with the smaller content goes first, whichever it is.
	swapped := slices.Compare(x, y) > 0
	if swapped {
		x, y, atX, atY = y, x, atY, atX
	}
	room := len(x) + len(y) + 4
	m := &myers{a: x, b: y, forward: make([]int, room), backward: make([]int, room)}
	m.align(0, len(x), 0, len(y))
	for i, p := range m.pairs {
		p = pair{atX[p.a] + offset, atY[p.b] + offset}
		if swapped {
			p.a, p.b = p.b, p.a
		}
		m.pairs[i] = p
	}
	return m.pairs
}

// rank numbers what occurs on both sides in its order.
func rank[K cmp.Ordered](a, b []K) map[K]int {
	inA := make(map[K]bool, len(a))
	for _, k := range a {
		inA[k] = true
	}
	both := make([]K, 0, min(len(a), len(b)))
	for _, k := range b {
		if inA[k] {
			both = append(both, k)
			inA[k] = false
		}
	}
	slices.Sort(both)
	ranks := make(map[K]int, len(both))
	for i, k := range both {
		ranks[k] = i
	}
	return ranks
}

// shared are the ranks of those that occur on both sides, and where they stand.
func shared[K cmp.Ordered](keys []K, ranks map[K]int) (numbers, places []int) {
	for i, k := range keys {
		if n, ok := ranks[k]; ok {
			numbers, places = append(numbers, n), append(places, i)
		}
	}
	return numbers, places
}

// myers aligns two sequences of numbers. forward and backward hold how far the paths from either
// end have come on each diagonal.
type myers struct {
	a, b              []int
	forward, backward []int
	pairs             []pair
}

// align appends the pairs of a[a0:a1] and b[b0:b1]. The depth of the recursion is logarithmic in
// the number of differences.
func (m *myers) align(a0, a1, b0, b1 int) {
	for a0 < a1 && b0 < b1 && m.a[a0] == m.b[b0] {
		m.pairs = append(m.pairs, pair{a0, b0})
		a0, b0 = a0+1, b0+1
	}
	tail := 0
	for a0 < a1 && b0 < b1 && m.a[a1-1] == m.b[b1-1] {
		a1, b1, tail = a1-1, b1-1, tail+1
	}
	if a0 < a1 && b0 < b1 {
		s := m.snake(m.a[a0:a1], m.b[b0:b1])
		m.align(a0, a0+s.a, b0, b0+s.b)
		for i := range s.length {
			m.pairs = append(m.pairs, pair{a0 + s.a + i, b0 + s.b + i})
		}
		m.align(a0+s.a+s.length, a1, b0+s.b+s.length, b1)
	}
	for i := range tail {
		m.pairs = append(m.pairs, pair{a1 + i, b1 + i})
	}
}

// run is a stretch that is the same on both sides, perhaps empty.
type run struct{ a, b, length int }

// snake returns the middle of a shortest edit path: with half of the differences before it and half
// behind. REQUIRES: neither side is empty, and they differ at both ends; so there are at least two
// differences, and what lies on either side of the middle is smaller than the whole.
func (m *myers) snake(a, b []int) run {
	n, o := len(a), len(b)
	delta, half := n-o, (n+o+1)/2
	f, r := m.forward, m.backward // diagonals from -half-1 to half+1
	at := func(k int) int { return k + half + 1 }
	f[at(1)], r[at(1)] = 0, 0
	odd := delta&1 != 0
	for d := 0; d <= half; d++ {
		for k := -d; k <= d; k += 2 {
			x := furthest(f, at(k), k, d)
			x0 := x
			for x < n && x-k < o && a[x] == b[x-k] {
				x++
			}
			f[at(k)] = x
			back := delta - k
			inside := x <= n && x-k <= o // paths may run over the edge, where nothing is
			if odd && inside && back >= 1-d && back <= d-1 && x+r[at(back)] >= n {
				return run{x0, x0 - k, x - x0}
			}
		}
		for k := -d; k <= d; k += 2 {
			x := furthest(r, at(k), k, d)
			x0 := x
			for x < n && x-k < o && a[n-1-x] == b[o-1-x+k] {
				x++
			}
			r[at(k)] = x
			back := delta - k
			inside := x <= n && x-k <= o
			if !odd && inside && back >= -d && back <= d && x+f[at(back)] >= n {
				return run{n - x, o - x + k, x - x0}
			}
		}
	}
	return run{} // not reached: half of n+o differences are always enough
}

// furthest is where the path on diagonal k begins after one more difference: from the diagonal
// above or the one below, whichever came further.
func furthest(v []int, at, k, d int) int {
	if k == -d || k != d && v[at-1] < v[at+1] {
		return v[at+1]
	}
	return v[at-1] + 1
}

// gaps calls visit for what lies between the pairs, before the first and behind the last: the
// ranges [a0, a1) and [b0, b1), not both empty.
func gaps(pairs []pair, n, m int, visit func(a0, a1, b0, b1 int)) {
	last := pair{}
	for _, p := range append(pairs, pair{n, m}) {
		if p.a > last.a || p.b > last.b {
			visit(last.a, p.a, last.b, p.b)
		}
		last = pair{p.a + 1, p.b + 1}
	}
}
