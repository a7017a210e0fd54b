package vector

// How a search with a filter, or on an old view, is answered. c is the number of rows that are
// visible and allowed (exact, or estimated where counting would cost more than it saves), n that of
// all rows.
//
//   - few rows, so that a walk would cost as much: scan them
//   - most rows (c above walkShare of n): walk over all, keep those that are allowed
//   - between: look at the rows around the query; when they are allowed about as often as
//     elsewhere, walk over allowed rows only (two-hop), else as before; when a scan is quick (at
//     most Config.FlatRows) and hardly any of them is allowed, scan; scan after all when as many
//     rows were compared as would have cost a scan
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
		settled, failed, err := s.attempt(p)
		if failed != "" {
			return s.scanAll(failed)
		}
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

// attempt answers with a walk over what is linked and a scan of the rest, and tells whether no row
// that was not ranked can matter; or why the walk failed.
func (s *searcher) attempt(p plan) (settled bool, failed string, err error) {
	s.info.Strategy, s.info.Why = p.strategy, p.why
	s.clear()
	s.scan(s.linked, s.n)
	if failed = s.walk(p); failed != "" {
		return false, failed, nil
	}
	settled, err = s.rank()
	return settled, "", err
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
	b := s.ready()
	b.descend(s.top, 0)
	if s.o.Ef == 0 && p.width < s.width(1) {
		b.spares = p.width // a narrow walk has seen more that may be told apart from the nearest
	}
	p.strategy = s.judge(&p)
	if p.strategy == Scan {
		s.info.Rows += b.compared
		return whyAway
	}
	b.limit, b.twoHop = p.limit, p.strategy == TwoHop
	within := b.walk(0, p.width)
	s.info.Rows += b.compared
	if !within {
		return "the walk took as long as a scan"
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

// ready points the beam at the query, without bounds.
func (s *searcher) ready() *beam {
	b := &s.beam
	b.rows, b.nodes, b.graph, b.dim = s.rows, s.nodes, &s.ix.graph, s.ix.config.Dim
	b.slots, b.uppers, b.linked = s.linked, s.uppers, s.linked
	b.aim, b.o, b.compared = &s.aim, &s.o, 0
	b.limit, b.twoHop, b.spares = 0, false, 0
	return b
}

// judge chooses by the rows around the entries of the graph, unless it is clear already.
func (s *searcher) judge(p *plan) Strategy {
	if p.share == 0 {
		return p.strategy
	}
	near := s.beam.around()
	if p.quick && near < p.share/8 {
		return Scan
	}
	if near >= p.share/2 {
		return TwoHop
	}
	return Walk
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
