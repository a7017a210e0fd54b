package measure

import (
	"math/bits"
	"time"
)

// Every power of two is divided into 64 buckets: a quantile is off by at most 1.6 %.
const (
	subBits    = 6
	subBuckets = 1 << subBits
	exponents  = 36 // up to about 70 minutes
)

// Histogram counts durations in buckets that grow with the value. The zero value is empty. It
// belongs to one goroutine.
type Histogram struct {
	counts [(exponents + 1) * subBuckets]uint64
	n      uint64
	max    time.Duration
}

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	if shift >= exponents {
		return (exponents+1)*subBuckets - 1
	}
	return shift<<subBits + int(v>>shift)
}

// middleOf is the middle of a bucket's range.
func middleOf(bucket int) time.Duration {
	if bucket < 2*subBuckets {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	low := uint64(bucket-shift<<subBits) << shift
	return time.Duration(low + uint64(1)<<shift/2)
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.n++
	h.max = max(h.max, d)
}

// Merge adds what another histogram counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// Count is the number of durations.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the duration that the share q (0 to 1) of all does not exceed; 0 if it is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q * float64(h.n))
	if rank >= h.n {
		return h.max
	}
	seen := uint64(0)
	for i, c := range h.counts {
		seen += c
		if seen > rank {
			return min(middleOf(i), h.max)
		}
	}
	return h.max
}
