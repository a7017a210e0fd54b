package vector

import "math/bits"

// How a search with a filter, or on an old view, is answered. c is the number of rows that are
// visible and allowed (exact, or estimated where counting would cost more than it saves), n that of
// all rows.
//
//   - few rows, so that a walk would cost as much: scan them
//   - most rows (c above walkShare of n): walk over all, keep those that are allowed
//   - between: begin to walk; when the rows around the query are allowed about as often as
//     elsewhere, go on over allowed rows only (two-hop), else on as before; scan after all when as
//     many rows were compared as would have cost a scan, or when a scan is quick (at most
//     Config.FlatRows) and hardly any row around the query is allowed
//
// With the default width a walk whose answer the codes leave open is repeated with four times the
// width, and then given up for a scan. A walk that finds fewer than k is followed by a scan, so
// there are always min(k, c) hits.
const (
	defaultEf = 128

	// walkShare: above it most neighbours of a row are allowed, and two-hop saves nothing.
	walkShare = 0.4
	// wide is how many rows a walk compares for each one of its width, about.
	wide = 6
	// widened is how many times as wide the second walk is as the first.
	widened = 4
)

// stepCost is how many rows a scan compares in the time that a walk compares one: a walk waits for
// memory once or twice a row, a scan reads on.
func (s *searcher) stepCost() float64 {
	dim := float64(s.ix.config.Dim)
	return (150 + dim/4) / (15 + dim/9)
}

// answer finds the hits of a search.
func (s *searcher) answer() error {
	if s.o.Strategy == Scan || s.linked == 0 {
		why := whyAsked
		if s.o.Strategy != Scan {
			why = "no graph"
		}
		return s.scanAll(why)
	}
	s.info.Tail = int(s.n - s.linked)
	p := s.choose()
	for p.strategy != Scan {
		s.info.Strategy, s.info.Why = p.strategy, p.why
		s.clear()
		s.scan(s.linked, s.n)
		if p.why = s.walk(p); p.why != "" {
			break
		}
		settled, err := s.rank()
		if settled || err != nil || s.o.Strategy != Auto || s.o.Ef > 0 {
			return err
		}
		// Even the farthest row of the walk may be one of the nearest, as far as its code tells: so
		// may rows that were not reached. Clusters whose rows differ by less than codes do are like
		// that, and rows that are far from everything.
		p = s.wider(p)
	}
	return s.scanAll(p.why)
}

// scanAll answers with a scan of everything.
func (s *searcher) scanAll(why string) error {
	s.info.Strategy, s.info.Why = Scan, why
	s.clear()
	s.scan(0, s.n)
	_, err := s.rank()
	return err
}

// plan is what the planner decided.
type plan struct {
	strategy Strategy
	why      string
	width    int     // of the walk, in rows that are visible and allowed
	count    int     // rows that are visible and allowed, about; 0 = not counted
	limit    int     // rows that the walk may compare; 0 = any number
	share    float64 // of rows allowed and visible, if those around the query are to be judged by it
	quick    bool    // a scan is quick
}

// The reasons that are given in more than one place.
const (
	whyAsked = "asked for"
	whyAgain = "the walk found fewer rows than there are"
	whyAway  = "hardly any row around the query is allowed"
)

func (s *searcher) choose() plan {
	if s.o.Strategy != Auto && s.o.Ef > 0 {
		return plan{strategy: s.o.Strategy, why: whyAsked, width: max(s.o.Ef, s.k)}
	}
	count := s.count()
	share := float64(count) / float64(max(s.n, 1))
	p := plan{strategy: Walk, why: "most rows are visible and allowed", width: s.width(share),
		count: count, limit: int(float64(count) / s.stepCost()),
		quick: count <= s.ix.config.FlatRows}
	switch {
	case s.o.Strategy != Auto:
		return plan{strategy: s.o.Strategy, why: whyAsked, width: p.width}
	case p.quick && (int(s.n) <= s.ix.config.FlatRows || s.costly(&p)):
		return plan{strategy: Scan, why: "few rows are visible and allowed"}
	case s.costly(&p):
		return plan{strategy: Scan, why: "the walk would be as wide as a scan"}
	}
	if share < walkShare {
		p.share = share
		p.why = "rows around the query are allowed less often than elsewhere"
	}
	return p
}

// costly tells whether a walk would cost as much as a scan.
func (s *searcher) costly(p *plan) bool {
	all := float64(p.width) * float64(s.n) / float64(max(p.count, 1))
	return all*wide*s.stepCost() >= float64(p.count)
}

// wider is the plan after one that did not settle the answer.
func (s *searcher) wider(p plan) plan {
	again := p.width > s.width(float64(p.count)/float64(s.n))
	p.width *= widened
	if again || s.costly(&p) {
		return plan{strategy: Scan, why: "the codes do not tell the nearest rows apart"}
	}
	return p
}

// width is the width of the walk to begin with, in rows that are visible and allowed, of which
// there is a share.
//
// The k nearest of these lie among the k/share nearest of all. So if a walk that keeps all rows
// finds its nearest with the gauged width, this one finds them with k/share more, of which a share
// counts.
func (s *searcher) width(share float64) int {
	if s.o.Ef > 0 {
		return max(s.o.Ef, s.k)
	}
	gauged := max(s.ix.graph.gauged(), s.k)
	return min(int(share*float64(gauged))+s.k, gauged)
}

// walk goes over the graph and makes candidates of what it found, or tells why it did not.
func (s *searcher) walk(p plan) (failed string) {
	b := &s.beam
	b.rows, b.nodes, b.graph, b.dim = s.rows, s.nodes, &s.ix.graph, s.ix.config.Dim
	b.slots, b.uppers, b.linked = s.linked, s.uppers, s.linked
	b.aim, b.o, b.compared = &s.aim, &s.o, 0
	b.limit, b.twoHop, b.share, b.quick, b.spares = 0, false, 0, false, 0
	b.descend(s.top, 0)
	if s.o.Ef == 0 && p.width < s.width(1) {
		b.spares = p.width // a narrow walk has seen more that may be told apart from the nearest
	}
	b.limit, b.twoHop, b.share, b.quick = p.limit, p.strategy == TwoHop, p.share, p.quick
	within := b.walk(0, p.width)
	s.info.Rows += b.compared
	if !within && b.compared > p.limit {
		return "the walk took as long as a scan"
	}
	if !within {
		return whyAway
	}
	if len(b.best) < s.k && len(s.cands)+len(b.best) < int(s.n) {
		return whyAgain
	}
	if len(b.best) < p.width && p.count > 2*len(b.best) {
		return "the walk reached a part of the graph only"
	}
	if b.twoHop && s.info.Why != whyAsked {
		s.info.Strategy = TwoHop
		s.info.Why = "rows around the query are allowed as often as elsewhere"
	}
	s.offerAll(b.best)
	s.offerAll(b.spare)
	return ""
}

// offerAll offers what a walk found.
func (s *searcher) offerAll(found []uint64) {
	for _, key := range found {
		slot := Slot(uint32(key))
		c, row := s.rows.at(slot)
		e := estimateOf(key)
		s.offer(slot, e, s.aim.q.bound(e, &c.meta[row]))
	}
}

// count is how many rows are visible and allowed: exact for a view of the newest version without a
// filter, otherwise estimated from a sample that is the same every time.
func (s *searcher) count() int {
	newest := s.o.At >= s.ix.top.Load()
	if s.o.Allowed == nil {
		if newest {
			return int(s.ix.live.Load())
		}
		return s.visible()
	}
	allowed := 0
	for w := range int(s.n+63) / 64 {
		allowed += bits.OnesCount64(s.o.Allowed.word(w))
	}
	return s.visibleOf(allowed)
}

// sampled is how many words of slots, and how many slots, a sample looks at.
const sampled = 512

// visible estimates how many rows are visible.
func (s *searcher) visible() int {
	step := max(s.n/sampled, 1)
	asked, seen := 0, 0
	for at := uint32(0); at < s.n; at += step {
		// Not every step-th: what is visible may follow a pattern of its own.
		slot := Slot(min(at+uint32(mix(uint64(at))%uint64(step)), s.n-1))
		asked++
		if c, row := s.rows.at(slot); c.visible(row, s.o.At) {
			seen++
		}
	}
	return share(seen, asked, int(s.n))
}

// visibleOf estimates how many of the allowed rows are visible.
func (s *searcher) visibleOf(allowed int) int {
	if allowed <= s.ix.config.FlatRows {
		return allowed
	}
	words := int(s.n+63) / 64
	step := max(words/sampled, 1)
	asked, seen := 0, 0
	for at := 0; at < words; at += step {
		w := min(at+int(mix(uint64(at))%uint64(step)), words-1)
		for word := s.o.Allowed.word(w); word != 0; word &= word - 1 {
			slot := Slot(w<<6 | bits.TrailingZeros64(word))
			if uint32(slot) >= s.n {
				break
			}
			asked++
			if c, row := s.rows.at(slot); c.visible(row, s.o.At) {
				seen++
			}
		}
	}
	if asked == 0 {
		return allowed
	}
	return share(seen, asked, allowed)
}

func share(seen, asked, of int) int {
	if asked == 0 {
		return 0
	}
	return int(int64(seen) * int64(of) / int64(asked))
}
