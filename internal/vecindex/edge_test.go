package vecindex

import (
	"math"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

func TestR301RefusedSearches(t *testing.T) {
	w := newWorld(t, newModel())
	s := w.scope()
	w.fill(rand.New(rand.NewSource(1)), s, 10)
	good := []float32{1, 2, 3, 4}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		q    Query
		is   error
		text string
	}{
		{Query{Vector: good}, codec.ErrInvalidArgument, "k is 0, expected 1 or more"},
		{Query{Vector: good, K: -1}, codec.ErrInvalidArgument, "k is -1"},
		{Query{Vector: good, K: 1, Ef: -1}, codec.ErrInvalidArgument, "ef is -1"},
		{Query{Vector: good, K: 1, Strategy: 9}, codec.ErrInvalidArgument, "9 is not a strategy"},
		{Query{Vector: good[:3], K: 1}, codec.ErrInvalidArgument, "3 dimensions, expected 4"},
		{Query{K: 1}, codec.ErrInvalidArgument, "0 dimensions, expected 4"},
		{Query{Vector: []float32{1, nan, 3, 4}, K: 1}, codec.ErrInvalidArgument, "NaN"},
		{Query{Vector: []float32{1, 2, inf, 4}, K: 1}, codec.ErrInvalidArgument, "Inf"},
		{Query{Vector: good, K: 1, Filter: vector.Eq("a..b", 1)}, codec.ErrInvalidArgument, "path"},
		{Query{Vector: good, K: 1, Filter: vector.Lt("a", nil)}, codec.ErrInvalidArgument, "order"},
	} {
		_, err := w.m.Search(w.ctx, w.collection(s), w.b.Published(), c.q)
		require.ErrorIs(t, err, c.is)
		require.ErrorContains(t, err, c.text)
		require.ErrorContains(t, err, "vector search: ")
	}
	bad := w.collection(s)
	bad.Config.Metric = 9
	_, err := w.m.Search(w.ctx, bad, w.b.Published(), Query{Vector: good, K: 1})
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	_, err = w.m.EstimateRecall(w.ctx, w.collection(s), w.b.Published(), 0, 1)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	none := &backend.Scope{Number: 77, Record: "none"}
	_, err = w.m.Search(w.ctx, w.collection(none), w.b.Published(), Query{Vector: good, K: 1})
	require.ErrorIs(t, err, backend.ErrScopeGone)
}

func TestEmptyAndZero(t *testing.T) {
	onBoth(t, func(w *world) {
		w.metric = vector.Cosine
		s := w.scope()
		zero := Query{Vector: make([]float32, dim), K: math.MaxInt}
		require.Empty(w, w.check(s, w.b.Published(), zero).Hits)
		recall, err := w.m.EstimateRecall(w.ctx, w.collection(s), w.b.Published(), 5, 5)
		require.NoError(w, err)
		require.Equal(w, 1.0, recall.Recall)
		w.commit(w.put(s, "zero", codec.Null(), 0, 0, 0, 0), w.put(s, "b", codec.Null(), 1, 0, 0, 0),
			w.put(s, "a", codec.Null(), 0, 2, 0, 0))
		hits := w.check(s, w.b.Published(), zero).Hits
		require.Len(w, hits, 3)
		require.Equal(w, "a", hits[0].ID, "rows of one score are in the order of their ids")
		w.check(s, w.b.Published(), Query{Vector: []float32{1, 1, 0, 0}, K: math.MaxInt,
			Hidden: func(string) bool { return true }})
		w.check(s, w.b.Published(), Query{Vector: []float32{1, 1, 0, 0}, K: 2,
			Hidden: func(id string) bool { return id == "a" }})
		require.Zero(w, w.m.Stats(w.collection(w.scope())))
	})
}

// A collection that was dropped and made again, with another dimension, is another one; views of
// the old one stay.
func TestCollectionMadeAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		r := rand.New(rand.NewSource(2))
		s := w.scope()
		w.fill(r, s, 3)
		old := w.b.Published()
		w.check(s, old, someQuery)
		child := w.fork(s, old)
		for _, scope := range []*backend.Scope{s, child} {
			w.commit(w.del(scope, "row000000"), w.del(scope, "row000001"),
				w.del(scope, "row000002"))
			made := w.b.Published() + 1
			w.commit(w.put(scope, "row000001", codec.Null(), 1, 2),
				w.put(scope, "new", codec.Null(), 3, 4))
			c := w.collection(scope)
			c.Incarnation, c.Config.Dim = made, 2
			for range 2 {
				got, err := w.m.Search(w.ctx, c, w.b.Published(), Query{Vector: []float32{3, 4}, K: 9})
				require.NoError(w, err)
				require.Len(w, got.Hits, 2)
				require.Equal(w, "new", got.Hits[0].ID)
				w.check(scope, old, someQuery)
				w.commit(w.del(w.scope(), "nothing"))
			}
		}
	})
}
