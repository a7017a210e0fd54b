package vector

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/inmem-db/inmem/pkg/vector/internal/kernel"
)

// Search implements Index.
func (ix *slotIndex) Search(dst []Hit, q []float32, o SearchOptions) ([]Hit, SearchInfo, error) {
	if err := CheckVector(ix.config.Dim, q); err != nil {
		return dst, SearchInfo{}, fmt.Errorf("search: %w", err)
	}
	switch {
	case o.K < 1:
		return dst, SearchInfo{}, fmt.Errorf("search: %w", invalid("k = %d, at least 1", o.K))
	case o.Ef < 0:
		return dst, SearchInfo{}, fmt.Errorf("search: %w", invalid("ef = %d, at least 0", o.Ef))
	case o.Strategy > TwoHop:
		return dst, SearchInfo{}, fmt.Errorf("search: %w", invalid("strategy %d", o.Strategy))
	}
	s := ix.pool.Get().(*searcher)
	defer ix.pool.Put(s)
	s.begin(ix, q, &o)
	defer s.end()
	if err := s.answer(); err != nil {
		return dst, SearchInfo{}, fmt.Errorf("search: %w", err)
	}
	s.info.Exact = s.info.Strategy == Scan
	return s.sorted(dst), s.info, nil
}

// candidate is a row that may be a hit: it is at most this good, in terms of query.estimate.
type candidate struct {
	most float32
	slot Slot
}

// searcher is the scratch of one search: pooled, so that a search allocates nothing.
//
// What it does in the end: estimates of rows come in by offer, from a scan or a walk; every row
// that may be among the best K becomes a candidate; rank compares candidates in float32, best
// estimate first, until no more can matter.
type searcher struct {
	ix   *slotIndex
	rows *rows
	n    uint32 // slots that this search sees

	// What it sees of the graph, loaded before n: n covers it.
	top    uint64
	uppers uint32
	linked uint32
	nodes  *nodes

	o    SearchOptions
	k    int
	info SearchInfo
	aim  aim // at the query; nothing is extended
	beam beam

	cands []candidate
	lows  []float32 // min-heap: the best k of what rows are at least worth
	hits  []Hit     // heap, worst on top
	fetch []float32
}

func (s *searcher) begin(ix *slotIndex, q []float32, o *SearchOptions) {
	s.ix, s.o = ix, *o
	s.top, s.uppers = ix.graph.top.Load(), ix.graph.uppers.Load()
	s.linked, s.nodes = ix.graph.linked.Load(), ix.graph.nodes.Load()
	s.n = ix.n.Load()
	s.rows = ix.rows.Load()
	s.k = min(o.K, int(s.n))
	s.info = SearchInfo{}
	s.aim.q.set(ix.config.Metric, q)
}

// end lets go of what must not be kept alive by the pool, and of scratch of unusual size.
func (s *searcher) end() {
	s.ix, s.rows, s.nodes, s.o.Allowed = nil, nil, nil, nil
	s.beam.rows, s.beam.nodes, s.beam.graph = nil, nil, nil
	const most = 1 << 16
	if cap(s.cands) > most {
		s.cands = nil
	}
	if cap(s.hits) > most {
		s.hits, s.lows = nil, nil
	}
	s.clear()
}

// clear forgets what was found so far.
func (s *searcher) clear() {
	s.cands, s.lows, s.hits = s.cands[:0], s.lows[:0], s.hits[:0]
}

// offer takes the estimate of a row that is visible and allowed, or drops it if it cannot be among
// the best k: then k others are surely better.
func (s *searcher) offer(slot Slot, estimate, bound float32) {
	if len(s.lows) == s.k && estimate+bound < s.lows[0] {
		return
	}
	s.cands = append(s.cands, candidate{estimate + bound, slot})
	s.lows = pushLow(s.lows, s.k, estimate-bound)
	if len(s.cands) >= 8192 && len(s.cands) >= 8*s.k && len(s.cands) == cap(s.cands) {
		s.weed()
	}
}

// weed drops the candidates that cannot be among the best k any more.
func (s *searcher) weed() {
	if len(s.lows) < s.k || s.k == 0 {
		return
	}
	least := s.lows[0]
	s.cands = slices.DeleteFunc(s.cands, func(c candidate) bool { return c.most < least })
}

// rank turns candidates into hits. It stops at the first one that is at most worth less than the
// k-th hit, which none after it can reach either, and tells whether there was such a one.
func (s *searcher) rank() (settled bool, err error) {
	s.weed()
	slices.SortFunc(s.cands, func(a, b candidate) int {
		switch {
		case a.most > b.most:
			return -1
		case a.most < b.most:
			return 1
		}
		return int(int64(a.slot) - int64(b.slot))
	})
	for i, c := range s.cands {
		if len(s.hits) == s.k && c.most < s.hits[0].Score {
			return true, nil
		}
		if i+1 < len(s.cands) {
			s.ask(s.cands[i+1].slot)
		}
		row, err := s.vector(c.slot)
		if err != nil {
			return false, err
		}
		s.info.Ranked++
		s.push(Hit{c.slot, score(s.aim.q.metric, s.aim.q.row, row)})
	}
	return false, nil
}

// ask asks the CPU for the float32 row of a slot, if it is in memory.
func (s *searcher) ask(slot Slot) {
	c, row := s.rows.at(slot)
	dim := s.ix.config.Dim
	if v := c.vector(row, dim); v != nil {
		quarter := dim / 4
		kernel.Prefetch4(unsafe.Pointer(&v[0]), unsafe.Pointer(&v[quarter]),
			unsafe.Pointer(&v[2*quarter]), unsafe.Pointer(&v[3*quarter]), 4*quarter)
	}
}

// vector returns the float32 row of a slot as the index holds it.
func (s *searcher) vector(slot Slot) ([]float32, error) {
	c, row := s.rows.at(slot)
	dim := s.ix.config.Dim
	if v := c.vector(row, dim); v != nil {
		return v, nil
	}
	if s.ix.config.Fetch == nil {
		return nil, invalid("slot %d is not restored and there is no fetch function", slot)
	}
	if cap(s.fetch) < dim {
		s.fetch = make([]float32, dim)
	}
	v := s.fetch[:dim]
	if err := s.ix.config.Fetch(s.rows.id(c.ids[row]), c.born[row], v); err != nil {
		return nil, fmt.Errorf("fetch slot %d: %w", slot, err)
	}
	held(s.aim.q.metric, v)
	return v, nil
}

// better orders hits: higher scores first, then ids, then slots.
func (s *searcher) better(a, b Hit) bool {
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	if x, y := s.rows.idOf(a.Slot), s.rows.idOf(b.Slot); x != y {
		return x < y
	}
	return a.Slot < b.Slot
}

// push keeps the k best hits.
func (s *searcher) push(h Hit) {
	if len(s.hits) < s.k {
		s.hits = append(s.hits, h)
		for i := len(s.hits) - 1; i > 0; {
			up := (i - 1) / 2
			if !s.better(s.hits[up], s.hits[i]) {
				break
			}
			s.hits[up], s.hits[i] = s.hits[i], s.hits[up]
			i = up
		}
		return
	}
	if s.k > 0 && s.better(h, s.hits[0]) {
		s.hits[0] = h
		s.sink(len(s.hits))
	}
}

// sink restores the heap of the first n hits below its top.
func (s *searcher) sink(n int) {
	for i := 0; ; {
		worst := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < n && s.better(s.hits[worst], s.hits[down]) {
				worst = down
			}
		}
		if worst == i {
			return
		}
		s.hits[worst], s.hits[i] = s.hits[i], s.hits[worst]
		i = worst
	}
}

// sorted appends the hits, best first.
func (s *searcher) sorted(dst []Hit) []Hit {
	for n := len(s.hits) - 1; n > 0; n-- {
		s.hits[0], s.hits[n] = s.hits[n], s.hits[0]
		s.sink(n)
	}
	return append(dst, s.hits...)
}

// pushLow keeps the k greatest numbers in a min-heap.
func pushLow(heap []float32, k int, x float32) []float32 {
	if len(heap) < k {
		heap = append(heap, x)
		for i := len(heap) - 1; i > 0; {
			up := (i - 1) / 2
			if heap[up] <= heap[i] {
				break
			}
			heap[up], heap[i] = heap[i], heap[up]
			i = up
		}
		return heap
	}
	if k == 0 || x <= heap[0] {
		return heap
	}
	heap[0] = x
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < k && heap[down] < heap[least] {
				least = down
			}
		}
		if least == i {
			return heap
		}
		heap[least], heap[i] = heap[i], heap[least]
		i = least
	}
}
