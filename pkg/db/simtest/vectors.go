package simtest

import (
	"context"
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
	"github.com/inmem-db/inmem/pkg/vector"
)

var collections = []string{"docs", "faces"}

// dim is the dimension of all collections; now and then another one is tried.
const dim = 4

func drawVector(d *args) []float32 {
	n := dim
	if d.odds(30) {
		n++
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(d.below(9)) - 4
	}
	v[0] += 0.5
	return v
}

func drawRow(d *args) vectors.Row {
	color, _ := inmem.ValueOf(map[string]any{"color": one(d, "red", "green"), "n": d.below(5)})
	return vectors.Row{ID: fmt.Sprintf("v%02d", d.below(40)), Vector: drawVector(d), Metadata: color}
}

// The vectors of a run.
var vectorKinds = []kind{
	{"vector-create", 3, func(e *episode, a Action) {
		d := a.draws()
		name := one(d, collections...)
		o := inmem.CollectionOptions{Dim: dim, Metric: one(d, inmem.Cosine, inmem.L2, inmem.Dot)}
		e.write(a, d, fmt.Sprintf("create %q", name), func(p place) string {
			version, err := p.Vectors(name).Create(e.ctx, o)
			return answer(err, "version %d", version)
		})
	}},
	{"vector-upsert", 10, func(e *episode, a Action) {
		d := a.draws()
		name, row := one(d, collections...), drawRow(d)
		e.write(a, d, fmt.Sprintf("upsert %q %s", name, row.ID), func(p place) string {
			version, err := p.Vectors(name).Upsert(e.ctx, row.ID, row.Vector, row.Metadata)
			return answer(err, "version %d", version)
		})
	}},
	{"vector-upsert-many", 3, func(e *episode, a Action) {
		d := a.draws()
		name := one(d, collections...)
		var rows []vectors.Row
		for range d.below(20) {
			rows = append(rows, drawRow(d))
		}
		e.write(a, d, fmt.Sprintf("upsert %q %d rows", name, len(rows)), func(p place) string {
			version, err := p.Vectors(name).UpsertMany(e.ctx, rows)
			return answer(err, "version %d", version)
		})
	}},
	{"vector-delete", 3, func(e *episode, a Action) {
		d := a.draws()
		name, id := one(d, collections...), drawRow(d).ID
		e.write(a, d, fmt.Sprintf("delete %q %s", name, id), func(p place) string {
			existed, err := p.Vectors(name).Delete(e.ctx, id)
			return answer(err, "existed %v", existed)
		})
	}},
	{"vector-drop", 1, func(e *episode, a Action) {
		d := a.draws()
		name := one(d, collections...)
		e.write(a, d, fmt.Sprintf("drop %q", name), func(p place) string {
			existed, err := p.Vectors(name).Drop(e.ctx)
			return answer(err, "existed %v", existed)
		})
	}},
	{"vector-search", 8, func(e *episode, a Action) {
		d := a.draws()
		name := one(d, collections...)
		o := inmem.SearchOptions{Vector: drawVector(d), K: 1 + d.below(8), WithVectors: d.odds(2)}
		if d.odds(2) {
			o.Filter = vector.Eq("color", one(d, "red", "green"))
		}
		e.read(a, d, fmt.Sprintf("search %q %v", name, o.Vector), func(p place) string {
			r, err := p.Vectors(name).Search(e.ctx, o)
			return answer(err, "%+v", r.Hits)
		})
	}},
	{"vector-read", 4, func(e *episode, a Action) {
		d := a.draws()
		name, id := one(d, collections...), drawRow(d).ID
		e.read(a, d, fmt.Sprintf("rows of %q, %s", name, id), func(p place) string {
			row, ok, err := p.Vectors(name).Get(e.ctx, id)
			return rowsText(e.ctx, p.Vectors(name)) + answer(err, "%v %+v ", ok, row) +
				lines(p.Vectors(name).History(e.ctx, id), func(x vectors.Past) string {
					return fmt.Sprintf("%+v", x)
				})
		})
	}},
}

// rowsText is all that a collection holds.
func rowsText(ctx context.Context, c inmem.Vectors) string {
	info, err := c.Describe(ctx)
	return answer(err, "%+v ", info) + lines(c.Scroll(ctx, inmem.ScrollOptions{}),
		func(r vectors.Row) string { return fmt.Sprintf("%+v", r) })
}
