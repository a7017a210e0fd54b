package embedded

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// diskOptions are the defaults, on a real directory.
func diskOptions(b testing.TB, mode Mode) Options {
	return Options{Dir: b.TempDir(), FS: vfs.Default, Mode: mode, SweepInterval: -1}
}

// load writes n keys in batches and returns their names.
func load(b testing.TB, db *DB, s *backend.Scope, n int) []string {
	keys := make([]string, n)
	var w []backend.Write
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%032d", i)
		w = append(w, put(s, keys[i], "a value of the usual length, which is about one hundred bytes, "+
			"more or less, as in the tables of others"))
		if len(w) == 500 || i == n-1 {
			_, err := db.Commit(ctx, &backend.Request{Writes: w})
			require.NoError(b, err)
			w = w[:0]
		}
	}
	return keys
}

func BenchmarkGet(b *testing.B) {
	db := mustOpen(b, diskOptions(b, Batched))
	s := newScope(b, db, 1)
	keys := load(b, db, s, 10_000)
	at := db.Published()
	b.Run("hot", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.Get(ctx, s, codec.KV, keys[77], at); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.Get(ctx, s, codec.KV, "no such key", at); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPut(b *testing.B) {
	db := mustOpen(b, diskOptions(b, Batched))
	s := newScope(b, db, 1)
	w := put(s, "key-of-forty-bytes-as-in-the-tables-0001", "a value of one hundred bytes "+
		"or so, as in the tables, to be put again and again and again")
	r := &backend.Request{Writes: []backend.Write{w}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.Commit(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
}

// What a transaction costs must not grow with the store (issue: begin at 1K and 1M keys).
func BenchmarkBegin(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o := diskOptions(b, None)
			o.MemoryBudget = 1 << 30
			db := mustOpen(b, o)
			s := newScope(b, db, 1)
			keys := load(b, db, s, n)
			b.ReportAllocs()
			for b.Loop() {
				pin, err := db.Begin()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := db.Get(ctx, s, codec.KV, keys[7], pin.Version()); err != nil {
					b.Fatal(err)
				}
				pin.Release()
			}
		})
	}
}

func BenchmarkStrict(b *testing.B) {
	for _, committers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint(committers), func(b *testing.B) {
			db := mustOpen(b, diskOptions(b, Strict))
			s := newScope(b, db, 1)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for g := range committers {
				wg.Go(func() {
					w := put(s, fmt.Sprint("key-", g), "value")
					for left.Add(-1) >= 0 {
						if _, err := db.Commit(ctx, &backend.Request{
							Writes: []backend.Write{w}}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(b.N)/float64(db.Stats().Syncs), "commits/wait")
		})
	}
}

// Opening must not cost what the database holds: after a clean close there is no log to replay,
// after a kill at most what Pebble's memtables held.
func BenchmarkOpen(b *testing.B) {
	for _, end := range []string{"close", "kill"} {
		b.Run(end, func(b *testing.B) {
			mem := disktest.New()
			o := Options{Dir: "db", FS: mem, SweepInterval: -1}
			db, err := Open(ctx, o)
			require.NoError(b, err)
			s := newScope(b, db, 1)
			load(b, db, s, 1_000_000)
			require.NoError(b, db.Flush(ctx))
			if end == "close" {
				require.NoError(b, db.Close())
			}
			images := make([]*disktest.Disk, 0, b.N)
			for range b.N {
				images = append(images, mem.CrashClone(vfs.CrashCloneCfg{}))
			}
			if end == "kill" {
				require.NoError(b, db.Close())
			}
			b.ResetTimer()
			for _, image := range images {
				o.FS = image
				db, err := Open(ctx, o)
				require.NoError(b, err)
				b.StopTimer()
				require.Equal(b, end == "close", db.Recovery().Clean)
				require.NoError(b, db.Close())
				b.StartTimer()
			}
		})
	}
}
