package vectors

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// R300: insert, search, delete; what is written is found by the next search.
func TestR300UpsertSearchDelete(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.create(t, "facts", vector.L2)
		require.Empty(t, find(t, c, 3, 0, 0))
		version, err := c.Upsert(ctx, "a", []float32{1, 0}, metadata(t, map[string]any{"n": 1}))
		require.NoError(t, err)
		mustUpsert(t, c, "b", 3, 0)
		mustUpsert(t, c, "c", 2, 0)
		require.Equal(t, []string{"a", "c", "b"}, find(t, c, 3, 0, 0))
		require.Equal(t, []string{"a", "c"}, find(t, c, 2, 0, 0))
		require.Equal(t, []string{"a", "c", "b"}, find(t, c, math.MaxInt, 0, 0))

		r, err := c.Search(ctx, SearchOptions{Vector: []float32{0, 0}, K: 1, WithVectors: true})
		require.NoError(t, err)
		require.Equal(t, []Hit{{ID: "a", Score: -1, Vector: []float32{1, 0}, Version: version,
			Metadata: metadata(t, map[string]any{"n": 1})}}, r.Hits)
		require.True(t, r.Plan.Exact)
		require.NotEmpty(t, r.Plan.Why)

		row, ok, err := c.Get(ctx, "a")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []float32{1, 0}, row.Vector)
		require.Equal(t, version, row.Version)
		mustUpsert(t, c, "a", 9, 0) // also takes the metadata away
		row, _, err = c.Get(ctx, "a")
		require.NoError(t, err)
		require.True(t, row.Metadata.IsNull())
		require.Equal(t, []string{"c", "b", "a"}, find(t, c, 3, 0, 0))

		for _, want := range []bool{true, false} {
			existed, err := c.Delete(ctx, "c")
			require.NoError(t, err)
			require.Equal(t, want, existed)
		}
		_, ok, err = c.Get(ctx, "c")
		require.NoError(t, err)
		require.False(t, ok)
		ok, err = c.Exists(ctx, "b")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []string{"b", "a"}, find(t, c, 3, 0, 0))
	})
}

// R301: higher is better, whatever the metric; ties go by id; nothing is normalised in silence.
func TestR301ScoresAndTies(t *testing.T) {
	w := onModel(t.Context(), t, txn.Config{})
	for _, test := range []struct {
		metric vector.Metric
		want   string
	}{
		{vector.Cosine, "[{a 1} {b 1} {0 0} {c 0} {d -1}]"},
		{vector.Dot, "[{b 6} {a 2} {0 0} {c 0} {d -2}]"},
		{vector.L2, "[{a 0} {0 -4} {b -16} {d -16} {c -5}]"},
	} {
		c := w.create(t, test.metric.String(), test.metric)
		for id, v := range map[string][]float32{
			"b": {3, 0}, "a": {1, 0}, "d": {-1, 0}, "c": {0, 2}, "0": {0, 0},
		} {
			mustUpsert(t, c, id, v...)
		}
		mustUpsert(t, c, "d", -1, 0)
		query := []float32{2, 0}
		if test.metric == vector.L2 {
			query = []float32{1, 0}
			test.want = "[{a 0} {0 -1} {b -4} {d -4} {c -5}]"
		}
		r, err := c.Search(t.Context(), SearchOptions{Vector: query, K: 10})
		require.NoError(t, err)
		type pair struct {
			id    string
			score float32
		}
		var got []pair
		for _, h := range r.Hits {
			got = append(got, pair{h.ID, h.Score})
		}
		require.Equal(t, test.want, fmt.Sprint(got), "%v", test.metric)
		row, _, err := c.Get(t.Context(), "b")
		require.NoError(t, err)
		require.Equal(t, []float32{3, 0}, row.Vector, "as it was given")
		zero, err := c.Search(t.Context(), SearchOptions{Vector: []float32{0, 0}, K: 10})
		require.NoError(t, err)
		if test.metric != vector.L2 {
			require.Equal(t, []string{"0", "a", "b", "c", "d"}, idsOf(zero.Hits), "all are 0")
		}
	}
}

// R301: dimension and metric are immutable; what cannot be compared is refused by name.
func TestR301Refused(t *testing.T) {
	w := onModel(t.Context(), t, txn.Config{})
	ctx := t.Context()
	c := w.create(t, "facts", vector.Cosine)
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	long := strings.Repeat("x", codec.MaxVectorName+1)
	for _, test := range []struct {
		id       string
		vector   []float32
		metadata codec.Value
		err      error
	}{
		{"a", []float32{1}, codec.Null(), ErrDimension},
		{"a", []float32{1, 2, 3}, codec.Null(), ErrDimension},
		{"a", nil, codec.Null(), ErrDimension},
		{"a", make([]float32, 1<<20), codec.Null(), ErrDimension},
		{"a", []float32{nan, 1}, codec.Null(), ErrNotFinite},
		{"a", []float32{1, inf}, codec.Null(), ErrNotFinite},
		{"a", []float32{math.MaxFloat32, 1}, codec.Null(), codec.ErrInvalidArgument},
		{"", []float32{1, 2}, codec.Null(), codec.ErrInvalidArgument},
		{long, []float32{1, 2}, codec.Null(), codec.ErrTooLarge},
		{"a", []float32{1, 2}, codec.Int(1), codec.ErrTypeMismatch},
		{"a", []float32{1, 2}, metadata(t, map[string]any{"x": make([]byte, codec.MaxValueSize-8)}),
			codec.ErrTooLarge},
	} {
		_, err := c.Upsert(ctx, test.id, test.vector, test.metadata)
		require.ErrorIs(t, err, test.err)
		_, err = c.UpsertMany(ctx, []Row{{ID: "good", Vector: []float32{1, 2}},
			{ID: test.id, Vector: test.vector, Metadata: test.metadata}})
		require.ErrorIs(t, err, test.err)
	}
	var dim *DimensionError
	_, err := c.Upsert(ctx, "a", []float32{1}, codec.Null())
	require.ErrorAs(t, err, &dim)
	require.Equal(t, []int{2, 1}, []int{dim.Expected, dim.Found})
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	require.EqualError(t, err, `vectors upsert run `+w.run.Record+` collection "facts" id "a": `+
		`invalid argument: wrong dimension: 1 components, expected 2`)
	require.Empty(t, list(t, c, ScrollOptions{}))

	for _, o := range []SearchOptions{
		{Vector: []float32{1, 2}}, {Vector: []float32{1, 2}, K: -1},
		{Vector: []float32{1, 2}, K: 1, Ef: -1}, {Vector: []float32{1, 2}, K: 1, Strategy: 9},
		{K: 1}, {Vector: []float32{1, nan}, K: 1}, {Vector: []float32{1, 2, 3}, K: 1},
		{Vector: []float32{1, 2}, K: 1, Filter: vector.Lt("a", true)},
	} {
		_, err := c.Search(ctx, o)
		require.ErrorIs(t, err, codec.ErrInvalidArgument, "%+v", o)
	}
	for _, o := range []CollectionOptions{
		{}, {Dim: 2}, {Dim: 2, Metric: 4}, {Metric: vector.L2}, {Dim: -1, Metric: vector.L2},
		{Dim: 1_000_000, Metric: vector.L2}, {Dim: 2, Metric: vector.L2, Kind: 3},
		{Dim: 2, Metric: vector.L2, M: 1}, {Dim: 2, Metric: vector.L2, M: 1000},
		{Dim: 2, Metric: vector.L2, EfConstruction: -1},
		{Dim: 2, Metric: vector.L2, M: 16, EfConstruction: 8},
	} {
		_, err := w.in("other").Create(ctx, o)
		require.ErrorIs(t, err, codec.ErrInvalidArgument, "%+v", o)
	}
	for _, name := range []string{"", long} {
		_, err := w.in(name).Create(ctx, CollectionOptions{Dim: 2, Metric: vector.L2})
		require.Error(t, err)
	}
}

// R301: a collection is created once; Ensure holds what is there against what is wanted.
func TestR301DimensionAndMetricAreImmutable(t *testing.T) {
	w := onModel(t.Context(), t, txn.Config{})
	ctx := t.Context()
	c := w.create(t, "facts", vector.Cosine)
	_, err := c.Create(ctx, CollectionOptions{Dim: 2, Metric: vector.Cosine})
	require.ErrorIs(t, err, ErrExists)
	require.ErrorIs(t, err, txn.ErrExists)
	require.NoError(t, c.Ensure(ctx, CollectionOptions{Dim: 2, Metric: vector.Cosine}))
	require.ErrorIs(t, c.Ensure(ctx, CollectionOptions{Dim: 3, Metric: vector.Cosine}), ErrDimension)
	require.ErrorIs(t, c.Ensure(ctx, CollectionOptions{Dim: 2, Metric: vector.Dot}),
		codec.ErrInvalidArgument)
	require.NoError(t, w.in("new").Ensure(ctx, CollectionOptions{Dim: 3, Metric: vector.Dot}))
	require.Equal(t, []string{"facts", "new"}, names(t, w.scope()))
}

// Every operation on a collection that is not there says so.
func TestUnknownCollection(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		requireUnknown(t, w.in("none"))
		existed, err := w.in("none").Drop(t.Context())
		require.NoError(t, err)
		require.False(t, existed)
	})
}

func requireUnknown(t *testing.T, c Collection) {
	ctx := t.Context()
	var errs [10]error
	_, errs[0] = c.Upsert(ctx, "a", []float32{1, 2}, codec.Null())
	_, errs[1] = c.UpsertMany(ctx, nil)
	_, _, errs[2] = c.Get(ctx, "a")
	_, errs[3] = c.Exists(ctx, "a")
	_, errs[4] = c.Delete(ctx, "a")
	_, errs[5] = c.Search(ctx, SearchOptions{Vector: []float32{1, 2}, K: 1})
	_, errs[6] = c.Count(ctx, ScrollOptions{})
	_, errs[7] = c.Describe(ctx)
	for _, errs[8] = range c.List(ctx, ScrollOptions{}) {
	}
	for _, errs[9] = range c.Scroll(ctx, ScrollOptions{}) {
	}
	for i, err := range errs {
		require.ErrorIs(t, err, ErrNotFound, "%d", i)
		require.ErrorIs(t, err, txn.ErrNotFound)
	}
}

// Filters select by metadata, and a search returns k rows if so many pass.
func TestR301FilteredSearchReturnsK(t *testing.T) {
	w := onModel(t.Context(), t, txn.Config{})
	c := w.create(t, "facts", vector.L2)
	rows := make([]Row, 100)
	for i := range rows {
		rows[i] = Row{ID: fmt.Sprintf("%02d", i), Vector: []float32{float32(i), 0},
			Metadata: metadata(t, map[string]any{"even": i%2 == 0, "n": i})}
	}
	_, err := c.UpsertMany(t.Context(), rows)
	require.NoError(t, err)
	mustUpsert(t, c, "bare", 0, 0)
	o := SearchOptions{Vector: []float32{0, 0}, K: 3, Filter: vector.Ge("n", 97)}
	r, err := c.Search(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"97", "98", "99"}, idsOf(r.Hits))
	o.Filter = vector.And(vector.Eq("even", true), vector.Gt("n", 50))
	r, err = c.Search(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"52", "54", "56"}, idsOf(r.Hits))
	o.Filter = vector.Exists("missing")
	r, err = c.Search(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, r.Hits)
	o.Filter = vector.Not(vector.Exists("n"))
	r, err = c.Search(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"bare"}, idsOf(r.Hits))
}

func TestScroll(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c, before, behind := w.create(t, "b", vector.L2), w.create(t, "a", vector.L2),
			w.create(t, "b\x00", vector.L2)
		for _, id := range []string{"\x00", "x", "x1", "x2", "y", "\xff"} {
			_, err := c.Upsert(ctx, id, []float32{1, 2}, metadata(t, map[string]any{"id": []byte(id)}))
			require.NoError(t, err)
			mustUpsert(t, before, id, 1, 2)
			mustUpsert(t, behind, id, 1, 2)
		}
		for _, test := range []struct {
			o    ScrollOptions
			want []string
		}{
			{ScrollOptions{}, []string{"\x00", "x", "x1", "x2", "y", "\xff"}},
			{ScrollOptions{Limit: 2}, []string{"\x00", "x"}},
			{ScrollOptions{Limit: 2, After: "x"}, []string{"x1", "x2"}},
			{ScrollOptions{After: "x11"}, []string{"x2", "y", "\xff"}},
			{ScrollOptions{After: "\xff"}, []string{}},
			{ScrollOptions{After: "\xff\xff"}, []string{}},
			{ScrollOptions{Prefix: "x"}, []string{"x", "x1", "x2"}},
			{ScrollOptions{Prefix: "x", After: "x", Limit: 1}, []string{"x1"}},
			{ScrollOptions{Prefix: "x", After: "a"}, []string{"x", "x1", "x2"}},
			{ScrollOptions{Prefix: "x", After: "y"}, []string{}},
			{ScrollOptions{Prefix: "\xff"}, []string{"\xff"}},
			{ScrollOptions{Filter: vector.Eq("id", []byte("x1"))}, []string{"x1"}},
			{ScrollOptions{Filter: vector.Gt("id", []byte("x")), Limit: 2}, []string{"x1", "x2"}},
		} {
			require.Equal(t, test.want, list(t, c, test.o), "%+v", test.o)
			n, err := c.Count(ctx, test.o)
			require.NoError(t, err)
			require.Equal(t, len(test.want), n)
		}
		for row, err := range c.Scroll(ctx, ScrollOptions{Prefix: "x2"}) {
			require.NoError(t, err)
			require.Equal(t, []float32{1, 2}, row.Vector)
			require.NotZero(t, row.Version)
		}
		for _, o := range []ScrollOptions{{Limit: -1}, {Filter: vector.And(nil)},
			{After: strings.Repeat("x", 2000)}} {
			_, err := c.Count(ctx, o)
			require.Error(t, err)
		}
		require.Equal(t, []string{"a", "b", "b\x00"}, names(t, w.scope()))
	})
}

// A view takes no writes, and so does a run that has ended; both are searched as ever.
func TestReadOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := w.create(t, "facts", vector.L2)
		mustUpsert(t, c, "a", 1, 0)
		view, end := w.view(t, w.run, w.b.Published(), "facts")
		defer end()
		requireReadOnly(t, view, backend.ErrReadOnly)
		require.Equal(t, []string{"a"}, find(t, view, 1, 0, 0))
		w.end(t)
		requireReadOnly(t, c, txn.ErrRunNotActive)
		require.Equal(t, []string{"a"}, find(t, c, 1, 0, 0))
	})
}

func requireReadOnly(t *testing.T, c Collection, want error) {
	ctx := t.Context()
	var errs [5]error
	_, errs[0] = c.Upsert(ctx, "a", []float32{1, 2}, codec.Null())
	_, errs[1] = c.UpsertMany(ctx, []Row{{ID: "a", Vector: []float32{1, 2}}})
	_, errs[2] = c.Delete(ctx, "a")
	_, errs[3] = c.Drop(ctx)
	_, errs[4] = Collection{scope: c.scope, name: "new"}.Create(ctx,
		CollectionOptions{Dim: 2, Metric: vector.L2})
	for i, err := range errs {
		require.ErrorIs(t, err, want, "%d", i)
	}
}

// After the end of a transaction or view everything answers ErrTxnDone.
func TestAfterTheEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := w.create(t, "facts", vector.L2)
		mustUpsert(t, c, "a", 1, 0)
		tx, in := w.tx(t, txn.Options{}, "facts")
		_, err := tx.Commit(t.Context())
		require.NoError(t, err)
		view, end := w.view(t, w.run, w.b.Published(), "facts")
		end()
		for _, c := range []Collection{in, view} {
			_, err := c.Search(t.Context(), SearchOptions{Vector: []float32{1, 2}, K: 1})
			require.ErrorIs(t, err, txn.ErrTxnDone)
			_, err = c.Count(t.Context(), ScrollOptions{})
			require.ErrorIs(t, err, txn.ErrTxnDone)
			_, _, err = c.Get(t.Context(), "a")
			require.ErrorIs(t, err, txn.ErrTxnDone)
			_, err = c.Describe(t.Context())
			require.ErrorIs(t, err, txn.ErrTxnDone)
			for _, err := range (Collections{scope: c.scope}).List(t.Context()) {
				require.ErrorIs(t, err, txn.ErrTxnDone)
			}
		}
		_, err = in.Upsert(t.Context(), "a", []float32{1, 2}, codec.Null())
		require.ErrorIs(t, err, txn.ErrTxnDone)
		_, err = in.Drop(t.Context())
		require.ErrorIs(t, err, txn.ErrTxnDone)
	})
}

func TestHistoryAndDescribe(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.create(t, "facts", vector.Dot)
		info, err := c.Describe(ctx)
		require.NoError(t, err)
		require.Equal(t, Info{Name: "facts", Dim: 2, Metric: vector.Dot, Version: info.Version,
			Created: standing()}, info)
		require.NotZero(t, info.Version)
		mustUpsert(t, c, "a", 1, 0)
		mustUpsert(t, c, "a", 2, 0)
		_, err = c.Drop(ctx)
		require.NoError(t, err)
		w.create(t, "facts", vector.L2)
		again, err := c.Describe(ctx)
		require.NoError(t, err)
		require.Greater(t, again.Version, info.Version)
		mustUpsert(t, c, "a", 3, 0)
		var story []string
		for p, err := range c.History(ctx, "a") {
			require.NoError(t, err)
			story = append(story, fmt.Sprint(p.Vector, p.Deleted))
		}
		require.Equal(t, []string{"[3 0] false", "[] true", "[2 0] false", "[1 0] false"}, story)
		for _, err := range c.History(ctx, "") {
			require.ErrorIs(t, err, codec.ErrInvalidArgument)
		}
		for range w.in("none").History(ctx, "a") {
			require.Fail(t, "no history")
		}
	})
}

// A row with stored bytes that are none is told by name.
func TestDamagedRow(t *testing.T) {
	w := onModel(t.Context(), t, txn.Config{})
	c := w.create(t, "facts", vector.L2)
	three, err := codec.AppendVectorRow(nil, codec.VectorRow{Vector: []float32{1, 2, 3}})
	require.NoError(t, err)
	for _, data := range [][]byte{{0xf6}, three} {
		_, err = w.scope().Put(t.Context(), codec.Vectors, c.rowKey("bad"), data, 0)
		require.NoError(t, err)
		_, err := c.Search(t.Context(), SearchOptions{Vector: []float32{1, 2}, K: 1})
		require.ErrorIs(t, err, codec.ErrCorrupt)
		var told *opError
		require.True(t, errors.As(err, &told))
		require.Equal(t, "bad", told.id)
	}
}
