package statecell

import (
	"context"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Source is what has cells: Cells, and in package db a run, a transaction, a view.
type Source interface {
	// Cell returns the cell with a name.
	Cell(name string) Cell
}

// Of is a cell whose values are Go values of type T, converted as by codec.ValueOf and
// codec.Value.Decode. Kinds must agree: an Int is no float64. It is a small value with the rules of
// Cell, and its methods are those of Cell; they add the errors codec.ErrTypeMismatch for a value
// that is there and is no T, and for a T that cannot be stored.
type Of[T any] struct{ cell Cell }

// CellOf returns the cell with a name as a cell of T. It costs no allocation if x is a pointer.
func CellOf[T any](x Source, name string) Of[T] { return Of[T]{cell: x.Cell(name)} }

// Cell returns the same cell without its type, for what has to do with its machine.
func (o Of[T]) Cell() Cell { return o.cell }

// Name is the cell's name.
func (o Of[T]) Name() string { return o.cell.name }

// Get is Cell.Get. No allocation for string, bool, int, int64, float64 and codec.Value in memory.
func (o Of[T]) Get(ctx context.Context) (StateOf[T], error) {
	s, err := o.cell.Get(ctx)
	return o.typed("get", s, err)
}

// Load is Cell.Load.
func (o Of[T]) Load(ctx context.Context) (StateOf[T], error) {
	s, err := o.cell.Load(ctx)
	return o.typed("load", s, err)
}

// Exists is Cell.Exists. It does not look at the value.
func (o Of[T]) Exists(ctx context.Context) (bool, error) { return o.cell.Exists(ctx) }

// Init is Cell.Init.
func (o Of[T]) Init(ctx context.Context, v T) (uint64, error) {
	value, err := codec.ValueOf(v)
	if err != nil {
		return 0, o.cell.wrap("init", err)
	}
	return o.cell.Init(ctx, value)
}

// Store is Cell.Store.
func (o Of[T]) Store(ctx context.Context, v T) (uint64, error) {
	value, err := codec.ValueOf(v)
	if err != nil {
		return 0, o.cell.wrap("store", err)
	}
	return o.cell.Store(ctx, value)
}

// CompareAndSwap is Cell.CompareAndSwap.
func (o Of[T]) CompareAndSwap(ctx context.Context, expected uint64, v T) (uint64, error) {
	value, err := codec.ValueOf(v)
	if err != nil {
		return 0, o.cell.wrap("compare and swap", err)
	}
	return o.cell.CompareAndSwap(ctx, expected, value)
}

// Delete is Cell.Delete. It does not look at the value.
func (o Of[T]) Delete(ctx context.Context) (bool, error) { return o.cell.Delete(ctx) }

// Update is Cell.Update.
func (o Of[T]) Update(ctx context.Context, fn func(T) (T, error)) (StateOf[T], error) {
	var after T
	s, err := o.cell.Update(ctx, next(&after, fn))
	return o.updated(after, s, err)
}

// UpdateOrInit is Cell.UpdateOrInit.
func (o Of[T]) UpdateOrInit(ctx context.Context, initial T, fn func(T) (T, error),
) (StateOf[T], error) {
	value, err := codec.ValueOf(initial)
	if err != nil {
		return StateOf[T]{}, o.cell.wrap("update or init", err)
	}
	var after T
	s, err := o.cell.UpdateOrInit(ctx, value, next(&after, fn))
	return o.updated(after, s, err)
}

// next turns fn into a function of Values, which leaves its last result in after.
func next[T any](after *T, fn func(T) (T, error)) func(codec.Value) (codec.Value, error) {
	return func(v codec.Value) (codec.Value, error) {
		before, err := decode[T](v)
		if err != nil {
			return codec.Value{}, err
		}
		if *after, err = fn(before); err != nil {
			return codec.Value{}, err
		}
		return codec.ValueOf(*after)
	}
}

func (o Of[T]) updated(after T, s State, err error) (StateOf[T], error) {
	if err != nil {
		return StateOf[T]{}, err
	}
	return stateOf(after, s.Version, s.Updated, true), nil
}

// typed decodes the value of a state.
func (o Of[T]) typed(op string, s State, err error) (StateOf[T], error) {
	var v T
	if err == nil && s.Exists {
		v, err = decode[T](s.Value)
		err = o.cell.wrap(op, err)
	}
	if err != nil {
		return StateOf[T]{}, err
	}
	return stateOf(v, s.Version, s.Updated, s.Exists), nil
}

func stateOf[T any](v T, version uint64, updated time.Time, exists bool) StateOf[T] {
	return StateOf[T]{Value: v, Version: version, Updated: updated, Exists: exists}
}

// decode is Value.Decode with a short way for types that need no reflection, and so no allocation.
func decode[T any](v codec.Value) (T, error) {
	var into T
	var err error
	switch p := any(&into).(type) {
	case *codec.Value:
		*p = v
	case *string:
		*p, err = v.AsString()
	case *bool:
		*p, err = v.AsBool()
	case *float64:
		*p, err = v.AsFloat()
	case *int64:
		*p, err = v.AsInt()
	case *int:
		var i int64
		i, err = v.AsInt()
		if *p = int(i); int64(*p) != i {
			return decodeAny[T](v)
		}
	default:
		return decodeAny[T](v)
	}
	if err != nil {
		return decodeAny[T](v) // its error names the Go type
	}
	return into, nil
}

// decodeAny is apart so that only its own variable escapes.
func decodeAny[T any](v codec.Value) (T, error) {
	var into, none T
	if err := v.Decode(&into); err != nil {
		return none, err
	}
	return into, nil
}
