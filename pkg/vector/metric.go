package vector

import (
	"fmt"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Metric says how alike two vectors are. A score is float32 and higher is always better; the metric
// of a collection never changes. The numbers are stored: never renumber them.
type Metric uint8

// The metrics.
const (
	// Cosine is the cosine of the angle, -1 to 1. A zero vector has score 0 with everything.
	Cosine Metric = 1
	// Dot is the inner product; lengths count.
	Dot Metric = 2
	// L2 is the negated squared Euclidean distance, at most 0.
	L2 Metric = 3
)

// String returns "cosine", "dot", "l2", or "metric(n)" for what is none.
func (m Metric) String() string {
	switch m {
	case Cosine:
		return "cosine"
	case Dot:
		return "dot"
	case L2:
		return "l2"
	}
	return fmt.Sprintf("metric(%d)", uint8(m))
}

// ParseMetric is the inverse of String. Error: codec.ErrInvalidArgument for any other text.
func ParseMetric(text string) (Metric, error) {
	for _, m := range []Metric{Cosine, Dot, L2} {
		if m.String() == text {
			return m, nil
		}
	}
	return 0, fmt.Errorf("%w: metric %q, expected cosine, dot or l2",
		codec.ErrInvalidArgument, text)
}

func (m Metric) check() error {
	if m < Cosine || m > L2 {
		return fmt.Errorf("%w: %s, expected cosine, dot or l2", codec.ErrInvalidArgument, m)
	}
	return nil
}
