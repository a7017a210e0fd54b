package soak

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Direction says in which direction a figure must not drift.
type Direction int8

// The directions.
const (
	// Rise: it must not grow, as memory must not.
	Rise Direction = 1
	// Fall: it must not become less, as throughput must not.
	Fall Direction = -1
)

// Bound is how far a figure may drift over a whole soak, after the warm-up, before it counts: more
// than Share of its median and more than Least, in its own unit. A drift is what the line through
// the medians of minutes gains from end to end.
type Bound struct {
	Direction Direction
	Share     float64
	Least     float64
}

// Verdict is what a figure did.
type Verdict struct {
	// Median, Least and Most are those of the medians, Drift what the line gains from end to end,
	// Steady how many of all pairs of medians rise, less those that fall: -1 to 1, 0 for noise.
	Median, Least, Most, Drift, Steady float64
	// Buckets is how many medians there were. Fewer than leastBuckets are not judged.
	Buckets int
	// Drifts: it has gone further than the bound.
	Drifts bool
}

const (
	// warmup is the share of a soak that is not judged: caches fill, indexes are built.
	warmup = 0.2
	// leastBuckets is how many medians a verdict needs, mostBuckets how many are made at most.
	leastBuckets, mostBuckets = 12, 60
	// fewBuckets is how many medians a soak of minutes is cut into.
	fewBuckets = 16
	// steady is how much of a trend there must be for a drift: noise of 16 medians is beyond it in
	// one of a thousand soaks, of 48 never.
	steady = 0.6
)

// point is one measurement.
type point struct {
	at    time.Duration
	value float64
}

// judge fits a line through a figure, by the median of the slopes between all pairs of medians
// (Theil and Sen): no outlier moves it, neither a pause nor a compaction. It is a pure function.
func judge(points []point, length time.Duration, b Bound) Verdict {
	medians := bucketed(points, length)
	v := Verdict{Buckets: len(medians)}
	if len(medians) == 0 {
		return v
	}
	values := make([]float64, len(medians))
	for i, m := range medians {
		values[i] = m.value
	}
	v.Least, v.Most, v.Median = slices.Min(values), slices.Max(values), median(values)
	if len(medians) < leastBuckets {
		return v
	}
	var slopes []float64
	rising := 0
	for i, a := range medians {
		for _, z := range medians[i+1:] {
			slopes = append(slopes, (z.value-a.value)/(z.at-a.at).Seconds())
			rising += cmp.Compare(z.value, a.value)
		}
	}
	v.Steady = float64(rising) / float64(len(slopes))
	v.Drift = median(slopes) * (medians[len(medians)-1].at - medians[0].at).Seconds()
	drift := v.Drift * float64(b.Direction)
	v.Drifts = drift > b.Least && drift > b.Share*math.Abs(v.Median) &&
		v.Steady*float64(b.Direction) > steady
	return v
}

// bucketed cuts what comes after the warm-up into minutes, or into a sixtieth of a longer or a
// sixteenth of a shorter soak, and takes the median of each.
func bucketed(points []point, length time.Duration) []point {
	begin := time.Duration(warmup * float64(length))
	rest := length - begin
	size := min(max(time.Minute, rest/mostBuckets), rest/fewBuckets)
	if size <= 0 {
		return nil
	}
	in := map[int][]float64{}
	for _, p := range points {
		if p.at >= begin && p.at < length {
			i := int((p.at - begin) / size)
			in[i] = append(in[i], p.value)
		}
	}
	var medians []point
	for i := range int(rest/size) + 1 {
		if len(in[i]) >= 3 {
			at := begin + time.Duration(i)*size + size/2
			medians = append(medians, point{at, median(in[i])})
		}
	}
	return medians
}

// median is the middle one; it changes nothing.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
