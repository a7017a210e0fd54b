package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// Commits of one run beside the deletion of another that holds a million keys, with and without
// deadlines, at 20,000 a second. Reported are percentiles, before and during: from the deletion
// until its space is freed, and a while longer for what compactions do then. Go runs it once with
// -benchtime 1x.
func BenchmarkCommitsBesideDeletion(b *testing.B) {
	for _, deadlines := range []bool{false, true} {
		b.Run(fmt.Sprintf("deadlines=%t", deadlines), func(b *testing.B) {
			for b.Loop() {
				commitsBesideDeletion(b, deadlines)
			}
		})
	}
}

func commitsBesideDeletion(b *testing.B, deadlines bool) {
	db := mustOpen(b, diskOptions(b, Batched))
	s, doomed := newScope(b, db, 1), newScope(b, db, 2)
	w := make([]backend.Write, 1000)
	for i := range 1_000_000 / len(w) {
		for j := range w {
			w[j] = put(doomed, fmt.Sprintf("key-%032d", i*len(w)+j), fmt.Sprintf("%0100d", j*i))
			if deadlines {
				w[j].Expiry = 1<<62 + int64(i*len(w)+j)
			}
		}
		commit(b, db, w...)
	}
	require.NoError(b, db.flushTables())
	r := &backend.Request{Writes: []backend.Write{put(s, "key", "value")}}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	measure := func(until func() bool) (took []time.Duration) {
		for !until() {
			<-tick.C
			for range 20 {
				began := time.Now()
				if _, err := db.Commit(ctx, r); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		return took
	}
	after := func(d time.Duration) func() bool {
		end := time.Now().Add(d)
		return func() bool { return time.Now().After(end) }
	}
	quiet := measure(after(3 * time.Second))
	began := time.Now()
	_, err := db.Commit(ctx, deletion(doomed))
	require.NoError(b, err)
	b.ReportMetric(float64(time.Since(began).Microseconds()), "us/deletion")
	busy := measure(func() bool { return db.graveyard.count() == 0 })
	freed := time.Since(began)
	b.ReportMetric(freed.Seconds()*1000, "ms-to-free")
	afterwards := measure(after(min(max(freed, 6*time.Second), 20*time.Second)))
	for name, took := range map[string][]time.Duration{
		"before": quiet, "freeing": busy, "after": afterwards} {
		for _, p := range []float64{0.5, 0.99, 0.999} {
			at := took[int(p*float64(len(took)-1))]
			b.ReportMetric(float64(at.Nanoseconds())/1000, fmt.Sprintf("us-p%v-%s", p*100, name))
		}
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), "us-max-"+name)
	}
}
