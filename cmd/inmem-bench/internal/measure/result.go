package measure

import (
	"slices"
	"time"
)

// Stat is a figure over several repeats.
type Stat struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Spread is half the distance between the extremes, as a share of the median.
func (s Stat) Spread() float64 {
	if s.Median == 0 {
		return 0
	}
	return (s.Max - s.Min) / 2 / s.Median
}

// StatOf gives median and extremes; all zero for no values.
func StatOf(values []float64) Stat {
	if len(values) == 0 {
		return Stat{}
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return Stat{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]}
}

func (r *Result) over(f func(*Sample) float64) Stat {
	values := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		values[i] = f(s)
	}
	return StatOf(values)
}

// Per gives median and extremes of a figure of each repeat.
func (r *Result) Per(figure func(*Sample) float64) Stat { return r.over(figure) }

// Rate is the number of operations per second.
func (r *Result) Rate() Stat { return r.over((*Sample).Rate) }

// Allocs is the number of allocations per operation.
func (r *Result) Allocs() Stat {
	return r.over(func(s *Sample) float64 { return float64(s.Mallocs) / float64(s.Ops) })
}

// AllocBytes is the number of bytes allocated per operation.
func (r *Result) AllocBytes() Stat {
	return r.over(func(s *Sample) float64 { return float64(s.Bytes) / float64(s.Ops) })
}

// CPU is the processor time of an operation in nanoseconds, background work included.
func (r *Result) CPU() Stat {
	return r.over(func(s *Sample) float64 { return float64(s.CPU) / float64(s.Ops) })
}

// Latency is the durations of all repeats together.
func (r *Result) Latency() *Histogram {
	all := &Histogram{}
	for _, s := range r.Samples {
		all.Merge(&s.Latency)
	}
	return all
}

// Ops is the number of operations of all repeats, Elapsed the time that they took.
func (r *Result) Ops() (n int, elapsed time.Duration) {
	for _, s := range r.Samples {
		n += s.Ops
		elapsed += s.Elapsed
	}
	return n, elapsed
}

// Exhausted says that some repeat ended because the prepared work did.
func (r *Result) Exhausted() bool {
	return slices.ContainsFunc(r.Samples, func(s *Sample) bool { return s.Exhausted })
}

// Metrics are the further figures of the trials, in the order of the first repeat.
func (r *Result) Metrics() []Metric {
	if len(r.Samples) == 0 {
		return nil
	}
	all := slices.Clone(r.Samples[0].Metrics)
	for i := range all {
		all[i].Value = r.over(func(s *Sample) float64 { return s.Metrics[i].Value }).Median
	}
	return all
}

// Ratio compares the rate with that of the first limit for the same workload. It is false if there
// is none.
func (r *Result) Ratio(all []Result) (ratio Stat, limit string, ok bool) {
	if r.System.Limit {
		return Stat{}, "", false
	}
	for i := range all {
		other := &all[i]
		if other.Name == r.Name && other.System.Limit {
			if ratio, ok = r.RatioTo(other); ok {
				return ratio, other.System.Name, true
			}
		}
	}
	return Stat{}, "", false
}

// RatioTo compares the rate with another's: the quotients of each repeat, in which the two ran one
// after the other. It is false if the repeats do not match.
func (r *Result) RatioTo(other *Result) (Stat, bool) {
	if len(other.Samples) != len(r.Samples) || len(r.Samples) == 0 {
		return Stat{}, false
	}
	values := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		values[i] = s.Rate() / other.Samples[i].Rate()
	}
	return StatOf(values), true
}

// CPURatioTo compares the processor time per operation with another's: above 1 if this one needs
// less. It is false if the repeats do not match, or the time is not known.
func (r *Result) CPURatioTo(other *Result) (Stat, bool) {
	if len(other.Samples) != len(r.Samples) || len(r.Samples) == 0 {
		return Stat{}, false
	}
	values := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		o := other.Samples[i]
		if s.CPU <= 0 || o.CPU <= 0 {
			return Stat{}, false
		}
		values[i] = float64(o.CPU) / float64(o.Ops) / (float64(s.CPU) / float64(s.Ops))
	}
	return StatOf(values), true
}

// Best is the peer with the highest rate in the same workload, nil if there is none.
func (r *Result) Best(all []Result) *Result {
	var best *Result
	for i := range all {
		other := &all[i]
		if other.Name == r.Name && other.System.Peer &&
			(best == nil || other.Rate().Median > best.Rate().Median) {
			best = other
		}
	}
	return best
}
