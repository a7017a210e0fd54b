package statecell

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Guard decides whether a transition may be taken: nil lets it pass, an error refuses it and comes
// back to the caller, together with ErrInvalidTransition. It may run more than once for one step,
// and for a step that then loses to another, so it must have no effects. It is called from all
// goroutines that use the run.
type Guard func(ctx context.Context, g GuardContext) error

// Guards are the guards that machines name. They are code: the database stores the names only.
type Guards map[string]Guard

// GuardContext is the step that a Guard is asked about.
type GuardContext struct {
	// Run is the id of the run, Cell the name of the cell.
	Run, Cell string
	// From is the state that the cell is in; Event leads from there to the state To.
	From, Event, To string
	// Scope reads what else the decision depends on: it shows what the transition itself saw, and
	// what is read through it must still hold when the transition takes effect. It is for reading
	// only; it ends with the call.
	Scope txn.Scope

	_ struct{}
}

// admit decides whether the machine lets the cell go from what it shows to a value. Any event that
// leads there will do, so guards are asked until one agrees.
func (c Cell) admit(ctx context.Context, s txn.Scope, m *Machine, now State, v codec.Value) error {
	from, to := state(now.Value), state(v)
	if !now.Exists {
		if to == m.Initial {
			return nil
		}
		return &TransitionError{Run: s.Name(), Cell: c.name, To: describe(v),
			Allowed: []string{m.Initial}}
	}
	var guarded []*Transition
	for i := range m.Transitions {
		t := &m.Transitions[i]
		if t.From != from || t.To != to {
			continue
		}
		if t.Guard == "" {
			return nil
		}
		guarded = append(guarded, t)
	}
	for i, t := range guarded {
		err := c.ask(ctx, s, t)
		if err == nil || i == len(guarded)-1 || !errors.Is(err, ErrInvalidTransition) {
			return err
		}
	}
	return &TransitionError{Run: s.Name(), Cell: c.name, From: describe(now.Value),
		To: describe(v), Allowed: m.next(from)}
}

// ask asks the guard of a transition. An error that matches ErrInvalidTransition is its refusal.
func (c Cell) ask(ctx context.Context, s txn.Scope, t *Transition) error {
	if t.Guard == "" {
		return nil
	}
	guard := c.guards[t.Guard]
	if guard == nil {
		return invalid("guard %s of the event %s from %s to %s is not registered",
			quote(t.Guard), quote(t.Event), quote(t.From), quote(t.To))
	}
	err := guard(ctx, GuardContext{
		Run: s.Name(), Cell: c.name, From: t.From, Event: t.Event, To: t.To, Scope: s,
	})
	if err == nil {
		return nil
	}
	return &TransitionError{Run: s.Name(), Cell: c.name, From: t.From, To: t.To, Event: t.Event,
		Guard: t.Guard, Cause: err}
}
