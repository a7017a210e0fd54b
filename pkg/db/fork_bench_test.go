package inmem_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// runOf opens a database on disk with a run of n keys.
func runOf(t testing.TB, n int) (*inmem.DB, *inmem.Run) {
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	run, err := d.BeginRun(t.Context(), inmem.RunOptions{Tenant: "t", App: "a", Agent: "x"})
	require.NoError(t, err)
	for i := 0; i < n; {
		_, err := run.Update(t.Context(), func(tx *inmem.Tx) error {
			for end := min(n, i+1000); i < end; i++ {
				key := fmt.Sprintf("key/%032d", i)
				if _, err := tx.KV().Put(t.Context(), key, inmem.Bytes(make([]byte, 100))); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
	return d, run
}

// BenchmarkFork makes forks of runs of two sizes, and runs without a parent beside: the median of
// each is what to look at.
func BenchmarkFork(b *testing.B) {
	for _, keys := range []int{10, 100_000} {
		d, run := runOf(b, keys)
		ctx := b.Context()
		for _, c := range []struct {
			name string
			make func() error
		}{
			{"fork", func() error {
				_, err := run.Fork(ctx, inmem.ForkOptions{})
				return err
			}},
			{"begin", func() error {
				_, err := d.BeginRun(ctx, inmem.RunOptions{Tenant: "t", App: "a", Agent: "x"})
				return err
			}},
			{"fork and put", func() error {
				child, err := run.Fork(ctx, inmem.ForkOptions{})
				if err == nil {
					_, err = child.KV().Put(ctx, "mine", inmem.Int(1))
				}
				return err
			}},
		} {
			b.Run(fmt.Sprintf("%s/keys=%d", c.name, keys), func(b *testing.B) {
				var times []time.Duration
				b.ReportAllocs()
				for b.Loop() {
					began := time.Now()
					if err := c.make(); err != nil {
						b.Fatal(err)
					}
					times = append(times, time.Since(began))
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns")
			})
		}
	}
}

// BenchmarkLiveForks holds ten thousand forks, each of which has written a key, and reports the
// memory that one of them takes.
func BenchmarkLiveForks(b *testing.B) {
	const n = 10_000
	ctx := b.Context()
	for b.Loop() {
		_, run := runOf(b, 1000)
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		forks := make([]*inmem.Run, n)
		for i := range forks {
			var err error
			if forks[i], err = run.Fork(ctx, inmem.ForkOptions{}); err == nil {
				_, err = forks[i].KV().Put(ctx, "mine", inmem.Int(int64(i)))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/n, "B/fork")
		for i, f := range forks {
			if _, ok, err := f.KV().Get(ctx, fmt.Sprintf("key/%032d", i%1000)); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		runtime.KeepAlive(forks)
	}
}
