package queue

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func open(t *testing.T) (*inmem.DB, *inmem.Run) {
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	run, err := d.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	return d, run
}

func pop(t *testing.T, q Queue) inmem.Value {
	v, ok, err := q.Pop(t.Context())
	require.NoError(t, err)
	require.True(t, ok)
	return v
}

// R083, R196: a primitive of a user has the same implementation on a run, in a transaction and on a
// view; it takes part in transactions with the others, and touches nothing of theirs.
func TestAllForms(t *testing.T) {
	_, run := open(t)
	q := Of(run, "work")
	require.NoError(t, q.Push(t.Context(), inmem.String("one")))
	stop := errors.New("stop")
	_, err := run.Update(t.Context(), func(tx *inmem.Tx) error {
		in := Of(tx, "work")
		require.Equal(t, inmem.String("one"), pop(t, in))
		require.NoError(t, in.Push(t.Context(), inmem.String("lost")))
		require.Equal(t, inmem.String("lost"), pop(t, in))
		_, err := tx.KV().Put(t.Context(), "tail", inmem.Int(7))
		require.NoError(t, err)
		return stop
	})
	require.ErrorIs(t, err, stop)
	_, err = run.Update(t.Context(), func(tx *inmem.Tx) error {
		return Of(tx, "work").Push(t.Context(), inmem.String("two"))
	})
	require.NoError(t, err)
	require.NoError(t, run.View(t.Context(), func(v *inmem.View) error {
		n, err := Of(v, "work").Len(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.ErrorIs(t, Of(v, "work").Push(t.Context(), inmem.Null()), inmem.ErrReadOnly)
		return nil
	}))
	require.Equal(t, inmem.String("one"), pop(t, q))
	require.Equal(t, inmem.String("two"), pop(t, q))
	_, ok, err := q.Pop(t.Context())
	require.NoError(t, err)
	require.False(t, ok)
	pushed, err := q.Pushed(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(2), pushed)
	n, err := run.KV().Count(t.Context(), inmem.ScanOptions{})
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = Of(run, "other").Len(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

// Every item is popped once, whoever races for it.
func TestRacingPops(t *testing.T) {
	_, run := open(t)
	q := Of(run, "work")
	const items, workers = 60, 4
	for i := range items {
		require.NoError(t, q.Push(t.Context(), inmem.Int(int64(i))))
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	seen := map[inmem.Value]int{}
	for range workers {
		group.Go(func() {
			for {
				v, ok, err := q.Pop(t.Context())
				if errors.Is(err, inmem.ErrConflict) {
					continue
				}
				if err != nil || !ok {
					return
				}
				mu.Lock()
				seen[v]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Len(t, seen, items)
	for v, n := range seen {
		require.Equal(t, 1, n, v)
	}
}
