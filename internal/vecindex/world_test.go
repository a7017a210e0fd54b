package vecindex

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// world is a database, a manager of its indexes, and short words for what is done with them.
type world struct {
	testing.TB
	ctx    context.Context
	b      backend.Backend
	m      *Manager
	sys    *backend.Scope
	kind   vector.Kind
	metric vector.Metric
	budget int64
	least  int

	incarnation uint64
}

const dim = 4

func newWorld(t testing.TB, b backend.Backend) *world {
	w := &world{TB: t, ctx: context.Background(), metric: vector.L2, incarnation: 1}
	w.open(b)
	t.Cleanup(func() { require.NoError(t, w.m.Close()) })
	return w
}

// open takes a database over, as after a restart.
func (w *world) open(b backend.Backend) {
	w.b, w.sys = b, &backend.Scope{Number: codec.SystemScope}
	w.m = New(b, Options{Budget: w.budget, leastFile: w.least})
}

func newModel() *model.Backend { return model.New(backendtest.NewClock().Now) }

func newEngine(t testing.TB) *embedded.DB {
	db, err := embedded.Open(context.Background(), embedded.Options{
		Mode: embedded.None, Clock: backendtest.NewClock().Now, SweepInterval: -1,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// onBoth runs a test over both authorities.
func onBoth(t *testing.T, test func(w *world)) {
	t.Run("model", func(t *testing.T) { test(newWorld(t, newModel())) })
	t.Run("engine", func(t *testing.T) { test(newWorld(t, newEngine(t))) })
}

func (w *world) commit(writes ...backend.Write) uint64 {
	w.Helper()
	out, err := w.b.Commit(w.ctx, &backend.Request{Writes: writes})
	require.NoError(w, err)
	return out.Version
}

func recordID(n codec.Scope) (id [16]byte) {
	id[0], id[14], id[15] = 1, byte(n>>8), byte(n)
	return id
}

func recordOf(n codec.Scope) codec.ScopeRecord {
	return codec.ScopeRecord{ID: recordID(n), Number: n, Status: codec.Active}
}

func (w *world) recordWrite(s *backend.Scope, r codec.ScopeRecord) backend.Write {
	w.Helper()
	value, err := codec.AppendScopeRecord(nil, r)
	require.NoError(w, err)
	return backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record,
		Op: backend.Put, Value: value}
}

func (w *world) create(r func(codec.ScopeRecord) codec.ScopeRecord) *backend.Scope {
	w.Helper()
	n, err := w.b.AllocateScope(w.ctx)
	require.NoError(w, err)
	record := r(recordOf(n))
	key := codec.ScopeRecord{Parent: record.ID}.ParentKey()
	s := &backend.Scope{Number: n, Record: key}
	_, err = w.b.Commit(w.ctx, &backend.Request{
		CreateScopes: []*backend.Scope{s}, Writes: []backend.Write{w.recordWrite(s, record)},
	})
	require.NoError(w, err)
	return s
}

func (w *world) scope() *backend.Scope {
	w.Helper()
	return w.create(func(r codec.ScopeRecord) codec.ScopeRecord { return r })
}

func forked(r codec.ScopeRecord, parent *backend.Scope, at uint64) codec.ScopeRecord {
	r.Parent, r.ParentNumber, r.ForkVersion = recordID(parent.Number), parent.Number, at
	return r
}

func (w *world) fork(parent *backend.Scope, at uint64) *backend.Scope {
	w.Helper()
	return w.create(func(r codec.ScopeRecord) codec.ScopeRecord { return forked(r, parent, at) })
}

func (w *world) flatten(s, parent *backend.Scope, at uint64) {
	w.Helper()
	require.NoError(w, w.b.Flatten(w.ctx, s))
	r := forked(recordOf(s.Number), parent, at)
	r.Flattened = true
	w.commit(w.recordWrite(s, r))
}

func (w *world) drop(s *backend.Scope) {
	w.Helper()
	w.commit(backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record,
		Op: backend.Delete})
}

// docs is the name of the collection of most tests.
const docs = "docs"

func (w *world) put(s *backend.Scope, id string, meta codec.Value, vec ...float32) backend.Write {
	w.Helper()
	value, err := codec.AppendVectorRow(nil, codec.VectorRow{Vector: vec, Metadata: meta})
	require.NoError(w, err)
	return backend.Write{Scope: s, Primitive: codec.Vectors, Key: codec.VectorRowKey(docs, id),
		Op: backend.Put, Value: value}
}

func (w *world) del(s *backend.Scope, id string) backend.Write {
	return backend.Write{Scope: s, Primitive: codec.Vectors, Key: codec.VectorRowKey(docs, id),
		Op: backend.Delete}
}

// random is a row near others: coordinates of a small grid, so that ties happen.
func (w *world) random(r *rand.Rand, s *backend.Scope, id string) backend.Write {
	w.Helper()
	vec := make([]float32, dim)
	for i := range vec {
		vec[i] = float32(r.Intn(5)) - 1.5
	}
	meta, err := codec.ValueOf(map[string]any{
		"n": r.Intn(10), "half": r.Intn(2) == 0, "tags": []string{"a", "b", "c"}[:r.Intn(4)],
	})
	require.NoError(w, err)
	return w.put(s, id, meta, vec...)
}

func (w *world) collection(s *backend.Scope) Collection {
	return Collection{Scope: s, Prefix: codec.VectorCollectionKey(docs), Incarnation: w.incarnation,
		Config: vector.Config{Dim: dim, Metric: w.metric, Kind: w.kind, M: 4, EfConstruction: 32}}
}

func (w *world) search(s *backend.Scope, at uint64, q Query) Result {
	w.Helper()
	r, err := w.m.Search(w.ctx, w.collection(s), at, q)
	require.NoError(w, err)
	return r
}

// truth is what a search has to find: it reads all rows and knows nothing of indexes.
func (w *world) truth(s *backend.Scope, at uint64, q Query) []Hit {
	w.Helper()
	c := w.collection(s)
	scorer, err := vector.NewScorer(c.Config.Metric, q.Vector)
	require.NoError(w, err)
	cur := w.b.Scan(w.ctx, s, codec.Vectors, backend.PrefixRange(c.Prefix), at)
	defer cur.Close()
	var hits []Hit
	for cur.Next() {
		if cur.Key() == c.Prefix {
			continue
		}
		row, err := codec.DecodeVectorRow(cur.Record().Value)
		require.NoError(w, err)
		id := cur.Key()[len(c.Prefix):]
		if q.Filter.Matches(row.Metadata) && (q.Hidden == nil || !q.Hidden(id)) {
			hits = append(hits, Hit{id, scorer.Score(row.Vector), cur.Record().Version})
		}
	}
	require.NoError(w, cur.Err())
	slices.SortFunc(hits, func(a, b Hit) int {
		switch {
		case a.Score > b.Score || a.Score == b.Score && a.ID < b.ID:
			return -1
		default:
			return 1
		}
	})
	return hits
}

// check demands that a search finds the truth.
func (w *world) check(s *backend.Scope, at uint64, q Query) Result {
	w.Helper()
	want := w.truth(s, at, q)
	got := w.search(s, at, q)
	about := fmt.Sprintf("scope %d at %d, k %d, filter %s, plan %+v", s.Number, at, q.K, q.Filter,
		got.Plan)
	if w.kind != vector.KindGraph {
		require.Equal(w, len(want[:min(q.K, len(want))]), len(got.Hits), about)
		for i := range got.Hits {
			require.Equal(w, want[i], got.Hits[i], about)
		}
		require.True(w, got.Plan.Exact, about)
		return got
	}
	require.Len(w, got.Hits, min(q.K, len(want)), about)
	for _, h := range got.Hits {
		require.Contains(w, want, h, about)
	}
	return got
}
