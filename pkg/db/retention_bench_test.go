package inmem_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// BenchmarkCommitsBesideAPrune commits to one run while the history of another one is removed, and
// before: the ratios of the two are what to look at.
func BenchmarkCommitsBesideAPrune(b *testing.B) {
	const keys, rounds, least = 1000, 20, 500
	const gap = 200 * time.Microsecond // between commits: whoever never rests leaves the disk none
	ctx := b.Context()
	for b.Loop() {
		d, old := runOf(b, keys)
		for i := range rounds {
			_, err := old.Update(ctx, func(tx *inmem.Tx) error {
				for k := range keys {
					key := fmt.Sprintf("key/%032d", k)
					if _, err := tx.KV().Put(ctx, key, inmem.Int(int64(i))); err != nil {
						return err
					}
				}
				return nil
			})
			require.NoError(b, err)
		}
		require.NoError(b, d.Flush(ctx))
		run, err := d.BeginRun(ctx, inmem.RunOptions{})
		require.NoError(b, err)
		setRetention(b, d, inmem.RetentionTarget{Run: old.ID()}, inmem.Keep{Commits: 1})
		// commits measures at least so many commits, and goes on until done says so.
		commits := func(done func() bool) (median, tail time.Duration) {
			var times []time.Duration
			for i := 0; i < least || !done(); i++ {
				began := time.Now()
				if _, err := run.KV().Put(ctx, fmt.Sprint(i%least), inmem.Int(1)); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(began))
				time.Sleep(gap)
			}
			slices.Sort(times)
			return times[len(times)/2], times[len(times)*99/100]
		}
		commits(func() bool { return true }) // what is new is slow
		quiet, quietTail := commits(func() bool { return true })
		pruned := make(chan error, 1)
		go func() {
			_, err := d.ApplyRetention(ctx, nil)
			pruned <- err
		}()
		beside, besideTail := commits(func() bool {
			select {
			case err = <-pruned:
				return true
			default:
				return false
			}
		})
		require.NoError(b, err)
		b.ReportMetric(float64(beside)/float64(quiet), "p50-ratio")
		b.ReportMetric(float64(besideTail)/float64(quietTail), "p99-ratio")
		b.ReportMetric(float64(quiet.Nanoseconds()), "quiet-p50-ns")
		b.ReportMetric(float64(d.Metrics().Pruned), "records")
	}
}
