package txn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
)

// realManager is a Manager over the engine, with one run.
func realManager(t testing.TB, mode embedded.Mode, c Config) (*Manager, *backend.Scope) {
	t.Helper()
	db, err := embedded.Open(context.Background(), embedded.Options{Dir: t.TempDir(), Mode: mode})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return New(db, c), beginRun(t, db)
}

// beginRun begins a run.
func beginRun(t testing.TB, b backend.Backend) *backend.Scope {
	t.Helper()
	ctx := context.Background()
	number, err := b.AllocateScope(ctx)
	require.NoError(t, err)
	s := &backend.Scope{Number: number, Record: fmt.Sprintf("run-%d", number)}
	record, err := codec.AppendScopeRecord(nil, codec.ScopeRecord{
		Number: number, Status: codec.Active, Created: 1, Updated: 1})
	require.NoError(t, err)
	_, err = b.Commit(ctx, &backend.Request{
		CreateScopes: []*backend.Scope{s},
		Writes: []backend.Write{{
			Scope: &backend.Scope{}, Primitive: codec.ScopeRecords, Key: s.Record,
			Op: backend.Put, Value: record,
		}},
	})
	require.NoError(t, err)
	return s
}

// increment adds one to the number under a key.
func increment(ctx context.Context, s Scope, key string) error {
	e, err := s.Get(ctx, codec.Cells, key)
	if err != nil {
		return err
	}
	n := uint64(0)
	if e.Exists {
		n = binary.BigEndian.Uint64(e.Value)
	}
	value := binary.BigEndian.AppendUint64(nil, n+1)
	_, err = s.Put(ctx, codec.Cells, key, value, 0)
	return err
}

// number is what stands under a key.
func number(t testing.TB, s Scope, key string) uint64 {
	t.Helper()
	e, err := s.Get(context.Background(), codec.Cells, key)
	require.NoError(t, err)
	if !e.Exists {
		return 0
	}
	return binary.BigEndian.Uint64(e.Value)
}

// Goroutines that increment one number. committed is the share of attempts that commit, failed the
// share of calls that end in a conflict, least and most what a goroutine got of its even share.
func BenchmarkHotKey(b *testing.B) {
	for _, mode := range []embedded.Mode{embedded.None, embedded.Batched} {
		for _, think := range []time.Duration{0, 100 * time.Microsecond} {
			for _, goroutines := range []int{1, 4, 8} {
				for _, how := range []string{"update", "atomicOn"} {
					name := fmt.Sprintf("%v/%v/%d/%s", mode, think, goroutines, how)
					b.Run(name, func(b *testing.B) {
						benchmarkHotKey(b, mode, think, goroutines, how)
					})
				}
			}
		}
	}
}

func benchmarkHotKey(b *testing.B, mode embedded.Mode, think time.Duration, goroutines int,
	how string,
) {
	m, run := realManager(b, mode, Config{})
	ctx, s := context.Background(), m.Scope(run)
	work := func(s Scope) error {
		err := increment(ctx, s, "hot")
		if think > 0 {
			time.Sleep(think)
		}
		return err
	}
	once := func() error {
		_, err := s.AtomicOn(ctx, codec.Cells, "hot", work)
		return err
	}
	if how == "update" {
		once = func() error {
			_, err := m.Update(ctx, run, Options{}, func(t *Tx) error {
				return work(t.Scope(run))
			})
			return err
		}
	}
	var left, failed atomic.Int64
	left.Store(int64(b.N))
	counts := make([]int, goroutines)
	before := m.Stats()
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for g := range goroutines {
		all.Add(1)
		go func() {
			defer all.Done()
			for left.Add(-1) >= 0 {
				switch err := once(); {
				case err == nil:
					counts[g]++
				case errors.Is(err, backend.ErrConflict):
					failed.Add(1)
				default:
					b.Error(err)
				}
			}
		}()
	}
	all.Wait()
	b.StopTimer()
	after := m.Stats()
	done, least, most := 0, b.N, 0
	for _, n := range counts {
		done, least, most = done+n, min(least, n), max(most, n)
	}
	require.Equal(b, uint64(done), number(b, s, "hot"))
	even := float64(b.N) / float64(goroutines)
	b.ReportMetric(float64(after.Committed-before.Committed)/
		float64(after.Started-before.Started), "committed")
	b.ReportMetric(float64(failed.Load())/float64(b.N), "failed")
	b.ReportMetric(float64(least)/even, "least")
	b.ReportMetric(float64(most)/even, "most")
}
