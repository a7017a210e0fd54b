package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// The cells of a scope, with and without a machine.

var (
	cellNames  = []string{"", "one", "only", "\xffcell"}
	cellStates = []string{"s0", "s1", "s2", "s3"}
	cellEvents = []string{"go", "force", "back", "stay", "done", "no"}
)

// historyGuards are registered; "missing" is not.
var historyGuards = inmem.Guards{
	"gate": func(ctx context.Context, g inmem.GuardContext) error {
		if ok, err := kv.New(g.Scope).Exists(ctx, "gate"); err != nil || !ok {
			return errors.Join(err, errors.New("the gate is shut"))
		}
		return nil
	},
	"deny": func(context.Context, inmem.GuardContext) error { return errors.New("never") },
}

// asks is what a guard says, in the mirror.
func (s *mirrorScope) asks(a *attempt, guard string) string {
	switch {
	case guard == "", guard == "gate" && s.keys["kv"]["gate"].live(a.now):
		return "ok"
	case guard == "missing":
		return "invalid argument"
	}
	return noStep
}

var machines = []inmem.Machine{
	{Initial: "s0", Transitions: []inmem.Transition{
		{From: "s0", Event: "go", To: "s1"}, {From: "s1", Event: "back", To: "s0"},
		{From: "s1", Event: "done", To: "s2"},
	}, Terminal: []string{"s2"}},
	{Initial: "s0", Transitions: []inmem.Transition{
		{From: "s0", Event: "go", To: "s1", Guard: "gate"},
		{From: "s0", Event: "force", To: "s1", Guard: "deny"},
		{From: "s1", Event: "back", To: "s0", Guard: "missing"}, {From: "s1", Event: "stay", To: "s1"},
		{From: "s1", Event: "force", To: "s2", Guard: "deny"}, {From: "s1", Event: "go", To: "s2"},
	}},
	{Initial: "s0", Transitions: []inmem.Transition{ // s3 can be reached from itself alone
		{From: "s0", Event: "go", To: "s1"}, {From: "s3", Event: "go", To: "s1"},
	}},
	{Initial: "s0", Transitions: []inmem.Transition{ // two ways for one event
		{From: "s0", Event: "go", To: "s1"}, {From: "s0", Event: "go", To: "s2"},
	}},
}

// refuses is why a machine cannot govern a cell as it is.
func (c mirrorCell) refuses(m inmem.Machine) string {
	reached := map[string]bool{m.Initial: true}
	now, isText := "", false
	if c.exists {
		text, err := c.value.AsString()
		now, isText = text, err == nil
		reached[now] = true
	}
	ways := map[string]bool{}
	mentioned := append([]string{m.Initial}, m.Terminal...)
	for _, t := range m.Transitions {
		if ways[t.From+" "+t.Event] {
			return "invalid argument"
		}
		ways[t.From+" "+t.Event] = true
		mentioned = append(mentioned, t.From, t.To)
	}
	for range m.Transitions {
		for _, t := range m.Transitions {
			reached[t.To] = reached[t.To] || reached[t.From]
		}
	}
	lost := slices.ContainsFunc(mentioned, func(s string) bool { return !reached[s] })
	strange := c.exists && (!isText || !slices.Contains(mentioned, now))
	switch {
	case lost && strange:
		return "invalid argument|" + noStep
	case lost:
		return "invalid argument"
	case strange:
		return noStep
	}
	return "ok"
}

// step says whether a governed cell may go from its value to another, by an event or by any.
func (s *mirrorScope) step(a *attempt, c mirrorCell, event, to string) string {
	from, _ := c.value.AsString()
	for _, t := range c.machine.Transitions {
		if t.From == from && t.To == to && t.Guard == "" && (event == "" || t.Event == event) {
			return "ok"
		}
	}
	for _, t := range c.machine.Transitions {
		if t.From == from && t.To == to && (event == "" || t.Event == event) {
			if said := s.asks(a, t.Guard); said != noStep {
				return said
			}
		}
	}
	return noStep
}

// write writes a cell if its machine admits that.
func (s *mirrorScope) write(a *attempt, name string, v inmem.Value) string {
	c := s.cells[name]
	if c.machine != nil {
		to, err := v.AsString()
		if err != nil {
			return noStep
		}
		if !c.exists && to != c.machine.Initial {
			return noStep
		}
		if c.exists {
			if said := s.step(a, c, "", to); said != "ok" {
				return said
			}
		}
	}
	c.value, c.exists, c.version = v, true, pending
	c.updated = mirrorCell{}.updated
	s.cells[name] = c
	return "ok"
}

func drawCellValue(r *rapid.T) inmem.Value {
	if odds(r, 6) {
		return drawValue(r)
	}
	return inmem.String(some(r, cellStates...))
}

func stateText(st inmem.CellState) string {
	return fmt.Sprint(st.Value, st.Exists)
}

// cellReads look at all cells.
func cellReads(at string) (all []deed) {
	for _, name := range cellNames {
		all = append(all, readCell(at, name), readMachine(at, name))
	}
	for _, prefix := range []string{"", "on", "\xff", "x"} {
		all = append(all, listCells(at, prefix))
	}
	return all
}

func readCell(at, name string) deed {
	d := inScope(at, fmt.Sprintf("load %q", name), func(h hands) string {
		cell := h.place(at).Cell(name)
		st, err := cell.Load(h.ctx)
		if err != nil {
			return word(err)
		}
		short, err := h.place(at).Cells().Cell(name).Get(h.ctx)
		if err != nil || stateText(short) != stateText(st) || short.Version != st.Version {
			return fmt.Sprintf("get says %+v (%v), load %+v", short, err, st)
		}
		if ok, err := cell.Exists(h.ctx); err != nil || ok != st.Exists {
			return fmt.Sprintf("exists says %v (%v), load %+v", ok, err, st)
		}
		return fmt.Sprint(stateText(st), st.Version, clockText(st.Updated))
	}, func(_ *attempt, s *mirrorScope) string {
		c := s.cells[name]
		return fmt.Sprint(stateText(inmem.CellState{Value: c.value, Exists: c.exists}),
			shown(c.version), clockText(c.updated))
	})
	d.own = func(s *mirrorScope) bool { return s.cells[name].version == pending }
	return d
}

func readMachine(at, name string) deed {
	return inScope(at, fmt.Sprintf("machine of %q", name), func(h hands) string {
		cell := h.place(at).Cell(name)
		m, ok, err := cell.Machine(h.ctx)
		if err != nil {
			return word(err)
		}
		terminal, err := cell.IsTerminal(h.ctx)
		text := fmt.Sprintf("%+v %v", m, ok) + answer(err, " %v", terminal)
		for _, event := range cellEvents {
			can, err := cell.Can(h.ctx, event)
			text += answer(err, " %v", can)
		}
		return text
	}, func(a *attempt, s *mirrorScope) string {
		c := s.cells[name]
		governed := c.machine != nil
		if !governed {
			c.machine = &inmem.Machine{}
		}
		state, _ := c.value.AsString()
		text := fmt.Sprintf("%+v %v %v", *c.machine, governed,
			c.exists && slices.Contains(c.machine.Terminal, state))
		for _, event := range cellEvents {
			said := noStep
			if to := c.leads(event); to != "" {
				said = s.step(a, c, event, to)
			}
			if said == "invalid argument" {
				text += said
				continue
			}
			text += fmt.Sprintf(" %v", said == "ok")
		}
		return text
	})
}

// leads is the state that an event leads to; empty if it is not declared.
func (c mirrorCell) leads(event string) string {
	if state, err := c.value.AsString(); err == nil && c.exists && c.machine != nil {
		for _, t := range c.machine.Transitions {
			if t.From == state && t.Event == event {
				return t.To
			}
		}
	}
	return ""
}

func listCells(at, prefix string) deed {
	return inScope(at, fmt.Sprintf("list cells %q", prefix), func(h hands) string {
		cells := h.place(at).Cells()
		names := lines(cells.List(h.ctx, prefix), func(n string) string { return fmt.Sprintf("%q", n) })
		if failed(names) {
			return names
		}
		n, err := cells.Count(h.ctx, prefix)
		return names + answer(err, " %d", n)
	}, func(_ *attempt, s *mirrorScope) string {
		var names []string
		for name, c := range s.cells {
			if c.exists && strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return strings.Join(quoted(names), "; ") + fmt.Sprintf(" %d", len(names))
	}).inRange()
}

func quoted(names []string) (all []string) {
	for _, n := range names {
		all = append(all, fmt.Sprintf("%q", n))
	}
	return all
}

// sameMachine says that a definition is there already.
func (c mirrorCell) sameMachine(m inmem.Machine) bool {
	return c.machine != nil && reflect.DeepEqual(*c.machine, m)
}
