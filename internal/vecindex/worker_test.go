package vecindex

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/vector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fill puts n random rows into a scope.
func (w *world) fill(r *rand.Rand, s *backend.Scope, n int) {
	w.Helper()
	for first := 0; first < n; first += 500 {
		var writes []backend.Write
		for i := first; i < min(first+500, n); i++ {
			writes = append(writes, w.random(r, s, fmt.Sprintf("row%06d", i)))
		}
		w.commit(writes...)
	}
}

func TestWorkerLinks(t *testing.T) {
	w := newWorld(t, newModel())
	w.kind = vector.KindGraph
	r := rand.New(rand.NewSource(1))
	s := w.scope()
	w.fill(r, s, 1000)
	q := Query{Vector: []float32{0, 1, 0, 1}, K: 5}
	w.check(s, w.b.Published(), q)
	require.NoError(t, w.m.Settle(w.ctx))
	stats := w.m.Stats(w.collection(s))
	require.Equal(t, 1000, stats.Rows)
	require.Equal(t, 1000, stats.Live)
	require.Zero(t, stats.Tail)
	require.True(t, stats.Graph)
	require.Equal(t, 1.0, stats.Linked)
	require.Equal(t, w.b.Published(), stats.Version)
	require.Positive(t, stats.Bytes)
	for i := range 20 {
		q.K = 1 + i
		w.check(s, w.b.Published(), q)
	}
	recall, err := w.m.EstimateRecall(w.ctx, w.collection(s), w.b.Published(), 50, 10)
	require.NoError(t, err)
	require.GreaterOrEqual(t, recall.Recall, 0.95)
	require.Equal(t, 50, recall.Queries)
	require.LessOrEqual(t, recall.Worst, recall.Recall)
}

// A history gives the same answers, however its searches and the worker meet.
func TestTimingChangesNothing(t *testing.T) {
	b := newModel()
	w := newWorld(t, b)
	w.kind = vector.KindGraph
	r := rand.New(rand.NewSource(2))
	s := w.scope()
	w.fill(r, s, 400)
	q := Query{Vector: []float32{0, 1, 0, 1}, K: 20, Ef: 20}
	w.search(s, w.b.Published(), q)
	require.NoError(t, w.m.Settle(w.ctx))
	want := w.search(s, w.b.Published(), q).Hits
	for range 3 {
		other := New(b, Options{})
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				_, err := other.Search(w.ctx, w.collection(s), w.b.Published()-uint64(i%2), q)
				require.NoError(t, err)
			})
		}
		group.Wait()
		require.NoError(t, other.Settle(w.ctx))
		got, err := other.Search(w.ctx, w.collection(s), w.b.Published(), q)
		require.NoError(t, err)
		require.Equal(t, want, got.Hits)
		require.NoError(t, other.Close())
	}
}

// An index of which a third is dead is made anew, without what no search of late could see.
func TestWornIndexIsRenewed(t *testing.T) {
	for _, kind := range []vector.Kind{vector.KindFlat, vector.KindGraph} {
		w := newWorld(t, newModel())
		w.kind = kind
		r := rand.New(rand.NewSource(3))
		s := w.scope()
		w.fill(r, s, 1000)
		q := Query{Vector: []float32{0, 1, 0, 1}, K: 5, Filter: vector.Lt("n", 5)}
		old := w.b.Published()
		w.check(s, old, q)
		for range 3 {
			w.fill(r, s, 300)
			w.check(s, w.b.Published(), q)
			require.NoError(t, w.m.Settle(w.ctx))
		}
		stats := w.m.Stats(w.collection(s))
		require.Less(t, stats.Rows, 1500)
		require.Greater(t, stats.Base, old, "the dead rows are gone")
		w.check(s, old, q)
		w.check(s, old, q)
		w.check(s, w.b.Published(), q)
		w.fill(r, s, 10)
		w.check(s, w.b.Published(), q)
	}
}

// What is committed while an index waits for its successor is in both.
func TestHeirIsPulled(t *testing.T) {
	w := newWorld(t, newModel())
	w.kind = vector.KindFlat
	r := rand.New(rand.NewSource(3))
	s := w.scope()
	w.fill(r, s, 1000)
	q := Query{Vector: []float32{0, 1, 0, 1}, K: 50, Filter: vector.Lt("n", 5)}
	w.check(s, w.b.Published(), q)
	w.m.mu.Lock()
	w.m.working = make(chan struct{}) // the worker stays away
	w.m.mu.Unlock()
	defer close(w.m.working)
	for range 2 {
		w.fill(r, s, 300)
		w.check(s, w.b.Published(), q)
	}
	x, err := w.m.index(indexKey{scope: s.Number, prefix: w.collection(s).Prefix, incarnation: 1},
		nil, s, 0)
	require.NoError(t, err)
	x.content.Load().oldest.Store(w.b.Published())
	require.NoError(t, x.renew(w.ctx))
	require.NotNil(t, x.heir.Load())
	for range 3 {
		w.fill(r, s, 20)
		w.commit(w.del(s, "row000003"))
		w.check(s, w.b.Published(), q)
	}
	require.NoError(t, x.work(w.ctx))
	require.Nil(t, x.heir.Load())
	require.Less(t, x.content.Load().rows.Load().Slots(), 1200)
	w.check(s, w.b.Published(), q)
	w.fill(r, s, 20)
	w.check(s, w.b.Published(), q)
}

// What a search of late has seen stays.
func TestRenewalKeepsWhatIsSeen(t *testing.T) {
	w := newWorld(t, newModel())
	w.kind = vector.KindFlat
	r := rand.New(rand.NewSource(4))
	s := w.scope()
	w.fill(r, s, 1000)
	q := Query{Vector: []float32{0, 1, 0, 1}, K: 5}
	old := w.b.Published()
	for range 4 {
		w.check(s, old, q)
		w.fill(r, s, 300)
		require.Equal(t, 1, w.check(s, w.b.Published(), q).Plan.Layers)
		w.check(s, old, q)
		require.NoError(t, w.m.Settle(w.ctx))
	}
	require.Equal(t, 1, w.check(s, old, q).Plan.Layers, "it is not read from rows")
	require.Zero(t, w.m.Stats(w.collection(s)).Frozen)
}

func TestBudget(t *testing.T) {
	onBoth(t, func(w *world) {
		w.budget = 1
		w.open(w.b)
		r := rand.New(rand.NewSource(5))
		var scopes []*backend.Scope
		for range 4 {
			s := w.scope()
			w.fill(r, s, 50)
			scopes = append(scopes, s, w.fork(s, w.b.Published()))
		}
		q := Query{Vector: []float32{0, 1, 0, 1}, K: 5, Filter: vector.Lt("n", 5)}
		for range 3 {
			for _, s := range scopes {
				w.check(s, w.b.Published(), q)
				w.m.mu.Lock()
				require.LessOrEqual(w, len(w.m.indexes), 2)
				w.m.mu.Unlock()
			}
			w.commit(w.random(r, scopes[0], "new"))
		}
	})
}

func TestClose(t *testing.T) {
	w := newWorld(t, newModel())
	w.kind = vector.KindGraph
	s := w.scope()
	w.fill(rand.New(rand.NewSource(6)), s, 300)
	q := Query{Vector: []float32{0, 1, 0, 1}, K: 5}
	w.check(s, w.b.Published(), q)
	require.NoError(t, w.m.Close())
	require.NoError(t, w.m.Close())
	_, err := w.m.Search(w.ctx, w.collection(s), w.b.Published(), q)
	require.ErrorIs(t, err, backend.ErrClosed)
	done, cancel := context.WithCancel(w.ctx)
	cancel()
	w.open(w.b)
	_, err = w.m.Search(done, w.collection(s), w.b.Published(), q)
	require.ErrorIs(t, err, context.Canceled)
	w.check(s, w.b.Published(), q)
}
