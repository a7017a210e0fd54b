package vector

import (
	"math"
)

// CheckVector tells whether a vector can be stored in, or looked up from, an index of dim
// dimensions. Error: codec.ErrInvalidArgument for another length, for a NaN or an infinity (naming
// its place), and for a vector longer than 1e18, the
// squares of which would not be finite float32 numbers any more.
// Zero vectors are fine under every metric.
func CheckVector(dim int, v []float32) error {
	if len(v) != dim {
		return invalid("vector of %d dimensions, expected %d", len(v), dim)
	}
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum <= maxNorm*maxNorm {
		return nil
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return invalid("vector component %d is %v, expected a finite number", i, x)
		}
	}
	return invalid("vector of length %.3g, at most %.3g", math.Sqrt(sum), float64(maxNorm))
}

// Scorer computes scores of one query: bit for bit those of the hits of a Search on this machine.
// Not safe for concurrent use.
type Scorer struct {
	metric Metric
	query  []float32 // of length one under Cosine
	other  []float32 // room for the normalised row
}

// NewScorer prepares a query, which it copies. Errors: those of CheckVector, and
// codec.ErrInvalidArgument for an unknown metric.
func NewScorer(m Metric, query []float32) (*Scorer, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if err := CheckVector(len(query), query); err != nil {
		return nil, err
	}
	s := &Scorer{metric: m, query: make([]float32, len(query))}
	if m == Cosine {
		Normalize(s.query, query)
		s.other = make([]float32, len(query))
	} else {
		copy(s.query, query)
	}
	return s, nil
}

// Score returns the score of a row, which must be as long as the query and pass CheckVector.
func (s *Scorer) Score(row []float32) float32 {
	if s.metric == Cosine {
		Normalize(s.other, row)
		row = s.other
	}
	return score(s.metric, s.query, row)
}

// score compares two vectors as an index holds them: normalised under Cosine. It always uses the
// kernel for one row, so that the bits do not depend on who is compared together with whom.
func score(m Metric, q, row []float32) float32 {
	if m == L2 {
		return -SquaredL2(q, row)
	}
	return DotProduct(q, row)
}
