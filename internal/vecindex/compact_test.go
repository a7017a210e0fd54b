package vecindex

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// isCompact tells whether the vectors of a collection stay in the rows.
func (w *world) isCompact(s *backend.Scope) bool {
	w.Helper()
	c := w.collection(s)
	k := indexKey{scope: s.Number, prefix: c.Prefix, incarnation: c.Incarnation}
	w.m.mu.Lock()
	x := w.m.indexes[k]
	w.m.mu.Unlock()
	return x.content.Load().rows.Load().Config().Compact
}

// An index that does not fit leaves its vectors to the rows, while it is loaded, while it grows and
// when it comes from a file: same answers, on any version.
func TestIndexesThatDoNotFitAreCompact(t *testing.T) {
	for _, kind := range []vector.Kind{vector.KindFlat, vector.KindGraph} {
		w := newWorld(t, newEngine(t))
		w.kind, w.least = kind, 1
		r := rand.New(rand.NewSource(8))
		s := w.scope()
		w.fill(r, s, 1500)
		old := w.b.Published()
		ask := func() {
			for _, at := range []uint64{old, w.b.Published()} {
				for _, filter := range []*vector.Filter{nil, vector.Lt("n", 3)} {
					q := Query{Vector: []float32{0, 1, 0.5, 1}, K: 7, Filter: filter}
					w.check(s, at, q)
				}
			}
		}
		ask()
		require.NoError(t, w.m.Settle(w.ctx))
		require.False(t, w.isCompact(s))
		full := w.m.Stats(w.collection(s)).Bytes

		w.budget = full * 2 / 3
		require.NoError(t, w.m.Close())
		w.open(w.b)
		ask()
		require.NoError(t, w.m.Settle(w.ctx))
		require.True(t, w.isCompact(s))
		require.Less(t, w.m.Stats(w.collection(s)).Bytes, full)
		w.fill(r, s, 900)
		w.commit(w.del(s, "row000003"), w.del(s, "row000004"))
		ask()
		require.NoError(t, w.m.Settle(w.ctx))
		ask()

		require.NoError(t, w.m.Close()) // writes the file of the graph, the second life reads it
		w.open(w.b)
		ask()
		require.NoError(t, w.m.Settle(w.ctx))
		require.True(t, w.isCompact(s))
		require.NoError(t, w.m.Close())
	}
}

// Of several indexes those that were not searched for longest become compact first, and are only
// dropped if that is not enough.
func TestLeastUsedBecomeCompact(t *testing.T) {
	w := newWorld(t, newModel())
	w.kind = vector.KindFlat
	r := rand.New(rand.NewSource(9))
	var scopes []*backend.Scope
	q := Query{Vector: []float32{0, 1, 0.5, 1}, K: 7}
	for range 3 {
		s := w.scope()
		w.fill(r, s, 1500)
		scopes = append(scopes, s)
		w.check(s, w.b.Published(), q)
	}
	w.budget = 3*w.m.Stats(w.collection(scopes[0])).Bytes - 8000
	require.NoError(t, w.m.Close())
	w.open(w.b)
	for _, s := range scopes {
		w.check(s, w.b.Published(), q)
	}
	w.check(scopes[2], w.b.Published(), q)
	require.True(t, w.isCompact(scopes[0]))
	require.False(t, w.isCompact(scopes[1]))
	require.False(t, w.isCompact(scopes[2]))
	require.Len(t, w.m.indexes, 3)
	for _, s := range scopes {
		w.check(s, w.b.Published(), q)
	}
}

// Memory follows the life of collections and scopes: a thousand collections are searched within the
// budget, each with its own rows, and give back what they took when their scope goes.
func TestAThousandCollections(t *testing.T) {
	w := newWorld(t, newEngine(t))
	w.budget = 64 << 10
	w.open(w.b)
	n := 1000
	if testing.Short() {
		n = 200
	}
	s := w.scope()
	name := func(i int) string { return fmt.Sprintf("c%04d", i) }
	collection := func(i int) Collection {
		c := w.collection(s)
		c.Prefix = codec.VectorCollectionKey(name(i))
		return c
	}
	for i := range n {
		var writes []backend.Write
		for j := range 3 {
			write := w.put(s, "", codec.Value{}, float32(i), float32(j), 0, 1)
			write.Key = codec.VectorRowKey(name(i), fmt.Sprint(j))
			writes = append(writes, write)
		}
		w.commit(writes...)
	}
	for range 2 {
		for i := range n {
			r, err := w.m.Search(w.ctx, collection(i), w.b.Published(),
				Query{Vector: []float32{float32(i), 1, 0, 1}, K: 1})
			require.NoError(t, err)
			require.Equal(t, "1", r.Hits[0].ID)
			require.Zero(t, r.Hits[0].Score)
		}
		total := int64(0)
		w.m.mu.Lock()
		for _, x := range w.m.indexes {
			total += x.bytes.Load()
		}
		w.m.mu.Unlock()
		require.LessOrEqual(t, total, w.budget+w.budget/8)
	}
	w.drop(s)
	_, err := w.m.Search(w.ctx, collection(0), w.b.Published(), Query{
		Vector: []float32{0, 1, 0, 1}, K: 1})
	require.ErrorIs(t, err, backend.ErrScopeGone)
	require.Empty(t, w.m.indexes)
	require.Empty(t, w.m.lineages)
}
