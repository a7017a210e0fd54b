package citizentest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Close in the middle of commits, scans, flushes and waits: all end, with success or ErrClosed,
// what was acknowledged is there afterwards, and no goroutine is left.
func TestReopenAfterCloseUnderLoad(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async} {
		for range 3 {
			closeUnderLoad(t, mode)
		}
	}
}

func closeUnderLoad(t *testing.T, mode inmem.Durability) {
	dir := t.TempDir()
	db := open(t, dir, &inmem.Options{Durability: mode, MemoryBudget: 1 << 20})
	run := begin(t, db)
	var wg, loaded sync.WaitGroup // loaded: every writer has written some
	var acknowledged [6]int
	over := func(err error) bool {
		if err != nil && !errors.Is(err, inmem.ErrClosed) && !errors.Is(err, inmem.ErrTxnTooOld) {
			t.Error(err)
		}
		return err != nil && errors.Is(err, inmem.ErrClosed)
	}
	for w := range acknowledged {
		loaded.Add(1)
		wg.Go(func() {
			some := sync.OnceFunc(loaded.Done)
			defer some()
			for i := 0; ; i++ {
				_, err := run.KV().Put(background, fmt.Sprintf("%d/%06d", w, i), inmem.Int(int64(i)))
				if over(err) {
					return
				}
				if acknowledged[w] = i + 1; i == 20 {
					some()
				}
			}
		})
	}
	wg.Go(func() {
		for {
			for _, err := range run.KV().Scan(background, inmem.ScanOptions{}) {
				if over(err) {
					return
				}
			}
			if over(db.Flush(background)) || over(db.WaitDurable(background, db.Version())) {
				return
			}
		}
	})
	wg.Go(func() {
		for {
			_, err := run.Update(background, func(tx *inmem.Tx) error {
				_, err := tx.KV().Count(background, inmem.ScanOptions{Limit: 100})
				return err
			})
			if over(err) {
				return
			}
			_ = db.Metrics()
		}
	})
	loaded.Wait()
	closeAtOnce(t, db)
	wg.Wait()
	db = open(t, dir, nil)
	require.True(t, db.Recovery().Clean)
	run, err := db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	for w, n := range acknowledged {
		count, err := run.KV().Count(t.Context(), inmem.ScanOptions{Prefix: fmt.Sprintf("%d/", w)})
		require.NoError(t, err)
		require.Equal(t, n, count, "worker %d", w)
	}
	require.NoError(t, db.Close())
}

// closeAtOnce closes a database three times at the same moment: each of the calls succeeds.
func closeAtOnce(t *testing.T, db *inmem.DB) {
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	closers.Wait()
}

// Transactions that are begun, written to and dropped, while others commit: memory stays flat.
func TestAbandonedUnderLoad(t *testing.T) {
	many := size(100_000, 20_000, 5_000)
	db := open(t, t.TempDir(), &inmem.Options{MemoryBudget: 8 << 20})
	run := begin(t, db)
	put(t, run.KV(), "k", "v")
	before := heap()
	for i := range many {
		tx, err := run.Begin(t.Context(), inmem.TxOptions{})
		require.NoError(t, err)
		_, _, err = tx.KV().Get(t.Context(), "k")
		require.NoError(t, err)
		_, err = tx.KV().Put(t.Context(), "mine", inmem.Int(int64(i)))
		require.NoError(t, err)
		if i%20 == 0 {
			put(t, run.KV(), fmt.Sprint(i), "another")
		}
	}
	require.Eventually(t, func() bool {
		runtime.GC()
		return db.Metrics().Active == 0
	}, 30*time.Second, 10*time.Millisecond)
	require.Less(t, heap(), before+16<<20)
	ok, err := run.KV().Exists(t.Context(), "mine")
	require.NoError(t, err)
	require.False(t, ok)
}

// R011, R043: data twenty times the memory budget, under overwrites and deletes, reads, scans and
// transactions, agrees with a model, in bounded memory, also after a restart.
func TestReopenTwentyTimesTheBudget(t *testing.T) {
	budget := int64(size(4<<20, 1<<20, 1<<20))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := &beyond{rng: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), model: map[string]string{}}
	m.options = &inmem.Options{MemoryBudget: budget, CacheSize: 1 << 20}
	m.db = open(t, m.dir, m.options)
	m.run = begin(t, m.db)
	before := heap()
	written, watched := int64(0), atomic.Int64{}
	for written < int64(size(20, 20, 5))*budget {
		written += m.commit(t)
		if m.rng.IntN(20) == 0 {
			m.compare(t, 20)
		}
		watched.Store(max(watched.Load(), m.db.Metrics().MemoryBytes))
	}
	require.Less(t, watched.Load(), 2*budget+4<<20, "the memtable outgrew its budget")
	require.NotZero(t, m.db.Metrics().Spilled)
	size := int64(0)
	for k, v := range m.model {
		size += int64(len(k) + len(v))
	}
	// The rest: Pebble's buffers and cache, the model itself, a margin.
	require.Less(t, heap(), before+2*budget+3*size+64<<20)
	m.compareAll(t)
	require.NoError(t, m.db.Close())
	m.db = open(t, m.dir, m.options)
	run, err := m.db.Run(t.Context(), m.run.ID())
	require.NoError(t, err)
	m.run = run
	m.compareAll(t)
	require.NoError(t, m.db.Close())
}

// beyond is a database larger than memory, and its model.
type beyond struct {
	rng     *rand.Rand
	dir     string
	options *inmem.Options
	db      *inmem.DB
	run     *inmem.Run
	model   map[string]string
}

func (m *beyond) key() string { return fmt.Sprintf("key/%05d", m.rng.IntN(40_000)) }

// commit makes one transaction that reads what it writes, and returns its size.
func (m *beyond) commit(t *testing.T) (size int64) {
	t.Helper()
	after := map[string]string{}
	_, err := m.run.Update(t.Context(), func(tx *inmem.Tx) error {
		size = 0
		clear(after)
		for range 1 + m.rng.IntN(30) {
			key := m.key()
			want, own := after[key]
			if !own {
				want = m.model[key]
			}
			require.Equal(t, want, get(t, tx.KV(), key))
			if m.rng.IntN(5) == 0 {
				existed, err := tx.KV().Delete(t.Context(), key)
				if err != nil {
					return err
				}
				require.Equal(t, want != "", existed, key)
				after[key] = ""
				continue
			}
			after[key] = fmt.Sprintf("%d %0*d", m.rng.Uint32(), m.rng.IntN(300), 1)
			if _, err := tx.KV().Put(t.Context(), key, inmem.String(after[key])); err != nil {
				return err
			}
			size += int64(len(key) + len(after[key]))
		}
		return nil
	})
	require.NoError(t, err)
	for key, v := range after {
		if m.model[key] = v; v == "" {
			delete(m.model, key)
		}
	}
	return size
}

// compare reads some keys, and scans a stretch.
func (m *beyond) compare(t *testing.T, keys int) {
	t.Helper()
	for range keys {
		key := m.key()
		require.Equal(t, m.model[key], get(t, m.run.KV(), key), key)
	}
	o := inmem.ScanOptions{Start: m.key(), Limit: 50, Reverse: m.rng.IntN(2) == 0}
	for p, err := range m.run.KV().Scan(t.Context(), o) {
		require.NoError(t, err)
		require.True(t, p.Value.Equal(inmem.String(m.model[p.Key])), p.Key)
	}
}

func (m *beyond) compareAll(t *testing.T) {
	t.Helper()
	seen := 0
	for p, err := range m.run.KV().Scan(t.Context(), inmem.ScanOptions{}) {
		require.NoError(t, err)
		require.True(t, p.Value.Equal(inmem.String(m.model[p.Key])), p.Key)
		seen++
	}
	require.Len(t, m.model, seen)
	m.compare(t, 500)
}
