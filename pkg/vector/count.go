package vector

import "math/bits"

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

// sampled is how many slots a sample looks at, about.
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
	newest := s.o.At >= s.ix.top.Load()
	if allowed <= s.ix.config.FlatRows || newest && int(s.ix.live.Load()) == int(s.n) {
		return allowed
	}
	words := int(s.n+63) / 64
	step, most := max(words/sampled, 1), max(sampled/words, 1)
	asked, seen := 0.0, 0.0
	for at := 0; at < words; at += step {
		chance := mix(uint64(at))
		w := min(at+int(chance%uint64(step)), words-1)
		share, all := s.visibleIn(w, int(chance>>58), most)
		asked += all
		seen += share * all
	}
	if asked == 0 {
		return allowed
	}
	return int(seen / asked * float64(allowed))
}

// visibleIn looks at some of the allowed rows of a word, from a bit on, and returns which share of
// them is visible, and how many are allowed.
func (s *searcher) visibleIn(w, from, most int) (share, all float64) {
	word := s.o.Allowed.word(w)
	asked, seen := 0, 0
	for rest := bits.RotateLeft64(word, -from); rest != 0 && asked < most; rest &= rest - 1 {
		slot := Slot(w<<6 | (bits.TrailingZeros64(rest)+from)&63)
		if uint32(slot) >= s.n {
			continue
		}
		asked++
		if c, row := s.rows.at(slot); c.visible(row, s.o.At) {
			seen++
		}
	}
	if asked == 0 {
		return 0, 0
	}
	return float64(seen) / float64(asked), float64(bits.OnesCount64(word))
}

func share(seen, asked, of int) int {
	if asked == 0 {
		return 0
	}
	return int(int64(seen) * int64(of) / int64(asked))
}
