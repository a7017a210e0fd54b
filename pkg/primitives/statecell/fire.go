package statecell

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

var errNoMachine = fmt.Errorf("%w: no machine governs the cell", ErrNotFound)

// Fire takes the transition that event makes in the current state, as one step, and returns what
// the cell shows then; the version is 0 inside a transaction. Directly, callers that meet on one
// cell proceed in turn, each from the state that the one before left.
//
// Errors: ErrNotFound if the cell does not exist or no machine governs it; ErrInvalidTransition if
// the event is not declared in the state (the error names those that are), or the guard refuses
// (its error is found by errors.Is and errors.As, too); codec.ErrInvalidArgument if the guard is
// not registered; those of Update. Cost: a transaction of two reads and a write; the machine is
// decoded.
func (c Cell) Fire(ctx context.Context, event string) (State, error) {
	s, err := c.fire(ctx, event)
	return s, c.wrap("fire", err)
}

func (c Cell) fire(ctx context.Context, event string) (State, error) {
	after := State{Exists: true}
	if err := checkName("event", event); err != nil {
		return State{}, err
	}
	version, err := c.atomic(ctx, func(s txn.Scope) error {
		t, err := c.step(ctx, s, event)
		if err == nil {
			err = c.ask(ctx, s, t)
		}
		if err != nil {
			return err
		}
		after.Value = codec.String(t.To)
		data, err := codec.AppendValue(nil, after.Value)
		if err != nil {
			return err
		}
		_, err = s.Put(ctx, codec.Cells, c.name, data, 0)
		return err
	})
	if err != nil {
		return State{}, err
	}
	after.Version = version
	return after, nil
}

// step finds the transition that an event makes now.
func (c Cell) step(ctx context.Context, s txn.Scope, event string) (*Transition, error) {
	m, err := c.machine(ctx, s)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errNoMachine
	}
	now, err := c.get(ctx, s)
	if err != nil {
		return nil, err
	}
	if !now.Exists {
		return nil, ErrNotFound
	}
	from := state(now.Value)
	t := m.find(from, event)
	if t == nil {
		return nil, &TransitionError{Run: s.Name(), Cell: c.name, From: describe(now.Value),
			Event: event, Allowed: m.events(from)}
	}
	return t, nil
}

// Can reports whether Fire would take event now: false for an event that is not declared in the
// current state, a guard that refuses (whatever its error), a cell that does not exist, and one
// that no machine governs. A guard that is not registered is an error, as for Fire. Another write
// may come between the answer and a Fire.
func (c Cell) Can(ctx context.Context, event string) (bool, error) {
	can, err := c.can(ctx, c.scope.Snapshot(), event)
	return can, c.wrap("can", err)
}

func (c Cell) can(ctx context.Context, s txn.Scope, event string) (bool, error) {
	if err := checkName("event", event); err != nil {
		return false, err
	}
	t, err := c.step(ctx, s, event)
	if err == nil {
		err = c.ask(ctx, s, t)
	}
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() == nil && (errors.Is(err, ErrInvalidTransition) || errors.Is(err, ErrNotFound)):
		return false, nil
	}
	return false, err
}

// IsTerminal reports whether the cell is in a terminal state of its machine; false for a cell that
// does not exist or that no machine governs.
func (c Cell) IsTerminal(ctx context.Context) (bool, error) {
	terminal, err := c.isTerminal(ctx, c.scope.Snapshot())
	return terminal, c.wrap("is terminal", err)
}

func (c Cell) isTerminal(ctx context.Context, s txn.Scope) (bool, error) {
	m, err := c.machine(ctx, s)
	if err != nil || m == nil {
		return false, err
	}
	now, err := c.get(ctx, s)
	if err != nil {
		return false, err
	}
	return slices.Contains(m.Terminal, state(now.Value)), nil
}
