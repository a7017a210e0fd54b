// Package alloctest bounds what code under test allocates: a small input that makes a decoder ask
// for a great deal of memory is a defect, also when it is refused afterwards.
package alloctest

import (
	"runtime/metrics"
	"testing"
)

// allocated is how many bytes this process has allocated on the heap, ever.
const allocated = "/gc/heap/allocs:bytes"

// attempts is how often something may be found to allocate too much: other goroutines allocate,
// too, and what allocates once only is no matter of its input.
const attempts = 3

// Within runs fn and fails the test at once if it allocated more than limit bytes. It runs fn again
// before it fails, so fn must do the same each time. What is measured is exact to some tens of
// kilobytes. Not for parallel tests.
func Within(t testing.TB, limit uint64, fn func()) {
	t.Helper()
	least := ^uint64(0)
	for range attempts {
		before := total()
		fn()
		if least = min(least, total()-before); least <= limit {
			return
		}
	}
	t.Fatalf("%d bytes were allocated, limit %d", least, limit)
}

func total() uint64 {
	sample := []metrics.Sample{{Name: allocated}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
