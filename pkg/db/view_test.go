package inmem_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R134, R207: a view of the past shows the run as it was, in all primitives, and takes no writes.
func TestR134ViewOfThePast(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(ctx, "k", inmem.Int(1))
			require.NoError(t, err)
			_, err = tx.Cell("c").Init(ctx, inmem.String("first"))
			require.NoError(t, err)
			_, err = tx.Events().Append(ctx, "step", inmem.Int(1))
			require.NoError(t, err)
			_, err = tx.Traces().Start(ctx, inmem.Span{ID: "s", Type: inmem.SpanThought})
			require.NoError(t, err)
			_, err = tx.Extension("x").Put(ctx, "k", inmem.Int(10))
			return err
		})
		require.NoError(t, err)
		then := w.Version()
		_, err = w.run.KV().Delete(ctx, "k")
		require.NoError(t, err)
		_, err = w.run.Cell("c").Store(ctx, inmem.String("second"))
		require.NoError(t, err)
		_, err = w.run.Events().Append(ctx, "step", inmem.Int(2))
		require.NoError(t, err)
		require.NoError(t, w.run.Traces().End(ctx, "s", inmem.SpanEnd{}))
		require.NoError(t, w.run.End(ctx, inmem.Completed))

		v, err := w.run.At(ctx, then)
		require.NoError(t, err)
		require.Equal(t, then, v.Version())
		k, ok, err := inmem.Get[int](ctx, v.KV(), "k")
		require.NoError(t, err)
		require.True(t, ok && k == 1)
		c, err := inmem.CellOf[string](v, "c").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "first", c.Value)
		n, err := v.Events().Len(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		s, ok, err := v.Traces().Get(ctx, "s")
		require.NoError(t, err)
		require.True(t, ok && s.IsOpen())
		info, err := v.Record().Info(ctx)
		require.NoError(t, err)
		require.Equal(t, inmem.Active, info.Status)
		require.EqualValues(t, 1, info.Commits)
		_, err = v.KV().Put(ctx, "k", inmem.Null())
		require.ErrorIs(t, err, inmem.ErrReadOnly)

		require.NoError(t, v.Close())
		require.NoError(t, v.Close())
		_, _, err = v.KV().Get(ctx, "k")
		require.ErrorIs(t, err, inmem.ErrTxnDone)
		_, err = v.Runs().Get(ctx, w.run.ID())
		require.ErrorIs(t, err, inmem.ErrTxnDone)
	})
}

// semantics 6.1: version 0 is empty, the future is refused, and a managed view refuses Close.
func TestViewBounds(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		w.put("k", "v")
		v, err := w.At(w.ctx(), 0)
		require.NoError(t, err)
		require.Zero(t, v.Version())
		require.True(t, v.Time().IsZero())
		require.Equal(t, "(absent)", text(t, v.On(w.run).KV(), "k"))
		require.Empty(t, idsOf(t, v.Runs(), inmem.RunQuery{}))
		require.NoError(t, v.Close())
		_, err = w.run.At(w.ctx(), w.Version()+1)
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		require.ErrorContains(t, err, w.run.ID())
		_, err = w.At(w.ctx(), w.Version()+1)
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		require.NoError(t, w.run.View(w.ctx(), func(v *inmem.View) error {
			require.ErrorIs(t, v.Close(), inmem.ErrInvalidArgument)
			require.Equal(t, "v", text(t, v.KV(), "k"))
			return nil
		}))
		ctx, cancel := context.WithCancel(w.ctx())
		cancel()
		_, err = w.run.At(ctx, 1)
		require.ErrorIs(t, err, inmem.ErrCanceled)
		require.NoError(t, w.Close())
		_, err = w.run.At(w.ctx(), 1)
		require.ErrorIs(t, err, inmem.ErrClosed)
	})
}

// semantics 3.2: a view of the past judges expiry by the time of the commit that it shows, also for
// the newest version, and asks no clock.
func TestR134ExpiryInThePast(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		version, err := w.run.KV().PutWithTTL(ctx, "k", inmem.String("v"), time.Minute)
		require.NoError(t, err)
		w.clock.advance(time.Hour)
		require.Equal(t, "(absent)", text(t, w.run.KV(), "k"))
		at := func(version uint64) string {
			v, err := w.run.At(ctx, version)
			require.NoError(t, err)
			defer func() { require.NoError(t, v.Close()) }()
			return text(t, v.KV(), "k")
		}
		require.Equal(t, "v", at(version))
		require.NoError(t, w.sweep())
		require.Equal(t, "v", at(version))
		require.Equal(t, "(absent)", at(w.Version()))
	})
}

// R212: a view by time is the one at the greatest version whose commit time is not later.
func TestR212ViewByTime(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		begun := w.clock.now()
		for _, value := range []string{"1", "2", "3"} {
			w.clock.advance(time.Minute)
			w.put("k", value)
			w.put("k", value+"!")
		}
		for _, c := range []struct {
			after time.Duration
			want  string
		}{
			{0, "(absent)"}, {time.Minute - 1, "(absent)"}, {time.Minute, "1!"}, {2*time.Minute - 1, "1!"},
			{2 * time.Minute, "2!"}, {time.Hour, "3!"},
		} {
			v, err := w.run.AtTime(w.ctx(), begun.Add(c.after))
			require.NoError(t, err)
			require.Equal(t, c.want, text(t, v.KV(), "k"), c.after)
			require.NoError(t, v.Close())
		}
		v, err := w.AtTime(w.ctx(), time.Time{})
		require.NoError(t, err)
		require.Zero(t, v.Version())
		v, err = w.AtTime(w.ctx(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
		require.NoError(t, err)
		require.Equal(t, w.Version(), v.Version())
	})
}

// An idle view costs no memory beyond itself, and one that was dropped does not stay.
func TestViewsCostNothing(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	w.put("k", "v")
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const many = 10_000
	views := make([]*inmem.View, many)
	for i := range views {
		var err error
		views[i], err = w.run.At(w.ctx(), w.Version())
		require.NoError(t, err)
	}
	require.Less(t, heap(), before+many*600)
	runtime.KeepAlive(views)
}
