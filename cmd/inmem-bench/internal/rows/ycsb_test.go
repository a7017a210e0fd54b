package rows

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

func TestZipfIsZipfian(t *testing.T) {
	const n, draws = 1000, 200_000
	z, g := newZipf(n), measure.NewLCG(measure.DefaultSeed, 0)
	hits := make([]int, n)
	for range draws {
		hits[z.rank(&g)]++
	}
	// The first ranks follow 1/i^0.99; the generator is exact for two, close for the rest.
	require.InEpsilon(t, draws/z.zeta, hits[0], .05)
	require.InEpsilon(t, draws/z.zeta/1.986, hits[1], .05)
	tail := 0
	for _, h := range hits[100:] {
		tail += h
	}
	share := 0.0
	for i := 101; i <= n; i++ {
		share += 1 / z.zeta * pow(i)
	}
	require.InEpsilon(t, share*draws, tail, .05)
}

func pow(i int) float64 {
	z := newZipf(i)
	if i == 1 {
		return z.zeta
	}
	return z.zeta - newZipf(i-1).zeta
}

// smallRecords is a database of YCSB that is made quickly: only its first records exist.
func smallRecords(t *testing.T, n int) *records {
	s, err := engine.InMem().Open(context.Background(), t.TempDir(),
		engine.Options{Mode: engine.Batched, Memory: 256 << 20, Workers: 4})
	require.NoError(t, err)
	r := &records{zipf: newZipf(n), first: firstKeys(), ahead: map[int]bool{}}
	r.store = s
	r.inserted.Store(int64(n))
	r.begun.Store(int64(n))
	require.NoError(t, s.Load(context.Background(), n, func(i int) (string, string) {
		return r.key(i), ycsbValues[i%16]
	}))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return r
}

func TestRecordsAreChecked(t *testing.T) {
	ctx := context.Background()
	r := smallRecords(t, 50)
	w := &reader{g: measure.NewLCG(1, 0)}
	require.NoError(t, r.read(ctx, r.store, w, 7))
	require.NoError(t, r.store.Put(ctx, r.key(7), ycsbValues[7+32]))
	require.NoError(t, r.read(ctx, r.store, w, 7), "an update of that record")
	require.NoError(t, r.scan(ctx, 7, 20))
	require.NoError(t, r.store.Put(ctx, r.key(7), ycsbValues[8]))
	var wrong *measure.WrongAnswer
	require.ErrorAs(t, r.read(ctx, r.store, w, 7), &wrong, "the value of another record")
	require.ErrorAs(t, r.scan(ctx, 7, 20), &wrong)
	require.ErrorAs(t, r.read(ctx, r.store, w, 50), &wrong, "absent")
	require.ErrorAs(t, r.scan(ctx, 50, 1), &wrong, "a scan begins at its first key")
}

// Records inserted by several goroutines at once all count in the end.
func TestInsertsAreCounted(t *testing.T) {
	ctx := context.Background()
	r := smallRecords(t, 10)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			for range 100 {
				errs[i] = errors.Join(errs[i], r.insert(ctx))
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.EqualValues(t, 410, r.inserted.Load())
	require.Empty(t, r.ahead)
	w := &reader{g: measure.NewLCG(1, 0)}
	for range 1000 {
		require.NoError(t, r.read(ctx, r.store, w, r.choose(&w.g, true)))
	}
}
