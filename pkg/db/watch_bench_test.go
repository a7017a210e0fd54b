package inmem_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// BenchmarkWatchLag shows how long after a commit is durable its consumer has it: in Strict from
// the return of the commit, which by then is durable, in None from the call.
func BenchmarkWatchLag(b *testing.B) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.None} {
		for _, whole := range []string{"run", "database"} {
			b.Run(mode.String()+"/"+whole, func(b *testing.B) {
				db, run := benchWatched(b, mode)
				told := make(chan time.Time)
				w := run.Watch(b.Context(), inmem.WatchOptions{From: inmem.FromNow})
				if whole == "database" {
					w = db.Watch(b.Context(), inmem.WatchOptions{From: inmem.FromNow})
				}
				next, stop := iter.Pull2(w)
				defer stop()
				go func() {
					for {
						if _, err, ok := next(); err != nil || !ok {
							close(told)
							return
						}
						told <- time.Now()
					}
				}()
				defer func() {
					_ = db.Close()
					for range told {
					}
				}()
				var lags []time.Duration
				for i := range b.N {
					start := time.Now()
					_, err := run.KV().Put(b.Context(), fmt.Sprint(i%100), inmem.Int(1))
					require.NoError(b, err)
					if mode == inmem.Strict {
						start = time.Now()
					}
					lags = append(lags, max(0, (<-told).Sub(start)))
				}
				slices.Sort(lags)
				b.ReportMetric(float64(lags[len(lags)/2]), "p50-ns")
				b.ReportMetric(float64(lags[len(lags)*99/100]), "p99-ns")
			})
		}
	}
}

func benchWatched(b *testing.B, mode inmem.Durability) (*inmem.DB, *inmem.Run) {
	db, err := inmem.Open(b.TempDir(), &inmem.Options{Durability: mode})
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	run, err := db.BeginRun(b.Context(), inmem.RunOptions{})
	require.NoError(b, err)
	return db, run
}

// BenchmarkCommitsWatched shows what consumers cost the commits: none, ten that have nothing to do,
// because their runs are others, and ten that are told all.
func BenchmarkCommitsWatched(b *testing.B) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched} {
		for _, kind := range []string{"none", "ten idle", "ten"} {
			b.Run(mode.String()+"/"+kind, func(b *testing.B) {
				db, run := benchWatched(b, mode)
				ctx, cancel := context.WithCancel(b.Context())
				var wg sync.WaitGroup
				for range 10 {
					other, err := db.BeginRun(ctx, inmem.RunOptions{})
					require.NoError(b, err)
					w := other.Watch(ctx, inmem.WatchOptions{})
					if kind == "ten" {
						w = db.Watch(ctx, inmem.WatchOptions{})
					}
					if kind != "none" {
						wg.Go(func() {
							for range w {
							}
						})
					}
				}
				value := inmem.String("a value of some length, as they come")
				b.ResetTimer()
				b.RunParallel(func(p *testing.PB) {
					for i := 0; p.Next(); i++ {
						if _, err := run.KV().Put(ctx, fmt.Sprint(i%1000), value); err != nil {
							b.Error(err)
						}
					}
				})
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
				cancel()
				wg.Wait()
			})
		}
	}
}

// BenchmarkWatchCatchUp shows how fast a consumer reads what it has missed.
func BenchmarkWatchCatchUp(b *testing.B) {
	for _, whole := range []string{"run", "database"} {
		for _, values := range []string{"keys", "values"} {
			b.Run(whole+"/"+values, func(b *testing.B) {
				db, run := benchWatched(b, inmem.Batched)
				for i := range 10_000 {
					_, err := run.KV().Put(b.Context(), fmt.Sprint(i%1000), inmem.Int(int64(i)))
					require.NoError(b, err)
				}
				require.NoError(b, db.Flush(b.Context()))
				b.ResetTimer()
				for done := 0; done < b.N; {
					o := inmem.WatchOptions{}
					if values == "keys" {
						o.Values = inmem.NoValues
					}
					w := run.Watch(b.Context(), o)
					if whole == "database" {
						w = db.Watch(b.Context(), o)
					}
					for c, err := range w {
						require.NoError(b, err)
						if done++; c.Number == 10_000 || done >= b.N {
							break
						}
					}
				}
			})
		}
	}
}
