package inmem_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// fill gives a run n keys, n events and n/10 spans; what every which-th of them holds differs from
// what a run with another seed has.
func (w *world) fill(r *inmem.Run, n, which, seed int) {
	t, ctx := w.t, w.ctx()
	t.Helper()
	const batch = 1000
	value := func(i int) inmem.Value {
		if i%which == which-1 {
			return inmem.String(fmt.Sprintf("value %d of the run with the seed %d", i, seed))
		}
		return inmem.String(fmt.Sprintf("value %d of every run, as it is for all", i))
	}
	for i := 0; i < n; i += batch {
		_, err := r.Update(ctx, func(tx *inmem.Tx) error {
			var events []inmem.NewEvent
			for j := i; j < min(i+batch, n); j++ {
				if _, err := tx.KV().Put(ctx, fmt.Sprintf("key/%08d", j), value(j)); err != nil {
					return err
				}
				events = append(events, inmem.NewEvent{Type: "step", Payload: value(j)})
				if j%10 != 0 {
					continue
				}
				if _, err := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanToolCall,
					Name: "tool", Error: value(j / 10).String()}); err != nil {
					return err
				}
			}
			_, err := tx.Events().AppendMany(ctx, events)
			return err
		})
		require.NoError(t, err)
		w.clock.advance(time.Second)
	}
}

// liveHeap is what is in use after a collection, in bytes.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A comparison keeps the details that were asked for and its windows, not the runs: with a tenth of
// all differing, in the middle of everything, and with nothing in common.
func TestDiffMemoryIsBounded(t *testing.T) {
	n := 100_000
	switch {
	case os.Getenv("INMEM_LONG") != "":
		n = 1_000_000
	case testing.Short():
		n = 40_000
	}
	// On disk: files in memory, and what compactions make of them, would be in the heap as well.
	onDisk, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, onDisk.Close()) })
	w := &world{DB: onDisk, t: t, clock: newTestClock()}
	a, b := w.begin2()
	w.fill(a, n, 10, 1)
	w.fill(b, n, 10, 2)
	w.diff(newest(a), newest(b), inmem.DiffOptions{Details: 1}) // what is cached, is cached
	before, seen, most := liveHeap(), 0, uint64(0)
	for e, err := range w.DiffEntries(w.ctx(), newest(a), newest(b), inmem.DiffOptions{}) {
		require.NoError(t, err)
		require.Equal(t, inmem.DiffChanged, e.Op)
		if seen++; seen%(n/20) == 0 {
			most = max(most, liveHeap())
		}
	}
	require.Equal(t, n/10+n/10+n/100, seen)
	t.Logf("live heap before: %d KiB, most during the comparison: %d KiB", before>>10, most>>10)
	require.Less(t, most, before+8<<20)

	start := time.Now()
	d := w.diff(newest(a), newest(b), inmem.DiffOptions{Details: 10})
	t.Logf("%d keys, events and %d spans on each side: %v", n, n/10, time.Since(start))
	require.True(t, d.Events.Windowed)
	require.EqualValues(t, n/10, d.Events.Changed)
	require.EqualValues(t, n-n/10, d.Events.Same)
	require.Len(t, d.Entries, 10)
	require.EqualValues(t, seen-10, d.Omitted)
}

// R209: two runs of 1K keys each take far less than 200 ms.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		for name, which := range map[string]int{"equal": 1 << 30, "tenth": 10, "all": 1} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				w := newWorld(b, engines[1], nil)
				x, y := w.begin2()
				w.fill(x, n, which, 1)
				w.fill(y, n, which, 2)
				b.ReportAllocs()
				for b.Loop() {
					w.diff(newest(x), newest(y), inmem.DiffOptions{})
				}
			})
		}
	}
}

// R209: the looser bound, as a test.
func TestR209DiffIsFast(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	a, b := w.begin2()
	w.fill(a, 1000, 10, 1)
	w.fill(b, 1000, 10, 2)
	best := time.Hour
	for range 5 {
		start := time.Now()
		w.diff(newest(a), newest(b), inmem.DiffOptions{})
		best = min(best, time.Since(start))
	}
	t.Logf("1K keys, 1K events, 100 spans on each side: %v", best)
	require.Less(t, best, 200*time.Millisecond)
}
