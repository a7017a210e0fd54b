package vectors

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/vecindex"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// flat is what a run should show of its collections: plain maps, and arithmetic.
type flat map[string]*flatCollection

type flatCollection struct {
	options CollectionOptions
	rows    map[string]Row
}

func (f flat) clone() flat {
	c := flat{}
	for name, collection := range f {
		c[name] = &flatCollection{collection.options, maps.Clone(collection.rows)}
	}
	return c
}

// search is the definition of a search: all rows, and a sort. Scores are those of the kernels,
// which have a twin of their own: rows that are equally near in float32 are so here.
func (c *flatCollection) search(t require.TestingT, q []float32, k int, odd bool) []string {
	type found struct {
		id    string
		score float32
	}
	scorer, err := vector.NewScorer(c.options.Metric, q)
	require.NoError(t, err)
	var all []found
	for id, row := range c.rows {
		if n, _ := row.Metadata.Lookup("odd"); odd && n != codec.Bool(true) {
			continue
		}
		all = append(all, found{id, scorer.Score(row.Vector)})
	}
	slices.SortFunc(all, func(x, y found) int {
		if c := cmp.Compare(y.score, x.score); c != 0 {
			return c
		}
		return strings.Compare(x.id, y.id)
	})
	ids := []string{}
	for _, f := range all[:min(k, len(all))] {
		ids = append(ids, f.id)
	}
	return ids
}

// lane is one run of the history, with what it should show now and what it showed before.
type lane struct {
	run  *backend.Scope
	now  flat
	past map[uint64]flat
}

// history drives both sides.
type history struct {
	*world
	t     *rapid.T
	ctx   context.Context
	index *vecindex.Manager // nil: without
	lanes []*lane
}

func (h *history) in(s txn.Scope) Collections {
	if h.index == nil {
		return New(s)
	}
	return NewIndexed(s, h.index)
}

// R300, R301: random histories of upserts, deletes, drops, transactions, aborts, views and forks
// show what a flat model shows, at every version, with and without an index.
func TestR301AgainstAFlatModel(t *testing.T) {
	for _, form := range []string{"model", "engine", "indexed"} {
		t.Run(form, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { playHistory(t, form) })
		})
	}
}

func playHistory(t *rapid.T, form string) {
	ctx := context.Background()
	h := &history{t: t, ctx: ctx}
	var b backend.Backend = model.New(standing)
	if form != "model" {
		e, err := embedded.Open(ctx, embedded.Options{Mode: embedded.None, Clock: standing})
		require.NoError(t, err)
		b = e
	}
	if form == "indexed" {
		h.index = vecindex.New(b, vecindex.Options{})
		defer func() { require.NoError(t, h.index.Close()) }()
	}
	defer func() { require.NoError(t, b.Close()) }()
	h.world = newWorld(ctx, t, b, txn.Config{})
	h.lanes = []*lane{{run: h.run, now: flat{}, past: map[uint64]flat{}}}
	steps := rapid.IntRange(1, 25).Draw(t, "steps")
	for range steps {
		l := rapid.SampledFrom(h.lanes).Draw(t, "lane")
		h.step(l)
		h.check(l)
	}
	for _, l := range h.lanes {
		for at, then := range l.past {
			v, err := h.m.ViewAt(ctx, l.run, at)
			require.NoError(t, err)
			h.compare(h.in(v.Scope(l.run)), then)
			require.NoError(t, v.End())
		}
	}
}

func (h *history) step(l *lane) {
	kind := rapid.SampledFrom([]string{"write", "write", "write", "tx", "tx", "abort", "fork"})
	switch kind.Draw(h.t, "step") {
	case "write":
		h.write(h.in(h.m.Scope(l.run)), l.now)
	case "tx", "abort":
		o := txn.Options{Isolation: rapid.SampledFrom(
			[]txn.Isolation{txn.Snapshot, txn.Serializable}).Draw(h.t, "isolation")}
		tx, err := h.m.Begin(h.ctx, l.run, o)
		require.NoError(h.t, err)
		mine := l.now.clone()
		for range rapid.IntRange(1, 5).Draw(h.t, "writes") {
			h.write(h.in(tx.Scope(l.run)), mine)
			h.compare(h.in(tx.Scope(l.run)), mine)
		}
		h.compare(h.in(h.m.Scope(l.run)), l.now)
		if rapid.Bool().Draw(h.t, "commit") {
			_, err = tx.Commit(h.ctx)
			l.now = mine
		} else {
			err = tx.Rollback()
		}
		require.NoError(h.t, err)
	case "fork":
		if len(h.lanes) == 4 {
			return
		}
		at, then := h.b.Published(), l.now
		if len(l.past) > 0 && rapid.Bool().Draw(h.t, "of the past") {
			versions := slices.Sorted(maps.Keys(l.past))
			at = rapid.SampledFrom(versions).Draw(h.t, "version")
			then = l.past[at]
		}
		child := h.begin(h.ctx, h.t, l.run, at)
		h.lanes = append(h.lanes, &lane{child, then.clone(), map[uint64]flat{}})
	}
}

// write does one thing to a collection, and to the model.
func (h *history) write(x Collections, want flat) {
	t, name := h.t, rapid.SampledFrom([]string{"a", "b"}).Draw(h.t, "collection")
	c, twin := x.Collection(name), want[name]
	id := rapid.SampledFrom([]string{"1", "2", "3", "4", "\x00"})
	op := rapid.IntRange(0, 9).Draw(t, "op")
	if twin == nil || op == 0 {
		h.createOrDrop(c, want)
		return
	}
	switch {
	case op <= 2:
		row := id.Draw(t, "id")
		existed, err := c.Delete(h.ctx, row)
		require.NoError(t, err)
		_, expected := twin.rows[row]
		require.Equal(t, expected, existed)
		delete(twin.rows, row)
	case op == 3:
		rows := make([]Row, rapid.IntRange(0, 3).Draw(t, "rows"))
		for i := range rows {
			rows[i] = h.row(twin, id.Draw(t, "id"))
			twin.rows[rows[i].ID] = rows[i]
		}
		_, err := c.UpsertMany(h.ctx, rows)
		require.NoError(t, err)
	default:
		row := h.row(twin, id.Draw(t, "id"))
		_, err := c.Upsert(h.ctx, row.ID, row.Vector, row.Metadata)
		require.NoError(t, err)
		twin.rows[row.ID] = row
	}
}

func (h *history) row(c *flatCollection, id string) Row {
	row := Row{ID: id, Vector: drawVector(h.t, c.options.Dim)}
	switch rapid.IntRange(0, 2).Draw(h.t, "metadata") {
	case 0:
		row.Metadata = metadata(h.t, map[string]any{"odd": true})
	case 1:
		row.Metadata = metadata(h.t, map[string]any{"odd": false, "more": "x"})
	}
	return row
}

func (h *history) createOrDrop(c Collection, want flat) {
	if want[c.Name()] != nil {
		existed, err := c.Drop(h.ctx)
		require.NoError(h.t, err)
		require.True(h.t, existed)
		delete(want, c.Name())
		return
	}
	o := CollectionOptions{
		Dim: rapid.IntRange(1, 3).Draw(h.t, "dim"),
		Metric: rapid.SampledFrom([]vector.Metric{vector.Cosine, vector.Dot, vector.L2}).
			Draw(h.t, "metric"),
		Kind: rapid.SampledFrom([]vector.Kind{vector.KindAuto, vector.KindFlat, vector.KindGraph}).
			Draw(h.t, "kind"),
	}
	_, err := c.Create(h.ctx, o)
	require.NoError(h.t, err)
	want[c.Name()] = &flatCollection{o, map[string]Row{}}
}

// drawVector draws one of few, so that there are ties, zeros and opposites.
func drawVector(t *rapid.T, dim int) []float32 {
	return rapid.SliceOfN(rapid.Map(rapid.IntRange(-2, 2), func(i int) float32 {
		return float32(i)
	}), dim, dim).Draw(t, "vector")
}

// check compares what a lane shows now, and remembers it.
func (h *history) check(l *lane) {
	h.compare(h.in(h.m.Scope(l.run)), l.now)
	l.past[h.b.Published()] = l.now.clone()
}

// compare holds all that can be read against the model.
func (h *history) compare(x Collections, want flat) {
	t, all := h.t, []string{}
	for name, err := range x.List(h.ctx) {
		require.NoError(t, err)
		all = append(all, name)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), all)
	for _, name := range []string{"a", "b"} {
		c, twin := x.Collection(name), want[name]
		if twin == nil {
			_, err := c.Count(h.ctx, ScrollOptions{})
			require.ErrorIs(t, err, ErrNotFound)
			continue
		}
		require.Equal(t, slices.Sorted(maps.Keys(twin.rows)), nonNil(list(t, c, ScrollOptions{})))
		for row, err := range c.Scroll(h.ctx, ScrollOptions{}) {
			require.NoError(t, err)
			expected := twin.rows[row.ID]
			require.Equal(t, fmt.Sprint(expected.Vector, expected.Metadata),
				fmt.Sprint(row.Vector, row.Metadata))
		}
		q := drawVector(t, twin.options.Dim)
		k := rapid.IntRange(1, 6).Draw(t, "k")
		for _, odd := range []bool{false, true} {
			o := SearchOptions{Vector: q, K: k}
			if odd {
				o.Filter = vector.Eq("odd", true)
			}
			r, err := c.Search(h.ctx, o)
			require.NoError(t, err)
			expected := twin.search(t, q, k, odd)
			if r.Plan.Exact {
				require.Equal(t, expected, idsOf(r.Hits),
					"%v of %v, filter %v, plan %+v", q, twin.rows, odd, r.Plan)
				continue
			}
			// A graph may miss a nearest row; it shows none that is not there, and as many.
			require.Equal(t, vector.KindGraph, twin.options.Kind)
			require.Len(t, r.Hits, len(expected))
			require.Subset(t, twin.search(t, q, len(twin.rows)+1, odd), idsOf(r.Hits))
		}
	}
}

// nonNil makes nil of an empty list, as sorting an empty map does.
func nonNil(ids []string) []string {
	if len(ids) == 0 {
		return nil
	}
	return ids
}
