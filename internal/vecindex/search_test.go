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

// R300: a committed row is found by the next search, a deleted one by none, and a view finds what
// it would have found then.
func TestR300SearchFollowsCommits(t *testing.T) {
	onBoth(t, func(w *world) {
		s := w.scope()
		q := Query{Vector: []float32{0, 0, 0, 0}, K: 10}
		require.Empty(w, w.search(s, w.b.Published(), q).Hits)
		first := w.commit(w.put(s, "a", codec.Null(), 1, 0, 0, 0))
		hits := w.search(s, first, q).Hits
		require.Equal(w, []Hit{{"a", -1, first}}, hits)
		second := w.commit(w.put(s, "a", codec.Null(), 2, 0, 0, 0),
			w.put(s, "b", codec.Null(), 0, 0, 0, 0))
		require.Equal(w, []Hit{{"b", 0, second}, {"a", -4, second}}, w.search(s, second, q).Hits)
		third := w.commit(w.del(s, "b"))
		require.Equal(w, []Hit{{"a", -4, second}}, w.search(s, third, q).Hits)
		for _, at := range []uint64{0, 1, first, second, third} {
			w.check(s, at, q)
		}
	})
}

func TestHistories(t *testing.T) {
	onBoth(t, func(w *world) {
		w.least = 1
		w.open(w.b)
		seeds := int64(15)
		if testing.Short() {
			seeds = 6
		}
		for seed := range seeds {
			w.kind = []vector.Kind{vector.KindFlat, vector.KindAuto, vector.KindGraph}[seed%3]
			w.metric = []vector.Metric{vector.L2, vector.Dot, vector.Cosine}[seed/3%3]
			newHistory(w, seed).run(80)
		}
	})
}

// history is a random history: scopes that are written to, forked, flattened and deleted, and
// searches at any version of them.
type history struct {
	*world
	r      *rand.Rand
	scopes []*life
}

// life is what a history knows of a scope.
type life struct {
	s      *backend.Scope
	parent *life // of a fork that is not flattened
	fork   uint64
	origin *backend.Scope
	since  uint64
}

func newHistory(w *world, seed int64) *history {
	h := &history{world: w, r: rand.New(rand.NewSource(seed))}
	h.scopes = append(h.scopes, &life{s: w.scope()})
	h.scopes[0].since = w.b.Published()
	return h
}

func (h *history) run(steps int) {
	for range steps {
		h.step()
	}
}

func (h *history) step() {
	l := h.scopes[h.r.Intn(len(h.scopes))]
	switch n := h.r.Intn(20); {
	case n < 9:
		h.write(l)
	case n < 16:
		h.look(l)
	case n == 16 && len(h.scopes) < 8:
		at := h.version(l)
		child := &life{parent: l, fork: at, origin: l.s}
		child.s, child.since = h.world.fork(l.s, at), at
		child.since = max(l.since, 1)
		h.scopes = append(h.scopes, child)
	case n == 17 && l.parent != nil:
		h.world.flatten(l.s, l.origin, l.fork)
		l.parent = nil
	case n == 18 && len(h.scopes) > 3:
		h.remove(l)
	case n == 19:
		h.disturb(l)
	}
}

// version is any that can be read.
func (h *history) version(l *life) uint64 {
	h.Helper()
	horizons, err := h.b.Horizons(h.ctx, l.s)
	require.NoError(h, err)
	first := max(l.since, horizons.Newest())
	return first + uint64(h.r.Int63n(int64(h.b.Published()-first+1)))
}

// disturb takes away what the manager has in memory, or history.
func (h *history) disturb(l *life) {
	switch h.r.Intn(3) {
	case 0:
		h.m.Drop(l.s)
	case 1:
		require.NoError(h, h.m.Close())
		h.open(h.b)
	default:
		var upto backend.Horizons
		at := h.version(l)
		for _, p := range backend.Prunable() {
			upto = append(upto, backend.Horizon{Primitive: p, Version: at})
		}
		_, err := h.b.Prune(h.ctx, l.s, backend.PruneOptions{Upto: upto})
		require.NoError(h, err)
	}
}

// remove deletes a scope that no fork reads through.
func (h *history) remove(l *life) {
	for _, other := range h.scopes {
		if other.parent == l {
			return
		}
	}
	h.world.drop(l.s)
	h.scopes = deleted(h.scopes, l)
	_, err := h.m.Search(h.ctx, h.collection(l.s), h.b.Published(),
		Query{Vector: make([]float32, dim), K: 1})
	require.ErrorIs(h, err, backend.ErrScopeGone)
}

func deleted(all []*life, l *life) (rest []*life) {
	for _, x := range all {
		if x != l {
			rest = append(rest, x)
		}
	}
	return rest
}

func (h *history) id() string { return fmt.Sprint("id", h.r.Intn(30)) }

func (h *history) write(l *life) {
	writes := map[string]backend.Write{}
	for range 1 + h.r.Intn(6) {
		id := h.id()
		if h.r.Intn(4) == 0 {
			writes[id] = h.del(l.s, id)
		} else {
			writes[id] = h.random(h.r, l.s, id)
		}
	}
	var list []backend.Write
	for _, x := range writes {
		list = append(list, x)
	}
	h.commit(list...)
}

func (h *history) look(l *life) {
	at := h.b.Published()
	if h.r.Intn(3) == 0 {
		at = h.version(l)
	}
	h.check(l.s, at, h.query())
}

func (h *history) query() Query {
	q := Query{Vector: make([]float32, dim), K: 1 + h.r.Intn(12)}
	for i := range q.Vector {
		q.Vector[i] = float32(h.r.Intn(9))/2 - 2
	}
	if h.r.Intn(4) == 0 {
		q.K = 1 << 40
	}
	n := h.r.Intn(10)
	q.Filter = []*vector.Filter{
		nil, nil, vector.Eq("n", n), vector.Ne("n", n), vector.Lt("n", n), vector.Eq("half", true),
		vector.And(vector.Ge("n", n), vector.Not(vector.Eq("tags.*", "b"))),
		vector.Or(vector.In("n", n, n+1, n), vector.Exists("tags.1")),
		vector.Exists("nothing"), vector.Ne("nothing", 1),
	}[h.r.Intn(10)]
	if h.r.Intn(3) == 0 {
		hidden := map[string]bool{h.id(): true, h.id(): true, h.id(): true}
		q.Hidden = func(id string) bool { return hidden[id] }
	}
	return q
}
