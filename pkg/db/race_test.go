package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// patient is a policy for tests in which a transaction must get through.
var patient = inmem.TxOptions{Retry: &inmem.Retry{Max: 10_000}}

// E31, R065: of racing direct CAS exactly one wins each round; the losers are not retried.
func TestE31RacingCAS(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		version := w.put("k", "start")
		for round := range 200 {
			var won, next atomic.Uint64
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					v, err := w.run.KV().CAS(w.ctx(), "k", version, inmem.Int(int64(i)))
					if err == nil {
						won.Add(1)
						next.Store(v)
					} else if !errors.Is(err, inmem.ErrVersionMismatch) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, uint64(1), won.Load(), "round %d", round)
			version = next.Load()
		}
	})
}

// semantics 2.13: of racing deletes exactly one says true.
func TestRacingDeletes(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		for round := range 100 {
			w.put("k", "v")
			var said atomic.Int64
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					existed, err := w.run.KV().Delete(w.ctx(), "k")
					if err != nil {
						t.Error(err)
					}
					if existed {
						said.Add(1)
					}
				})
			}
			wg.Wait()
			require.Equal(t, int64(1), said.Load(), "round %d", round)
		}
	})
}

// R009, R047, R073, E18, E19: many goroutines on one handle. Writers move money between accounts
// and count what they did; readers find the same sum in every snapshot, by get, scan and GetMany;
// blind puts never fail; versions only rise.
func TestR009ManyGoroutines(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		b := &bank{world: w, t: t}
		for i := range accounts {
			_, err := inmem.Put(w.ctx(), w.run.KV(), account(i), 100)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(w.ctx(), 700*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 100 {
			work := []func(context.Context){b.transfer, b.transfer, b.audit, b.scan, b.blind}[i%5]
			wg.Go(func() {
				for ctx.Err() == nil {
					work(ctx)
				}
				for b.transfers.Load() == 0 { // a busy machine
					b.transfer(w.ctx())
				}
			})
		}
		wg.Wait()
		require.NotZero(t, b.transfers.Load())
		n, _, err := inmem.Get[int64](w.ctx(), w.run.KV(), "transfers")
		require.NoError(t, err)
		require.Equal(t, b.transfers.Load(), n, "no lost update")
		require.Zero(t, w.Metrics().Active)
	})
}

const accounts = 6

func account(i int) string { return fmt.Sprintf("account/%d", i) }

type bank struct {
	*world
	t         *testing.T
	transfers atomic.Int64
}

// check reports what is not simply the end of the test.
func (b *bank) check(err error) {
	if err != nil && !errors.Is(err, inmem.ErrTimeout) && !errors.Is(err, inmem.ErrConflict) {
		b.t.Error(err)
	}
}

func (b *bank) transfer(ctx context.Context) {
	_, err := b.run.UpdateWith(ctx, patient, func(tx *inmem.Tx) error {
		from, to := account(rand.IntN(accounts)), account(rand.IntN(accounts))
		for key, by := range map[string]int{from: -1, to: 1} {
			if from == to {
				by = 0
			}
			n, _, err := inmem.Get[int](ctx, tx.KV(), key)
			if err != nil {
				return err
			}
			if _, err := inmem.Put(ctx, tx.KV(), key, n+by); err != nil {
				return err
			}
		}
		n, _, err := inmem.Get[int](ctx, tx.KV(), "transfers")
		if err != nil {
			return err
		}
		_, err = inmem.Put(ctx, tx.KV(), "transfers", n+1)
		return err
	})
	if err == nil {
		b.transfers.Add(1)
	}
	b.check(err)
}

func (b *bank) sum(n int) {
	if n != 100*accounts {
		b.t.Errorf("the sum is %d", n)
	}
}

func (b *bank) audit(ctx context.Context) {
	keys := make([]string, accounts)
	for i := range keys {
		keys[i] = account(i)
	}
	err := b.run.View(ctx, func(v *inmem.View) error {
		sum, several := 0, 0
		many, err := v.KV().GetMany(ctx, keys)
		if err != nil {
			return err
		}
		for _, key := range keys {
			n, _, err := inmem.Get[int](ctx, v.KV(), key)
			if err != nil {
				return err
			}
			sum += n
			m, err := many[key].AsInt()
			if err != nil {
				return err
			}
			several += int(m)
		}
		b.sum(sum)
		b.sum(several)
		return nil
	})
	b.check(err)
}

func (b *bank) scan(ctx context.Context) {
	before := b.Version()
	sum := 0
	for pair, err := range b.run.KV().Scan(ctx, inmem.ScanOptions{Prefix: "account/"}) {
		if err != nil {
			b.check(err)
			return
		}
		n, err := pair.Value.AsInt()
		b.check(err)
		sum += int(n)
	}
	b.sum(sum)
	if b.Version() < before {
		b.t.Error("the version went back")
	}
}

func (b *bank) blind(ctx context.Context) {
	v, err := b.run.KV().Put(ctx, "blind", inmem.Int(1))
	b.check(err)
	if errors.Is(err, inmem.ErrConflict) {
		b.t.Error("a blind put conflicts")
	}
	if err == nil && b.Version() < v {
		b.t.Error("a commit was not visible when it returned")
	}
}

// The end of a transaction and late uses of it may race, as long as no two uses do.
func TestUseAfterEndFromOtherGoroutines(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	var kept *inmem.Tx
	_, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error { kept = tx; return nil })
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := kept.KV().Put(w.ctx(), "k", inmem.Null())
			if !errors.Is(err, inmem.ErrTxnDone) {
				t.Error(err)
			}
			_ = kept.Counts()
			_, _ = kept.Commit(w.ctx())
			_ = kept.Rollback()
		})
	}
	wg.Wait()
}
