package statecell

import (
	"context"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Update reads the cell, computes its next value with fn, and writes it, as one step. It returns
// what the cell shows then; the version is 0 inside a transaction.
//
// Directly, callers that meet on one cell proceed in turn. When another write comes between all the
// same, fn runs again on the value that it left: so fn must have no effects, and its result depend
// on its argument alone. An error of fn ends the update, nothing is written, and errors.Is finds
// it.
//
// Errors also: ErrNotFound if the cell does not exist; ErrInvalidTransition and the guard's if a
// machine governs it; a *txn.ConflictError only when the retries were used up. Cost: a transaction
// of two reads and a write, and fn.
func (c Cell) Update(ctx context.Context, fn func(codec.Value) (codec.Value, error),
) (State, error) {
	s, err := c.update(ctx, nil, fn)
	return s, c.wrap("update", err)
}

// UpdateOrInit is Update that starts from initial if the cell does not exist: fn gets it, and its
// result is written. A value that is there is not reset. On a governed cell initial must be the
// machine's initial state, and the result one step from it.
func (c Cell) UpdateOrInit(ctx context.Context, initial codec.Value,
	fn func(codec.Value) (codec.Value, error),
) (State, error) {
	s, err := c.update(ctx, &initial, fn)
	return s, c.wrap("update or init", err)
}

func (c Cell) update(ctx context.Context, initial *codec.Value,
	fn func(codec.Value) (codec.Value, error),
) (State, error) {
	after := State{Exists: true}
	version, err := c.atomic(ctx, func(s txn.Scope) error {
		now, err := c.get(ctx, s)
		if err != nil {
			return err
		}
		m, err := c.machine(ctx, s)
		if err != nil {
			return err
		}
		if !now.Exists {
			if initial == nil {
				return ErrNotFound
			}
			if m != nil {
				if err := c.admit(ctx, s, m, now, *initial); err != nil {
					return err
				}
			}
			now = State{Value: *initial, Exists: true}
		}
		if after.Value, err = fn(now.Value); err != nil {
			return err
		}
		data, err := codec.AppendValue(nil, after.Value)
		if err == nil && m != nil {
			err = c.admit(ctx, s, m, now, after.Value)
		}
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
