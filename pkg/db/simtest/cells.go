package simtest

import (
	"context"
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

var (
	cellNames  = []string{"state", "count", "p/x", "\x00"}
	cellEvents = []string{"go", "back", "done", "force", "stay"}
	machines   = []inmem.Machine{
		{Initial: "s0", Transitions: []inmem.Transition{
			{From: "s0", Event: "go", To: "s1"}, {From: "s1", Event: "back", To: "s0"},
			{From: "s1", Event: "done", To: "s2"},
		}, Terminal: []string{"s2"}},
		{Initial: "s0", Transitions: []inmem.Transition{
			{From: "s0", Event: "go", To: "s1", Guard: "gate"},
			{From: "s0", Event: "force", To: "s1", Guard: "deny"},
			{From: "s1", Event: "back", To: "s0", Guard: "missing"},
			{From: "s1", Event: "stay", To: "s1"}, {From: "s1", Event: "go", To: "s2"},
		}},
	}
)

func drawCell(d *args) inmem.Value {
	if d.odds(2) {
		return inmem.String(one(d, "s0", "s1", "s2"))
	}
	return inmem.Int(int64(d.below(10)))
}

// The cells of a run.
var cellKinds = []kind{
	{"cell-init", 4, func(e *episode, a Action) {
		d := a.draws()
		name, v := one(d, cellNames...), drawCell(d)
		e.write(a, d, fmt.Sprintf("init %q %v", name, v), func(p place) string {
			version, err := p.Cell(name).Init(e.ctx, v)
			return answer(err, "version %d", version)
		})
	}},
	{"cell-store", 8, func(e *episode, a Action) {
		d := a.draws()
		name, v := one(d, cellNames...), drawCell(d)
		e.write(a, d, fmt.Sprintf("store %q %v", name, v), func(p place) string {
			version, err := p.Cell(name).Store(e.ctx, v)
			return answer(err, "version %d", version)
		})
	}},
	{"cell-swap", 8, func(e *episode, a Action) {
		d := a.draws()
		name, v := one(d, cellNames...), drawCell(d)
		at, inside := e.where(a, d)
		if at == "" {
			return
		}
		expected := uint64(d.below(3))
		if !d.odds(4) {
			expected = e.seen(at, func(p place) (uint64, error) {
				st, err := p.Cell(name).Get(e.ctx)
				return st.Version, err
			})
		}
		what := fmt.Sprintf("swap %q at %d %v", name, expected, v)
		e.do(a, describe(at, inside, what), func(s *side) string {
			version, err := e.in(s, a, at, inside).Cell(name).CompareAndSwap(e.ctx, expected, v)
			return answer(err, "version %d", version)
		})
	}},
	{"cell-delete", 3, func(e *episode, a Action) {
		d := a.draws()
		name := one(d, cellNames...)
		e.write(a, d, fmt.Sprintf("delete cell %q", name), func(p place) string {
			existed, err := p.Cell(name).Delete(e.ctx)
			return answer(err, "existed %v", existed)
		})
	}},
	{"cell-update", 6, func(e *episode, a Action) {
		d := a.draws()
		name, initial, fails := one(d, cellNames...), drawCell(d), d.odds(6)
		next := drawCell(d)
		e.write(a, d, fmt.Sprintf("update %q, fails %v", name, fails), func(p place) string {
			st, err := p.Cell(name).UpdateOrInit(e.ctx, initial,
				func(v inmem.Value) (inmem.Value, error) {
					if fails {
						return inmem.Null(), errAbort
					}
					if n, err := v.AsInt(); err == nil {
						return inmem.Int(n + 1), nil
					}
					return next, nil
				})
			return answer(err, "%+v", st)
		})
	}},
	{"cell-define", 3, func(e *episode, a Action) {
		d := a.draws()
		name, m := one(d, cellNames...), one(d, machines...)
		e.write(a, d, fmt.Sprintf("define %q", name), func(p place) string {
			version, err := p.Cell(name).Define(e.ctx, m)
			return answer(err, "version %d", version)
		})
	}},
	{"cell-fire", 6, func(e *episode, a Action) {
		d := a.draws()
		name, event := one(d, cellNames...), one(d, cellEvents...)
		e.write(a, d, fmt.Sprintf("fire %q %s", name, event), func(p place) string {
			st, err := p.Cell(name).Fire(e.ctx, event)
			return answer(err, "%+v", st)
		})
	}},
	{"cell-read", 10, func(e *episode, a Action) {
		d := a.draws()
		name := one(d, cellNames...)
		e.read(a, d, fmt.Sprintf("load %q", name), func(p place) string {
			return cellText(e.ctx, p.Cell(name)) + lines(p.Cell(name).History(e.ctx),
				func(st inmem.CellState) string { return fmt.Sprintf("%+v", st) }) +
				lines(p.Cells().List(e.ctx, ""), func(s string) string { return s })
		})
	}},
}

// cellText is all that a cell shows.
func cellText(ctx context.Context, c inmem.Cell) string {
	st, err := c.Load(ctx)
	said := answer(err, "%v %v %d %s", st.Value, st.Exists, st.Version, clock(st.Updated))
	m, ok, err := c.Machine(ctx)
	return said + answer(err, " machine %v %+v", ok, m)
}
