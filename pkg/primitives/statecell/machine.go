package statecell

import (
	"slices"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Machine declares the states that a cell may be in, and the events that lead from one to another.
// Its states are the names that it mentions; a cell that it governs holds one of them as a String.
type Machine struct {
	// Initial is the state that the cell begins in.
	Initial string
	// Transitions are all steps that may be taken, at most MaxTransitions, for every state and
	// event at most one. A write to which several lead needs one that has no guard, or whose guard
	// agrees: guards are asked in this order.
	Transitions []Transition
	// Terminal are states that no transition leaves.
	Terminal []string

	_ struct{}
}

// Transition is one step: in state From, Event leads to To. Both may be the same state; without
// such a transition not even the same state can be written again.
type Transition struct {
	From, Event, To string
	// Guard is the name of a function that is asked first and may refuse; empty for none.
	Guard string

	_ struct{}
}

// Limits of a Machine.
const (
	// MaxMachineName is the greatest length of the name of a state, event or guard, in bytes.
	MaxMachineName = 1 << 10
	// MaxTransitions is the greatest number of transitions of one machine.
	MaxTransitions = 1000
)

// states lists the machine's states, each once: the initial one, then in the order of the
// declaration.
func (m *Machine) states() []string {
	seen := map[string]bool{}
	var list []string
	note := func(name string) {
		if !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	note(m.Initial)
	for i := range m.Transitions {
		note(m.Transitions[i].From)
		note(m.Transitions[i].To)
	}
	for _, name := range m.Terminal {
		note(name)
	}
	return list
}

// find returns the transition that an event makes in a state, or nil.
func (m *Machine) find(from, event string) *Transition {
	for i := range m.Transitions {
		if t := &m.Transitions[i]; t.From == from && t.Event == event {
			return t
		}
	}
	return nil
}

// events lists the events that are declared in a state.
func (m *Machine) events(from string) []string {
	var list []string
	for i := range m.Transitions {
		if m.Transitions[i].From == from {
			list = append(list, m.Transitions[i].Event)
		}
	}
	return list
}

// next lists the states that are one step away from a state, each once.
func (m *Machine) next(from string) []string {
	var list []string
	for i := range m.Transitions {
		t := &m.Transitions[i]
		if t.From == from && !slices.Contains(list, t.To) {
			list = append(list, t.To)
		}
	}
	return list
}

// check refuses what no cell could be governed by.
func (m *Machine) check() error {
	if n := len(m.Transitions); n > MaxTransitions {
		return &codec.SizeError{What: "number of transitions", Size: n, Limit: MaxTransitions}
	}
	if err := checkName("initial state", m.Initial); err != nil {
		return err
	}
	type step struct{ from, event string }
	seen := map[step]bool{}
	for i := range m.Transitions {
		t := &m.Transitions[i]
		if err := t.check(); err != nil {
			return err
		}
		if seen[step{t.From, t.Event}] {
			return invalid("event %s is declared twice in state %s", quote(t.Event), quote(t.From))
		}
		seen[step{t.From, t.Event}] = true
	}
	return m.checkTerminal()
}

func (t *Transition) check() error {
	for _, n := range [...]struct{ what, name string }{
		{"state", t.From}, {"event", t.Event}, {"state", t.To},
	} {
		if err := checkName(n.what, n.name); err != nil {
			return err
		}
	}
	if t.Guard == "" {
		return nil
	}
	return checkName("guard", t.Guard)
}

func (m *Machine) checkTerminal() error {
	// Reachability bounds the distinct ones; this bounds the walk until that is known.
	if n := len(m.Terminal); n > MaxTransitions+1 {
		return &codec.SizeError{What: "number of terminal states", Size: n, Limit: MaxTransitions + 1}
	}
	leaves := map[string]string{}
	for i := range m.Transitions {
		leaves[m.Transitions[i].From] = m.Transitions[i].Event
	}
	seen := map[string]bool{}
	for _, name := range m.Terminal {
		if err := checkName("terminal state", name); err != nil {
			return err
		}
		if seen[name] {
			return invalid("terminal state %s is declared twice", quote(name))
		}
		seen[name] = true
		if event, ok := leaves[name]; ok {
			return invalid("event %s leaves the terminal state %s", quote(event), quote(name))
		}
	}
	return nil
}

func checkName(what, name string) error {
	switch {
	case name == "":
		return invalid("the name of a machine's %s is empty", what)
	case len(name) > MaxMachineName:
		return &codec.SizeError{What: "name of a machine's " + what, Size: len(name),
			Limit: MaxMachineName}
	case !utf8.ValidString(name):
		return invalid("the name %s of a machine's %s is not UTF-8", quote(name), what)
	}
	return nil
}

// checkReach refuses states that no path leads to, from the initial state or from the one that the
// cell is in ("" for none): most of them are misspelt.
func (m *Machine) checkReach(current string) error {
	steps := make(map[string][]string, len(m.Transitions))
	for i := range m.Transitions {
		t := &m.Transitions[i]
		steps[t.From] = append(steps[t.From], t.To)
	}
	reached := map[string]bool{m.Initial: true, current: true}
	for open := []string{m.Initial, current}; len(open) > 0; {
		from := open[len(open)-1]
		open = open[:len(open)-1]
		for _, to := range steps[from] {
			if !reached[to] {
				reached[to] = true
				open = append(open, to)
			}
		}
	}
	for _, name := range m.states() {
		if !reached[name] {
			return invalid("no transition leads to state %s of the machine", quote(name))
		}
	}
	return nil
}
