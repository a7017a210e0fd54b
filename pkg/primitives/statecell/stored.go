package statecell

import (
	"github.com/inmem-db/inmem/pkg/codec"
)

// A machine is stored under the name of its cell as a Map:
//
//	initial      String
//	terminal     Array of String, in the order of the declaration
//	transitions  Array of Map: event, from, to, and guard if there is one; all String
//
// On-disk: never rename, never reuse. Every field but guard is always there.
const (
	fieldInitial     = "initial"
	fieldTerminal    = "terminal"
	fieldTransitions = "transitions"
	fieldFrom        = "from"
	fieldEvent       = "event"
	fieldTo          = "to"
	fieldGuard       = "guard"
)

// value is the form in which a machine is stored. REQUIRES: the machine was checked.
func (m *Machine) value() (codec.Value, error) {
	transitions := make([]codec.Value, len(m.Transitions))
	for i := range m.Transitions {
		t := &m.Transitions[i]
		fields := map[string]codec.Value{
			fieldFrom: codec.String(t.From), fieldEvent: codec.String(t.Event),
			fieldTo: codec.String(t.To),
		}
		if t.Guard != "" {
			fields[fieldGuard] = codec.String(t.Guard)
		}
		v, err := codec.Map(fields)
		if err != nil {
			return codec.Value{}, err
		}
		transitions[i] = v
	}
	terminal := make([]codec.Value, len(m.Terminal))
	for i, name := range m.Terminal {
		terminal[i] = codec.String(name)
	}
	steps, err := codec.Array(transitions...)
	if err != nil {
		return codec.Value{}, err
	}
	ends, err := codec.Array(terminal...)
	if err != nil {
		return codec.Value{}, err
	}
	return codec.Map(map[string]codec.Value{
		fieldInitial: codec.String(m.Initial), fieldTransitions: steps, fieldTerminal: ends,
	})
}

// DecodeMachine reads the stored form of a machine. Names alias data. Errors: codec.ErrCorrupt.
func DecodeMachine(data []byte) (Machine, error) {
	m, err := decodeMachine(data)
	if err != nil {
		return Machine{}, err
	}
	return *m, nil
}

// decodeMachine is the inverse. Names alias data. Fields that it does not know are passed over.
// Errors: codec.ErrCorrupt.
func decodeMachine(data []byte) (*Machine, error) {
	v, err := codec.DecodeValue(data)
	if err != nil {
		return nil, err
	}
	m := &Machine{}
	if m.Initial, err = text(v, fieldInitial); err != nil {
		return nil, err
	}
	transitions, terminal, err := lists(v)
	if err != nil {
		return nil, err
	}
	m.Transitions = make([]Transition, 0, transitions.Len())
	for _, step := range transitions.Items() {
		t, err := decodeTransition(step)
		if err != nil {
			return nil, err
		}
		m.Transitions = append(m.Transitions, t)
	}
	for _, end := range terminal.Items() {
		name, err := end.AsString()
		if err != nil {
			return nil, corrupt(fieldTerminal, "a String", end)
		}
		m.Terminal = append(m.Terminal, name)
	}
	return m, nil
}

func lists(v codec.Value) (transitions, terminal codec.Value, err error) {
	transitions, _ = v.Lookup(fieldTransitions)
	if transitions.Kind() != codec.KindArray {
		return v, v, corrupt(fieldTransitions, "an Array", transitions)
	}
	terminal, _ = v.Lookup(fieldTerminal)
	if terminal.Kind() != codec.KindArray {
		return v, v, corrupt(fieldTerminal, "an Array", terminal)
	}
	return transitions, terminal, nil
}

// decodeTransition walks over the fields once: it runs for every transition at every write.
func decodeTransition(v codec.Value) (t Transition, err error) {
	for field, found := range v.Entries() {
		switch field {
		case fieldFrom:
			t.From = state(found)
		case fieldEvent:
			t.Event = state(found)
		case fieldTo:
			t.To = state(found)
		case fieldGuard:
			if t.Guard = state(found); t.Guard == "" {
				return t, corrupt(fieldGuard, "a String that is not empty", found)
			}
		}
	}
	if t.From == "" || t.Event == "" || t.To == "" {
		return t, corrupt(fieldTransitions, "from, event and to, each a String that is not empty", v)
	}
	return t, nil
}

func text(v codec.Value, field string) (string, error) {
	found, _ := v.Lookup(field)
	s, err := found.AsString()
	if err != nil || s == "" {
		return "", corrupt(field, "a String that is not empty", found)
	}
	return s, nil
}

func corrupt(field, expected string, found codec.Value) error {
	return &codec.CorruptError{What: "state machine",
		Detail: "field " + field + ": expected " + expected + ", found " + describe(found)}
}
