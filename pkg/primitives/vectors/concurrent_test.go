package vectors

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/vecindex"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// R300: beside any number of writers, a search finds what its own goroutine has committed, finds
// nothing that it has deleted, and a view shows the same as often as it is asked.
func TestR300SearchesBesideWriters(t *testing.T) {
	w := onEngine(t, txn.Config{})
	index := vecindex.New(w.b, vecindex.Options{})
	defer func() { require.NoError(t, index.Close()) }()
	c := NewIndexed(w.scope(), index).Collection("facts")
	_, err := c.Create(t.Context(), CollectionOptions{Dim: 2, Metric: vector.L2})
	require.NoError(t, err)
	const workers, rounds = 4, 40
	var group sync.WaitGroup
	faults := make(chan error, workers)
	for worker := range workers {
		group.Go(func() { faults <- work(t.Context(), w, index, c, worker, rounds) })
	}
	group.Wait()
	for range workers {
		require.NoError(t, <-faults)
	}
	n, err := c.Count(t.Context(), ScrollOptions{})
	require.NoError(t, err)
	require.Equal(t, workers*rounds/2, n)
}

// work upserts rows of one worker, deletes every second of them, and looks after each step.
func work(ctx context.Context, w *world, index *vecindex.Manager, c Collection, worker, rounds int,
) error {
	for i := range rounds {
		id := fmt.Sprint(worker, "-", i)
		at := []float32{float32(1000 * worker), float32(i)}
		version, err := c.Upsert(ctx, id, at, codec.Null())
		if err != nil {
			return err
		}
		if err := expect(ctx, c, at, id); err != nil {
			return err
		}
		if i%2 == 1 {
			continue
		}
		if _, err = c.Delete(ctx, id); err != nil {
			return err
		}
		r, err := c.Search(ctx, SearchOptions{Vector: at, K: 1})
		if err != nil {
			return err
		}
		if len(r.Hits) > 0 && r.Hits[0].ID == id {
			return fmt.Errorf("%s was deleted and is found", id)
		}
		v, err := w.m.ViewAt(ctx, w.run, version)
		if err != nil {
			return err
		}
		err = expect(ctx, NewIndexed(v.Scope(w.run), index).Collection("facts"), at, id)
		if ended := v.End(); err == nil {
			err = ended
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func expect(ctx context.Context, c Collection, at []float32, id string) error {
	r, err := c.Search(ctx, SearchOptions{Vector: at, K: 1})
	if err == nil && (len(r.Hits) == 0 || r.Hits[0].ID != id) {
		err = fmt.Errorf("%s is not found but %v", id, r.Hits)
	}
	return err
}
