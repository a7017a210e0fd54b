package inmem_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

// facts makes a collection of two dimensions with three rows.
func facts(t testing.TB, run *inmem.Run) inmem.Vectors {
	c := run.Vectors("facts")
	_, err := c.Create(t.Context(), inmem.CollectionOptions{Dim: 2, Metric: inmem.L2})
	require.NoError(t, err)
	for i, id := range []string{"a", "b", "c"} {
		upsert(t, c, id, map[string]any{"n": i}, float32(i), 0)
	}
	return c
}

func upsert(t testing.TB, c inmem.Vectors, id string, metadata any, v ...float32) uint64 {
	m := inmem.Null()
	if metadata != nil {
		var err error
		m, err = inmem.ValueOf(metadata)
		require.NoError(t, err)
	}
	version, err := c.Upsert(t.Context(), id, v, m)
	require.NoError(t, err)
	return version
}

// nearest are the ids of the hits, the best first.
func nearest(t testing.TB, c inmem.Vectors, k int, v ...float32) []string {
	r, err := c.Search(t.Context(), inmem.SearchOptions{Vector: v, K: k})
	require.NoError(t, err)
	ids := []string{}
	for _, h := range r.Hits {
		ids = append(ids, h.ID)
	}
	return ids
}

// R300: vectors are written, searched and rolled back together with everything else of a run.
func TestR300VectorsAreTransactional(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		c := facts(t, w.run)
		before := w.Version()
		failed := fmt.Errorf("no")
		for _, end := range []error{failed, nil} {
			_, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
				in := tx.Vectors("facts")
				upsert(t, in, "d", nil, 0.1, 0)
				existed, err := in.Delete(w.ctx(), "a")
				require.NoError(t, err)
				require.True(t, existed)
				require.Equal(t, []string{"d", "b", "c"}, nearest(t, in, 5, 0, 0))
				_, err = tx.KV().Put(w.ctx(), "k", inmem.Int(1))
				require.NoError(t, err)
				require.Equal(t, []string{"a", "b", "c"}, nearest(t, c, 5, 0, 0))
				return end
			})
			require.ErrorIs(t, err, end)
			if end != nil {
				require.Equal(t, []string{"a", "b", "c"}, nearest(t, c, 5, 0, 0))
			}
		}
		require.Equal(t, []string{"d", "b", "c"}, nearest(t, c, 5, 0, 0))
		view, err := w.run.At(w.ctx(), before)
		require.NoError(t, err)
		defer view.Close()
		require.Equal(t, []string{"a", "b", "c"}, nearest(t, view.Vectors("facts"), 5, 0, 0))
		_, err = view.Vectors("facts").Upsert(w.ctx(), "x", []float32{1, 2}, inmem.Null())
		require.ErrorIs(t, err, inmem.ErrReadOnly)
		_, err = c.Upsert(w.ctx(), "x", []float32{1}, inmem.Null())
		require.ErrorIs(t, err, inmem.ErrDimension)
		_, err = w.run.Vectors("none").Describe(w.ctx())
		require.ErrorIs(t, err, inmem.ErrNotFound)
		_, err = c.Create(w.ctx(), inmem.CollectionOptions{Dim: 2, Metric: inmem.L2})
		require.ErrorIs(t, err, inmem.ErrExists)
	})
}

// A shared namespace has vectors, too, and a transaction over several scopes writes to both.
func TestSharedVectors(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		shared, err := w.Shared(w.ctx(), inmem.Namespace{Tenant: "acme"})
		require.NoError(t, err)
		require.NoError(t, shared.Vectors("facts").Ensure(w.ctx(),
			inmem.CollectionOptions{Dim: 2, Metric: inmem.Cosine}))
		facts(t, w.run)
		_, err = w.Update(w.ctx(), func(tx *inmem.Tx) error {
			upsert(t, tx.On(w.run).Vectors("facts"), "both", nil, 9, 9)
			upsert(t, tx.OnShared(shared).Vectors("facts"), "both", nil, 9, 9)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, []string{"both"}, nearest(t, shared.Vectors("facts"), 5, 1, 0))
		require.Equal(t, "both", nearest(t, w.run.Vectors("facts"), 5, 9, 9)[0])
		for name, err := range shared.Collections().List(w.ctx()) {
			require.NoError(t, err)
			require.Equal(t, "facts", name)
		}
	})
}

// A fork searches what its parent had at that version; neither sees what the other writes after,
// flattened or not; with the parent's deletion nothing of it is left.
func TestForksOfVectors(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		parent := facts(t, w.run)
		at := w.Version()
		upsert(t, parent, "a", nil, 7, 0)
		upsert(t, parent, "late", nil, 0, 0)
		child, err := w.run.Fork(w.ctx(), inmem.ForkOptions{At: at})
		require.NoError(t, err)
		c := child.Vectors("facts")
		require.Equal(t, []string{"a", "b", "c"}, nearest(t, c, 5, 0, 0))
		upsert(t, c, "b", nil, 0, 0)
		_, err = c.Delete(w.ctx(), "c")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, nearest(t, c, 5, 0, 0))
		require.Equal(t, []string{"late", "b", "c", "a"}, nearest(t, parent, 5, 0, 0))
		hash, err := child.StateHash(w.ctx(), w.Version())
		require.NoError(t, err)
		require.NoError(t, w.DeleteRunWith(w.ctx(), w.run.ID(),
			inmem.DeleteOptions{Forks: inmem.FlattenForks}))
		require.Equal(t, []string{"a", "b"}, nearest(t, c, 5, 0, 0))
		again, err := child.StateHash(w.ctx(), w.Version())
		require.NoError(t, err)
		require.Equal(t, hash, again)
		_, err = parent.Search(w.ctx(), inmem.SearchOptions{Vector: []float32{0, 0}, K: 1})
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
	})
}

// Replay and Watch tell of vectors in a readable form.
func TestReplayOfVectors(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		c := w.run.Vectors("facts")
		_, err := c.Create(w.ctx(), inmem.CollectionOptions{Dim: 2, Metric: inmem.L2, M: 8})
		require.NoError(t, err)
		upsert(t, c, "a", map[string]any{"n": 1}, 1, 0.5)
		upsert(t, c, "a", nil, 2, 0.5)
		_, err = c.Delete(w.ctx(), "a")
		require.NoError(t, err)
		var lines, words []string
		for commit, err := range w.run.Replay(w.ctx(), inmem.ReplayOptions{
			Primitives: []inmem.Primitive{inmem.PrimitiveVectors}, Values: inmem.OldAndNewValues,
		}) {
			require.NoError(t, err)
			for _, x := range commit.Changes {
				line, err := json.Marshal(x)
				require.NoError(t, err)
				lines, words = append(lines, string(line)), append(words, x.String())
				row, err := x.Vector()
				if x.Writes() && x.Key != "" {
					require.NoError(t, err)
					require.Equal(t, commit.Version, row.Version)
					require.Len(t, row.Vector, 2)
				} else {
					require.ErrorIs(t, err, inmem.ErrTypeMismatch)
				}
			}
		}
		require.Equal(t, []string{
			`{"primitive":"vectors","collection":"facts","op":"put",` +
				`"value":{"m":8,"dim":2,"metric":"l2"}}`,
			`{"primitive":"vectors","collection":"facts","op":"put","key":"a",` +
				`"value":{"vector":[1.0,0.5],"metadata":{"n":1}}}`,
			`{"primitive":"vectors","collection":"facts","op":"put","key":"a",` +
				`"value":{"vector":[2.0,0.5]},"old":{"vector":[1.0,0.5],"metadata":{"n":1}}}`,
			`{"primitive":"vectors","collection":"facts","op":"delete","key":"a",` +
				`"old":{"vector":[2.0,0.5]}}`,
		}, lines)
		require.Equal(t, []string{`collection put "facts"`, `vectors "facts" put "a"`,
			`vectors "facts" put "a"`, `vectors "facts" delete "a"`}, words)
		n := 0
		for commit, err := range w.run.Replay(w.ctx(), inmem.ReplayOptions{Prefix: "a"}) {
			require.NoError(t, err)
			n += len(commit.Changes)
		}
		require.Equal(t, 3, n, "a prefix is one of ids")
	})
}

// Diff tells which vectors were added, removed and changed, metadata by path, a vector as such.
func TestDiffOfVectors(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		c := facts(t, w.run)
		before := w.Version()
		upsert(t, c, "a", map[string]any{"n": 7}, 0, 0)
		upsert(t, c, "b", map[string]any{"n": 1}, 8, 9)
		_, err := c.Delete(w.ctx(), "c")
		require.NoError(t, err)
		upsert(t, c, "d", nil, 1, 1)
		_, err = w.run.Vectors("more").Create(w.ctx(),
			inmem.CollectionOptions{Dim: 3, Metric: inmem.Dot})
		require.NoError(t, err)
		d, err := w.DB.Diff(w.ctx(), inmem.Point{Run: w.run, Version: before},
			inmem.Point{Run: w.run}, inmem.DiffOptions{})
		require.NoError(t, err)
		require.False(t, d.Identical)
		require.Equal(t, []uint64{2, 1, 2, 1},
			[]uint64{d.Vectors.Added, d.Vectors.Removed, d.Vectors.Changed, d.Vectors.Same})
		var found []string
		for _, x := range d.Entries {
			for _, c := range x.Changes.List {
				found = append(found, fmt.Sprintf("%s %s/%s %s %v %v", x.Op, x.Collection, x.Key,
					c.Path, c.Old, c.New))
			}
		}
		require.Equal(t, []string{
			"changed facts/a /metadata/n 0 7",
			"changed facts/b /vector [1.0,0.0] [8.0,9.0]",
			`removed facts/c  {"vector":[2.0,0.0],"metadata":{"n":2}} <nil>`,
			`added facts/d  <nil> {"vector":[1.0,1.0]}`,
			`added more/  <nil> {"dim":3,"metric":"dot"}`,
		}, found)
		text := d.Text()
		for _, part := range []string{"vectors", "facts a", "more (collection)"} {
			require.Contains(t, text, part)
		}
		_, err = json.Marshal(d)
		require.NoError(t, err)
	})
}

// A bundle keeps vectors: the imported run has the same hash and finds the same, now and then.
func TestBundleOfVectors(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	c := facts(t, w.run)
	at := w.Version()
	upsert(t, c, "a", nil, 9, 9)
	_, err := c.Delete(w.ctx(), "b")
	require.NoError(t, err)
	brief := w.run.Vectors("brief")
	_, err = brief.Create(w.ctx(), inmem.CollectionOptions{Dim: 1, Metric: inmem.Dot})
	require.NoError(t, err)
	upsert(t, brief, "x", nil, 1)
	_, err = brief.Drop(w.ctx())
	require.NoError(t, err)
	hash, err := w.run.StateHash(w.ctx(), w.Version())
	require.NoError(t, err)
	require.NoError(t, w.run.End(w.ctx(), inmem.Completed))
	var file bytes.Buffer
	_, err = w.ExportRun(w.ctx(), w.run.ID(), &file, inmem.ExportOptions{})
	require.NoError(t, err)
	data := file.Bytes()
	other := newWorld(t, engines[1], nil)
	_, err = other.ImportRun(other.ctx(), bytes.NewReader(data), inmem.ImportOptions{})
	require.NoError(t, err)
	run, err := other.Run(other.ctx(), w.run.ID())
	require.NoError(t, err)
	again, err := run.StateHash(other.ctx(), other.Version())
	require.NoError(t, err)
	require.Equal(t, hash, again)
	require.Equal(t, []string{"c", "a"}, nearest(t, run.Vectors("facts"), 5, 0, 0))
	for commit, err := range run.Replay(other.ctx(), inmem.ReplayOptions{}) {
		require.NoError(t, err)
		if commit.Origin.Version != at {
			continue
		}
		view, err := run.At(other.ctx(), commit.Version)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "c"}, nearest(t, view.Vectors("facts"), 5, 0, 0))
		require.NoError(t, view.Close())
	}
}

// Retention of vectors removes what was, and leaves what is.
func TestRetentionOfVectors(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	c := facts(t, w.run)
	old := w.Version()
	for i := range 10 {
		upsert(t, c, "a", nil, float32(i), 5)
	}
	want := nearest(t, c, 5, 9, 5)
	_, err := w.SetRetention(w.ctx(), inmem.RetentionTarget{
		Run: w.run.ID(), Primitive: inmem.PrimitiveVectors,
	}, inmem.Keep{Commits: 1})
	require.NoError(t, err)
	_, err = w.ApplyRetention(w.ctx(), nil)
	require.NoError(t, err)
	require.Equal(t, want, nearest(t, c, 5, 9, 5))
	view, err := w.run.At(w.ctx(), old)
	if err == nil {
		_, err = view.Vectors("facts").Search(w.ctx(),
			inmem.SearchOptions{Vector: []float32{0, 0}, K: 1})
		require.NoError(t, view.Close())
	}
	require.ErrorIs(t, err, inmem.ErrPruned)
}

// R301: the index gives what the rows give, over a random history and every version of it.
func TestR301IndexAgreesWithRows(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	c := w.run.Vectors("facts")
	_, err := c.Create(w.ctx(), inmem.CollectionOptions{Dim: 4, Metric: inmem.Cosine,
		Kind: vector.KindFlat})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 01))
	random := func() []float32 {
		v := make([]float32, 4)
		for i := range v {
			v[i] = float32(rng.IntN(5) - 2)
		}
		return v
	}
	type state map[string][]float32
	now, past := state{}, map[uint64]state{}
	for i := range 120 {
		id := fmt.Sprint(rng.IntN(20))
		if rng.IntN(3) == 0 {
			_, err = c.Delete(w.ctx(), id)
			require.NoError(t, err)
			delete(now, id)
		} else {
			now[id] = random()
			upsert(t, c, id, nil, now[id]...)
		}
		if i%10 == 0 {
			kept := state{}
			for id, v := range now {
				kept[id] = v
			}
			past[w.Version()] = kept
		}
		requireNearest(t, c, now, random())
	}
	for at, rows := range past {
		view, err := w.run.At(w.ctx(), at)
		require.NoError(t, err)
		requireNearest(t, view.Vectors("facts"), rows, random())
		require.NoError(t, view.Close())
	}
}

// requireNearest compares an exact search with all scores taken one by one.
func requireNearest(t *testing.T, c inmem.Vectors, rows map[string][]float32, q []float32) {
	r, err := c.Search(t.Context(), inmem.SearchOptions{Vector: q, K: 5})
	require.NoError(t, err)
	require.True(t, r.Plan.Exact)
	require.Len(t, r.Hits, min(5, len(rows)))
	s, err := vector.NewScorer(vector.Cosine, q)
	require.NoError(t, err)
	seen := map[string]bool{}
	for i, h := range r.Hits {
		require.Contains(t, rows, h.ID)
		require.InDelta(t, s.Score(rows[h.ID]), h.Score, 0)
		seen[h.ID] = true
		if i > 0 {
			last := r.Hits[i-1]
			require.True(t, last.Score > h.Score || last.Score == h.Score && last.ID < h.ID)
		}
	}
	for id, v := range rows {
		if last := len(r.Hits) - 1; !seen[id] {
			score := s.Score(v)
			worst := r.Hits[last]
			require.True(t, score < worst.Score || score == worst.Score && id > worst.ID, id)
		}
	}
}
