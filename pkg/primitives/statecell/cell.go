package statecell

import (
	"context"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// How a write keeps the machine's word. Whatever may write a cell first looks whether a machine
// governs it, and what it saw must still hold when the write takes effect: a definition that
// commits in between is never slipped past.
//
//   - Inside a transaction both looks, at the machine and (if governed) at the cell, are reads like
//     any others: the commit validates them.
//   - Directly, on a cell that is not governed, a write is one request on the condition that the
//     machine's key has not changed: no transaction, one lookup more than a put. If the condition
//     is lost, the write goes the long way.
//   - The long way, and that of all governed writes, is Scope.AtomicOn on the cell's key: a
//     transaction of its own that is tried again, in turn with others on the same cell.

// Get returns the value and version of the cell, without the time of its last write. One lookup; no
// allocation for scalars, strings and bytes that are in memory.
func (c Cell) Get(ctx context.Context) (State, error) {
	s, err := c.get(ctx, c.scope)
	return s, c.wrap("get", err)
}

// Load is Get that tells the time of the last write, too: a second lookup, of the commit, which
// costs several times as much as the first.
func (c Cell) Load(ctx context.Context) (State, error) {
	s, err := c.get(ctx, c.scope)
	if err != nil {
		return State{}, c.wrap("load", err)
	}
	written, err := c.scope.CommitTime(ctx, s.Version)
	if err != nil {
		return State{}, c.wrap("load", err)
	}
	if written != 0 {
		s.Updated = time.Unix(0, written)
	}
	return s, nil
}

func (c Cell) get(ctx context.Context, s txn.Scope) (State, error) {
	e, err := s.Get(ctx, codec.Cells, c.name)
	if err != nil {
		return State{}, err
	}
	found := State{Version: e.Version, Exists: e.Exists}
	if e.Exists {
		if found.Value, err = codec.DecodeValue(e.Value); err != nil {
			return State{}, err
		}
	}
	return found, nil
}

// Exists reports whether the cell exists.
func (c Cell) Exists(ctx context.Context) (bool, error) {
	e, err := c.scope.Get(ctx, codec.Cells, c.name)
	return e.Exists, c.wrap("exists", err)
}

// Init creates the cell and returns the commit version (0 inside a transaction). A cell that was
// deleted can be created again. Of several at once exactly one succeeds, the others get ErrExists.
//
// Errors also: ErrExists; ErrInvalidTransition if a machine governs the cell and v is not its
// initial state. Cost: a transaction of two reads and a write.
func (c Cell) Init(ctx context.Context, v codec.Value) (uint64, error) {
	data, err := codec.AppendValue(nil, v)
	if err != nil {
		return 0, c.wrap("init", err)
	}
	version, err := c.atomic(ctx, func(s txn.Scope) error {
		e, err := s.Get(ctx, codec.Cells, c.name)
		switch {
		case err != nil:
			return err
		case e.Exists:
			return ErrExists
		}
		return c.put(ctx, s, v, data)
	})
	return version, c.wrap("init", err)
}

// Store writes the cell, whatever it holds and whether it exists, and returns the commit version (0
// inside a transaction). On a cell that no machine governs it is blind and never conflicts: of two,
// the later committer's value stays. On a governed one it reads the current state, and the step
// must be declared.
//
// The write is durable as the database's mode says when Store returns. Errors also:
// ErrInvalidTransition; the guard's. Cost: a put and a lookup; governed, a transaction.
func (c Cell) Store(ctx context.Context, v codec.Value) (uint64, error) {
	data, err := codec.AppendValue(nil, v)
	if err != nil {
		return 0, c.wrap("store", err)
	}
	version, done, err := c.quick(ctx, data, nil)
	if !done {
		version, err = c.storeSlowly(ctx, v, data)
	}
	return version, c.wrap("store", err)
}

// storeSlowly is Store by a transaction. It is apart so that its closure costs Store nothing.
func (c Cell) storeSlowly(ctx context.Context, v codec.Value, data []byte) (uint64, error) {
	return c.atomic(ctx, func(s txn.Scope) error { return c.put(ctx, s, v, data) })
}

// CompareAndSwap writes the cell if its version is still expected, and returns the commit version
// (0 inside a transaction). The rules are those of a compare-and-set everywhere: expected 0 demands
// that the cell never existed, so it creates one; a cell that was deleted is created again by
// naming the version that Get tells for it; any other version of a missing cell loses. The same
// value as before makes a new version, too.
//
// Directly, one that loses returns a *txn.ConflictError (ErrConflict and ErrVersionMismatch) with
// the version found, and is never retried. Inside a transaction the condition is checked at commit,
// and the cell joins the read set only if a machine governs it. Then the step must be declared, as
// for Store, from the state that the expected version has.
//
// Errors also: ErrInvalidTransition; the guard's. Cost: a put and three lookups; governed, a
// transaction.
func (c Cell) CompareAndSwap(ctx context.Context, expected uint64, v codec.Value) (uint64, error) {
	data, err := codec.AppendValue(nil, v)
	if err != nil {
		return 0, c.wrap("compare and swap", err)
	}
	on := txn.Expect{Primitive: codec.Cells, Key: c.name, Version: expected}
	version, done, err := c.quick(ctx, data, &on)
	switch {
	case done:
	case c.scope.Direct():
		version, err = c.swapSlowly(ctx, expected, v, data)
	default:
		version, err = c.swapInside(ctx, expected, v, data)
	}
	return version, c.wrap("compare and swap", err)
}

// swapSlowly is a direct CompareAndSwap by a transaction. It reads the version instead of setting a
// condition: what it loses to is in what it reads, so it learns of it at once and is not tried
// again for nothing.
func (c Cell) swapSlowly(ctx context.Context, expected uint64, v codec.Value, data []byte,
) (uint64, error) {
	return c.atomic(ctx, func(s txn.Scope) error {
		e, err := s.Get(ctx, codec.Cells, c.name)
		switch {
		case err != nil:
			return err
		case e.Version != expected:
			return &txn.ConflictError{Keys: []txn.ConflictKey{{
				Run: s.Name(), Primitive: codec.Cells, Key: c.name,
				Expected: expected, Found: e.Version, CAS: true,
			}}}
		}
		return c.put(ctx, s, v, data)
	})
}

// swapInside is CompareAndSwap inside a transaction (or refused, in a view).
func (c Cell) swapInside(ctx context.Context, expected uint64, v codec.Value, data []byte,
) (uint64, error) {
	return c.atomic(ctx, func(s txn.Scope) error {
		m, err := c.machine(ctx, s)
		if err == nil && m != nil {
			err = c.admitSwap(ctx, s, m, expected, v)
		}
		if err != nil {
			return err
		}
		_, err = s.CAS(ctx, codec.Cells, c.name, expected, data)
		return err
	})
}

// admitSwap is admit, but for a transaction that is lost anyway: it read another version than it
// demands. Then the commit says so. Version 0 tells nothing, for an own write shows it, too.
func (c Cell) admitSwap(ctx context.Context, s txn.Scope, m *Machine, expected uint64,
	v codec.Value,
) error {
	now, err := c.get(ctx, s)
	if err != nil || now.Version != 0 && now.Version != expected {
		return err
	}
	return c.admit(ctx, s, m, now, v)
}

// Delete deletes the cell together with the machine that governs it, and reports whether the cell
// existed: decided at its place in the commit order, so that of two racing deletes one says true;
// inside a transaction provisionally, as the transaction sees it. Every state may be left this way.
// A later Init starts free, at a greater version. A machine without a value goes, too: the answer
// is false then. With nothing there, nothing is written.
//
// Cost: a delete and a lookup; governed, a transaction. Inside a transaction it reads nothing into
// the read set, and counts as two writes.
func (c Cell) Delete(ctx context.Context) (bool, error) {
	existed, err := c.delete(ctx)
	return existed, c.wrap("delete", err)
}

func (c Cell) delete(ctx context.Context) (bool, error) {
	if !c.scope.Direct() {
		return c.deleteBoth(ctx, c.scope)
	}
	m, err := c.scope.Get(ctx, codec.Machines, c.name)
	if err != nil {
		return false, err
	}
	if !m.Exists {
		existed, err := c.scope.DeleteIf(ctx, codec.Cells, c.name, c.expectMachine(m.Version))
		if err, again := lost(err); !again {
			return existed, err
		}
	}
	return c.deleteSlowly(ctx)
}

// deleteSlowly is a direct Delete by a transaction.
func (c Cell) deleteSlowly(ctx context.Context) (existed bool, err error) {
	_, err = c.atomic(ctx, func(s txn.Scope) error {
		// A read, so that what the delete finds is still so at the commit.
		if _, err := s.Get(ctx, codec.Cells, c.name); err != nil {
			return err
		}
		existed, err = c.deleteBoth(ctx, s)
		return err
	})
	return existed && err == nil, err
}

// deleteBoth deletes the cell and its machine, blindly: the one that is not there is passed over at
// the commit.
func (c Cell) deleteBoth(ctx context.Context, s txn.Scope) (bool, error) {
	existed, err := s.Delete(ctx, codec.Cells, c.name)
	if err != nil {
		return false, err
	}
	_, err = s.Delete(ctx, codec.Machines, c.name)
	return existed, err
}

// quick writes the cell of a run as one request, on the condition that no machine governs it, and
// (if not nil) on another one. It reports false if that is not the way: inside a transaction, and
// for a cell that is governed, or was being defined at that moment.
func (c Cell) quick(ctx context.Context, data []byte, on *txn.Expect,
) (version uint64, done bool, err error) {
	if !c.scope.Direct() {
		return 0, false, nil
	}
	m, err := c.scope.Get(ctx, codec.Machines, c.name)
	if err != nil || m.Exists {
		return 0, err != nil, err
	}
	if on == nil {
		version, err = c.scope.PutIf(ctx, codec.Cells, c.name, data, c.expectMachine(m.Version))
	} else {
		version, err = c.scope.PutIf(ctx, codec.Cells, c.name, data, *on, c.expectMachine(m.Version))
	}
	err, again := lost(err)
	return version, !again, err
}

func (c Cell) expectMachine(version uint64) txn.Expect {
	return txn.Expect{Primitive: codec.Machines, Key: c.name, Version: version}
}

// atomic is Scope.AtomicOn on the cell.
func (c Cell) atomic(ctx context.Context, fn func(txn.Scope) error) (uint64, error) {
	return c.scope.AtomicOn(ctx, codec.Cells, c.name, fn)
}

// put writes the cell inside a transaction, if its machine admits that. Nothing is written before
// the answer is known.
func (c Cell) put(ctx context.Context, s txn.Scope, v codec.Value, data []byte) error {
	m, err := c.machine(ctx, s)
	if err != nil {
		return err
	}
	if m != nil {
		now, err := c.get(ctx, s)
		if err != nil {
			return err
		}
		if err := c.admit(ctx, s, m, now, v); err != nil {
			return err
		}
	}
	_, err = s.Put(ctx, codec.Cells, c.name, data, 0)
	return err
}
