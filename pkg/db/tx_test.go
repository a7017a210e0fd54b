package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R061, R223: an error of the function leaves nothing behind and comes back as it is; the next
// transaction works.
func TestR061FunctionErrors(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		mine := errors.New("mine")
		v, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(w.ctx(), "k", inmem.Int(1))
			require.NoError(t, err)
			return fmt.Errorf("wrapped: %w", mine)
		})
		require.ErrorIs(t, err, mine)
		require.EqualError(t, err, "wrapped: mine")
		require.Zero(t, v)
		require.Equal(t, mine, w.run.View(w.ctx(), func(*inmem.View) error { return mine }))
		require.Equal(t, "(absent)", text(t, w.run.KV(), "k"))
		v, err = w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(w.ctx(), "k", inmem.String("v"))
			return err
		})
		require.NoError(t, err)
		require.Equal(t, w.Version(), v)
	})
}

// R049: operations on the run inside the function are transactions of their own.
func TestR049DirectOperationsInside(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		_, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			w.put("direct", "there")
			require.Equal(t, "there", text(t, w.run.KV(), "direct"))
			require.Equal(t, "(absent)", text(t, tx.KV(), "direct"))
			_, err := w.run.Update(w.ctx(), func(inner *inmem.Tx) error {
				_, err := inner.KV().Put(w.ctx(), "inner", inmem.String("there, too"))
				return err
			})
			require.NoError(t, err, "R077: an inner transaction is a separate one")
			return errors.New("abort")
		})
		require.EqualError(t, err, "abort")
		require.Equal(t, "there", text(t, w.run.KV(), "direct"))
		require.Equal(t, "there, too", text(t, w.run.KV(), "inner"))
	})
}

// R079: Update runs the function again on a fresh snapshot until it succeeds.
func TestR079UpdateRetries(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		w.put("k", "0")
		calls := 0
		_, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			calls++
			require.Zero(t, tx.Counts().Puts, "buffers are fresh")
			seen := text(t, tx.KV(), "k")
			if calls < 3 {
				w.put("k", fmt.Sprint(calls))
			}
			_, err := tx.KV().Put(w.ctx(), "k", inmem.String(seen+"!"))
			return err
		})
		require.NoError(t, err)
		require.Equal(t, 3, calls)
		require.Equal(t, "2!", text(t, w.run.KV(), "k"))
		require.Equal(t, []time.Duration{10 * time.Millisecond, 20 * time.Millisecond}, w.waits)

		_, err = w.run.UpdateWith(w.ctx(), inmem.TxOptions{Retry: &inmem.Retry{}},
			func(tx *inmem.Tx) error {
				calls++
				_ = text(t, tx.KV(), "k")
				w.put("k", "other")
				_, err := tx.KV().Delete(w.ctx(), "k")
				return err
			})
		require.ErrorIs(t, err, inmem.ErrConflict)
		require.ErrorContains(t, err, "run "+w.run.ID()+` k/"k" read at version`)
		require.Equal(t, 4, calls)
	})
}

// semantics 2.10: a transaction over several runs is atomic, names each, and one of a run refuses
// another.
func TestSeveralRuns(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		other, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
		require.NoError(t, err)
		move := func(tx *inmem.Tx) error {
			_, err := tx.On(w.run).KV().Put(w.ctx(), "k", inmem.String("mine"))
			require.NoError(t, err)
			_, err = tx.On(other).KV().Put(w.ctx(), "k", inmem.String("other"))
			require.NoError(t, err)
			require.Equal(t, "mine", text(t, tx.On(w.run).KV(), "k"))
			require.Equal(t, 2, tx.On(other).Counts().Puts, "it is one transaction")
			_, _, err = tx.KV().Get(w.ctx(), "k")
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
			_, err = tx.On(nil).KV().Exists(w.ctx(), "k")
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
			return nil
		}
		v, err := w.Update(w.ctx(), move)
		require.NoError(t, err)
		for _, r := range []*inmem.Run{w.run, other} {
			e, err := r.KV().GetVersioned(w.ctx(), "k")
			require.NoError(t, err)
			require.Equal(t, v, e.Version)
		}
		require.NoError(t, w.View(w.ctx(), func(view *inmem.View) error {
			require.Equal(t, v, view.Version())
			require.Equal(t, "mine", text(t, view.On(w.run).KV(), "k"))
			require.Equal(t, "other", text(t, view.On(other).KV(), "k"))
			_, err := view.KV().Exists(w.ctx(), "k")
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
			return nil
		}))

		tx := w.begin(inmem.TxOptions{})
		require.Equal(t, "mine", text(t, tx.On(w.run).KV(), "k"))
		_, err = tx.On(other).KV().Put(w.ctx(), "k", inmem.Null())
		require.ErrorIs(t, err, inmem.ErrInvalidArgument, "R081")
		require.ErrorContains(t, err, "belongs to run "+w.run.ID())

		require.NoError(t, other.End(w.ctx(), inmem.Completed))
		_, err = w.Update(w.ctx(), move)
		require.ErrorIs(t, err, inmem.ErrRunNotActive)
		require.ErrorContains(t, err, other.ID())

		both, err := w.Begin(w.ctx(), inmem.TxOptions{})
		require.NoError(t, err)
		_ = text(t, both.On(w.run).KV(), "a")
		_, err = both.On(w.run).KV().Put(w.ctx(), "b", inmem.Null())
		require.NoError(t, err)
		w.put("a", "changed")
		_, err = both.On(w.run).Commit(w.ctx())
		var conflict *inmem.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, w.run.ID(), conflict.Keys[0].Run)
		require.ErrorIs(t, both.Rollback(), inmem.ErrTxnDone)
	})
}

// R030, E17: versions and times of what was written.
func TestVersionsAndTimes(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		v := w.put("k", "v")
		require.Equal(t, v, w.Version())
		written := w.clock.now()
		w.clock.advance(-time.Hour)
		v2 := w.put("k2", "v")
		require.Greater(t, v2, v)
		got, err := w.run.KV().GetVersioned(w.ctx(), "k2")
		require.NoError(t, err)
		require.Equal(t, v2, got.Version)
		require.False(t, got.Written.Before(written), "commit times never go back")
		require.NoError(t, w.Flush(w.ctx()))
		require.NoError(t, w.WaitDurable(w.ctx(), v2))
		require.GreaterOrEqual(t, w.DurableVersion(), v2)
	})
}

// Everything answers ErrClosed after Close; closing twice is nothing.
func TestClosed(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		w.put("k", "v")
		tx := w.begin(inmem.TxOptions{})
		_, err := tx.KV().Put(w.ctx(), "k", inmem.Null())
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, w.Close())
		k := w.run.KV()
		for name, call := range map[string]func() error{
			"put":    func() error { _, err := k.Put(w.ctx(), "k", inmem.Null()); return err },
			"get":    func() error { _, _, err := k.Get(w.ctx(), "k"); return err },
			"delete": func() error { _, err := k.Delete(w.ctx(), "k"); return err },
			"cas":    func() error { _, err := k.CAS(w.ctx(), "k", 0, inmem.Null()); return err },
			"count":  func() error { _, err := k.Count(w.ctx(), inmem.ScanOptions{}); return err },
			"commit": func() error { _, err := tx.Commit(w.ctx()); return err },
			"begin":  func() error { _, err := w.run.Begin(w.ctx(), inmem.TxOptions{}); return err },
			"update": func() error {
				_, err := w.Update(w.ctx(), func(*inmem.Tx) error { return nil })
				return err
			},
			"begin run": func() error {
				_, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
				return err
			},
			"run":   func() error { _, err := w.Run(w.ctx(), w.run.ID()); return err },
			"info":  func() error { _, err := w.run.Info(w.ctx()); return err },
			"end":   func() error { return w.run.End(w.ctx(), inmem.Failed) },
			"flush": func() error { return w.Flush(w.ctx()) },
		} {
			require.ErrorIs(t, call(), inmem.ErrClosed, name)
		}
		_ = w.Metrics()
		_ = w.Version()
	})
}

// A context that has ended stops everything that writes, before it writes.
func TestEndedContexts(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		canceled, cancel := context.WithCancel(w.ctx())
		cancel()
		late, cancel := context.WithTimeout(w.ctx(), -time.Second)
		defer cancel()
		for _, c := range []struct {
			ctx  context.Context
			is   error
			also error
		}{
			{canceled, inmem.ErrCanceled, context.Canceled},
			{late, inmem.ErrTimeout, context.DeadlineExceeded},
		} {
			before := w.Metrics().Commits
			k := w.run.KV()
			for name, call := range map[string]func() error{
				"put":    func() error { _, err := k.Put(c.ctx, "k", inmem.Null()); return err },
				"delete": func() error { _, err := k.Delete(c.ctx, "k"); return err },
				"cas":    func() error { _, err := k.CAS(c.ctx, "k", 0, inmem.Null()); return err },
				"update": func() error {
					_, err := w.run.Update(c.ctx, func(*inmem.Tx) error { return nil })
					return err
				},
				"view": func() error {
					return w.run.View(c.ctx, func(*inmem.View) error { return nil })
				},
				"begin": func() error {
					_, err := w.run.Begin(c.ctx, inmem.TxOptions{})
					return err
				},
				"begin run": func() error {
					_, err := w.BeginRun(c.ctx, inmem.RunOptions{})
					return err
				},
				"end": func() error { return w.run.End(c.ctx, inmem.Failed) },
				"commit": func() error {
					tx := w.begin(inmem.TxOptions{})
					_, err := tx.KV().Put(w.ctx(), "k", inmem.Null())
					require.NoError(t, err)
					_, err = tx.Commit(c.ctx)
					return err
				},
			} {
				err := call()
				require.ErrorIs(t, err, c.is, name)
				require.ErrorIs(t, err, c.also, name)
			}
			require.Equal(t, before, w.Metrics().Commits)
		}
	})
}

// Limits, each with its own clear error.
func TestTooLarge(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, &inmem.Options{MaxTxnWrites: 2})
		_, err := w.run.KV().Put(w.ctx(), strings.Repeat("k", codec.MaxKeySize+1), inmem.Null())
		require.ErrorIs(t, err, inmem.ErrTooLarge)
		_, err = w.run.KV().Put(w.ctx(), "k", inmem.Bytes(make([]byte, codec.MaxValueSize+1)))
		require.ErrorIs(t, err, inmem.ErrTooLarge)
		_, err = w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			for i := range 3 {
				if _, err := tx.KV().Put(w.ctx(), fmt.Sprint(i), inmem.Null()); err != nil {
					return err
				}
			}
			return nil
		})
		require.ErrorIs(t, err, inmem.ErrTooLarge)
		n, err := w.run.KV().Count(w.ctx(), inmem.ScanOptions{})
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// Typed access does not coerce.
func TestTyped(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		k := w.run.KV()
		_, err := inmem.Put(w.ctx(), k, "int", 1)
		require.NoError(t, err)
		_, _, err = inmem.Get[float64](w.ctx(), k, "int")
		require.ErrorIs(t, err, inmem.ErrTypeMismatch)
		require.ErrorContains(t, err, `"int"`)
		n, ok, err := inmem.Get[int64](w.ctx(), k, "int")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, int64(1), n)
		v, ok, err := inmem.Get[inmem.Value](w.ctx(), k, "int")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, inmem.Int(1), v)
		_, err = inmem.Put(w.ctx(), k, "fn", func() {})
		require.Error(t, err)
		_, err = inmem.Put(w.ctx(), k, "value", inmem.Float(1.5))
		require.NoError(t, err)
		f, _, err := inmem.Get[float64](w.ctx(), k, "value")
		require.NoError(t, err)
		require.Equal(t, 1.5, f)
		_, _, err = inmem.Get[string](w.ctx(), inmem.KV{}, "k")
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	})
}

// R008: the counters equal a scripted history.
func TestR008Metrics(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		base := w.Metrics()
		w.put("k", "v")
		_, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error { return nil })
		require.NoError(t, err)
		_, err = w.run.Update(w.ctx(), func(tx *inmem.Tx) error { return errors.New("no") })
		require.Error(t, err)
		open := w.begin(inmem.TxOptions{})
		require.NoError(t, w.begin(inmem.TxOptions{}).Rollback())
		loser := w.begin(inmem.TxOptions{})
		_ = text(t, loser.KV(), "k")
		_, err = loser.KV().Put(w.ctx(), "k", inmem.Null())
		require.NoError(t, err)
		w.put("k", "w")
		_, err = loser.Commit(w.ctx())
		require.Error(t, err)
		m := w.Metrics()
		require.Equal(t, uint64(5), m.Started-base.Started)
		require.Equal(t, uint64(1), m.Committed-base.Committed)
		require.Equal(t, uint64(1), m.AbortedByFunction)
		require.Equal(t, uint64(1), m.AbortedByConflict)
		require.Equal(t, uint64(1), m.RolledBack)
		require.Equal(t, int64(1), m.Active)
		require.Equal(t, uint64(2), m.Commits-base.Commits)
		require.Equal(t, uint64(1), m.Conflicts-base.Conflicts)
		require.NoError(t, open.Rollback())
	})
}
