package inmem_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// drawCellWrite draws a write to a cell.
func drawCellWrite(r *rapid.T, at string, m *mirror) deed {
	name := some(r, cellNames...)
	if s := m.scopes[at]; s != nil && odds(r, 2) {
		name = some(r, append(s.governed(), name)...)
		if c := s.cells[name]; c.machine != nil && c.exists && odds(r, 2) {
			return fireCell(at, name, some(r, cellEvents...))
		} else if c.machine != nil && !c.exists && odds(r, 2) {
			return initCell(at, name, inmem.String(c.machine.Initial))
		}
	}
	switch some(r,
		"init", "store", "store", "cas", "delete", "update", "upsert", "define", "fire", "fire") {
	case "init":
		return initCell(at, name, drawCellValue(r))
	case "store":
		return storeCell(at, name, drawCellValue(r))
	case "cas":
		return drawCellCAS(r, at, name, m)
	case "delete":
		return deleteCell(at, name)
	case "update":
		return updateCell(at, name, drawCellValue(r), odds(r, 6))
	case "upsert":
		return upsertCell(at, name, drawCellValue(r), drawCellValue(r))
	case "define":
		return defineCell(at, name, some(r, append(machines, machines[:2]...)...))
	}
	return fireCell(at, name, some(r, cellEvents...))
}

// governed are the cells that have a machine.
func (s *mirrorScope) governed() (names []string) {
	for name, c := range s.cells {
		if c.machine != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func initCell(at, name string, v inmem.Value) deed {
	return inScope(at, fmt.Sprintf("init %q %.20v", name, v), func(h hands) string {
		return h.written(h.place(at).Cell(name).Init(h.ctx, v))
	}, func(a *attempt, s *mirrorScope) string {
		if s.cells[name].exists {
			return "exists"
		}
		return s.write(a, name, v)
	})
}

func storeCell(at, name string, v inmem.Value) deed {
	d := inScope(at, fmt.Sprintf("store %q %.20v", name, v), func(h hands) string {
		return h.written(h.place(at).Cell(name).Store(h.ctx, v))
	}, func(a *attempt, s *mirrorScope) string { return s.write(a, name, v) })
	d.blind = true
	d.unless = func(m *mirror) bool {
		s := m.scopes[at]
		return s == nil || s.cells[name].machine != nil
	}
	return d
}

// drawCellCAS draws a compare-and-swap. Inside a transaction a governed cell is named at its right
// version only, and once: whether another version is refused at once or at the commit is open.
func drawCellCAS(r *rapid.T, at, name string, m *mirror) deed {
	v := drawCellValue(r)
	expected := uint64(evenly(r, 3))
	if s := m.scopes[at]; s != nil && !odds(r, 4) {
		expected = s.cells[name].version
	}
	skip := func(a *attempt, s *mirrorScope) bool {
		c := s.cells[name]
		return !a.direct && c.machine != nil && c.version != expected
	}
	return inScope(at, fmt.Sprintf("swap %q at %d %.20v", name, expected, v), func(h hands) string {
		if s, _ := h.attempt.scope(at); s != nil && skip(h.attempt, s) {
			return "skipped"
		}
		return h.written(h.place(at).Cell(name).CompareAndSwap(h.ctx, expected, v))
	}, func(a *attempt, s *mirrorScope) string {
		if skip(a, s) {
			return "skipped"
		}
		c := s.cells[name]
		if a.direct && c.version != expected {
			if c.machine != nil {
				return lostCAS + "|invalid argument|" + noStep
			}
			return lostCAS
		}
		said := s.write(a, name, v)
		if said == "ok" {
			a.conds = append(a.conds, condition{at, "cell", name, expected})
		}
		return said
	})
}

func deleteCell(at, name string) deed {
	return inScope(at, fmt.Sprintf("delete cell %q", name), func(h hands) string {
		existed, err := h.place(at).Cell(name).Delete(h.ctx)
		return answer(err, "%v", existed)
	}, func(_ *attempt, s *mirrorScope) string {
		c := s.cells[name]
		existed := c.exists
		if c.machine != nil {
			c.machine, c.machineVersion = nil, pending
		}
		if existed {
			c.value, c.exists, c.version, c.updated = inmem.Null(), false, pending, time.Time{}
		}
		s.cells[name] = c
		return fmt.Sprint(existed)
	}).blindly()
}

// changed is the outcome of what returns the new state.
func (h hands) changed(st inmem.CellState, err error) string {
	if err != nil {
		return word(err)
	}
	return stateText(st) + h.version(st.Version)
}

func (s *mirrorScope) changed(name, said string) string {
	if said != "ok" {
		return said
	}
	return stateText(inmem.CellState{Value: s.cells[name].value, Exists: true})
}

func updateCell(at, name string, v inmem.Value, fails bool) deed {
	return inScope(at, fmt.Sprintf("update %q to %.20v, fails %v", name, v, fails),
		func(h hands) string {
			var old inmem.Value
			text := h.changed(h.place(at).Cell(name).Update(h.ctx,
				func(was inmem.Value) (inmem.Value, error) {
					if old = was; fails {
						return inmem.Null(), errAbort
					}
					return v, nil
				}))
			if failed(text) && text != "abort" {
				return text
			}
			return text + " from " + old.String()
		}, func(a *attempt, s *mirrorScope) string {
			c := s.cells[name]
			switch {
			case !c.exists:
				return "not found"
			case fails:
				return "abort from " + c.value.String()
			}
			said := s.changed(name, s.write(a, name, v))
			if failed(said) {
				return said
			}
			return said + " from " + c.value.String()
		})
}

func upsertCell(at, name string, initial, v inmem.Value) deed {
	return inScope(at, fmt.Sprintf("update %q to %.20v or init %.20v", name, v, initial),
		func(h hands) string {
			return h.changed(h.place(at).Cell(name).UpdateOrInit(h.ctx, initial,
				func(inmem.Value) (inmem.Value, error) { return v, nil }))
		}, func(a *attempt, s *mirrorScope) string {
			c := s.cells[name]
			if c.exists {
				return s.changed(name, s.write(a, name, v))
			}
			if said := s.write(a, name, initial); said != "ok" {
				return said
			}
			said := s.write(a, name, v)
			if said != "ok" {
				s.cells[name] = c
			}
			return s.changed(name, said)
		})
}

func defineCell(at, name string, m inmem.Machine) deed {
	return inScope(at, fmt.Sprintf("define %q %.80v", name, m), func(h hands) string {
		_, err := h.place(at).Cell(name).Define(h.ctx, m)
		return word(err)
	}, func(_ *attempt, s *mirrorScope) string {
		c := s.cells[name]
		said := c.refuses(m)
		if said == "ok" && !c.sameMachine(m) {
			c.machine, c.machineVersion = &m, pending
			s.cells[name] = c
		}
		return said
	})
}

func fireCell(at, name, event string) deed {
	return inScope(at, fmt.Sprintf("fire %q %s", name, event), func(h hands) string {
		return h.changed(h.place(at).Cell(name).Fire(h.ctx, event))
	}, func(a *attempt, s *mirrorScope) string {
		c := s.cells[name]
		if !c.exists || c.machine == nil {
			return "not found"
		}
		to := c.leads(event)
		if to == "" {
			return noStep
		}
		if said := s.step(a, c, event, to); said != "ok" {
			return said
		}
		c.value, c.version, c.updated = inmem.String(to), pending, time.Time{}
		s.cells[name] = c
		return s.changed(name, "ok")
	})
}
