package statecell

import (
	"bytes"
	"context"
	"slices"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Define puts the cell under a machine, or under another one, and returns the commit version (0
// inside a transaction). From then on every write of the cell takes a declared transition from the
// current state or is refused: Store, CompareAndSwap and Update whichever event leads to the value,
// Init and every other write that creates the cell only the initial state. Delete ends it.
//
// The machine is data of the run: versioned, in every view as it was. Defining it anew makes a new
// version; the value that the cell holds stays, and must be a state of the new machine. What is
// defined already is not written again: a program may define its cells whenever it starts. The
// answer is the version that it has.
//
// Guards need not be registered to be named; a transition whose guard is missing then is refused
// when it is tried.
//
// Errors: codec.ErrInvalidArgument for a name that is empty or not UTF-8, two transitions for one
// state and event, a terminal state that is left or declared twice, and a state that cannot be
// reached, neither from the initial state nor from the current one; codec.ErrTooLarge;
// ErrInvalidTransition if the cell holds what is no state of the machine. Cost: a transaction of
// two reads and a write.
func (c Cell) Define(ctx context.Context, m Machine) (uint64, error) {
	version, err := c.define(ctx, &m)
	return version, c.wrap("define", err)
}

func (c Cell) define(ctx context.Context, m *Machine) (uint64, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	v, err := m.value()
	if err != nil {
		return 0, err
	}
	data, err := codec.AppendValue(nil, v)
	if err != nil {
		return 0, err
	}
	var had uint64
	version, err := c.atomic(ctx, func(s txn.Scope) error {
		before, err := s.Get(ctx, codec.Machines, c.name)
		if err != nil {
			return err
		}
		if before.Exists && bytes.Equal(before.Value, data) {
			if c.scope.Direct() {
				had = before.Version
			}
			return nil
		}
		now, err := c.get(ctx, s)
		if err == nil {
			err = c.accept(m, now)
		}
		if err != nil {
			return err
		}
		_, err = s.Put(ctx, codec.Machines, c.name, data, 0)
		return err
	})
	if err != nil {
		return 0, err
	}
	return max(version, had), nil
}

// accept holds a machine against what the cell shows.
func (c Cell) accept(m *Machine, now State) error {
	if !now.Exists {
		return m.checkReach("")
	}
	current := state(now.Value)
	if states := m.states(); !slices.Contains(states, current) {
		return &TransitionError{Run: c.scope.Name(), Cell: c.name, From: describe(now.Value),
			Allowed: states}
	}
	return m.checkReach(current)
}

// Machine returns the machine that governs the cell, and whether there is one. Its order is that of
// the declaration.
func (c Cell) Machine(ctx context.Context) (Machine, bool, error) {
	m, err := c.machine(ctx, c.scope)
	if err != nil || m == nil {
		return Machine{}, false, c.wrap("machine", err)
	}
	return *m, true, nil
}

// machine is the machine that governs the cell, nil for none. It joins the read set.
func (c Cell) machine(ctx context.Context, s txn.Scope) (*Machine, error) {
	e, err := s.Get(ctx, codec.Machines, c.name)
	if err != nil || !e.Exists {
		return nil, err
	}
	return decodeMachine(e.Value)
}
