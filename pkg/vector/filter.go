package vector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Limits of a filter.
const (
	maxFilterDepth  = 32
	maxFilterNodes  = 1024
	maxFilterValues = 10_000  // of one In
	maxFilterBytes  = 1 << 20 // of all values together, encoded
)

// Filter is a condition on the metadata of a row:
//
//	vector.And(
//		vector.Eq("user.name", "Ada"),
//		vector.Ge("score", 0.5),
//		vector.Not(vector.In("lang", "go", "c")),
//	)
//
// A nil Filter holds for every row. The first argument of Eq and the like is a path (see Path), the
// values are whatever codec.ValueOf takes.
//
// Values are compared within a kind only, as everywhere: Int 1 is not Float 1, and neither is less
// than the other. Equal means the same kind and the same bits. Lt, Le, Gt and Ge order Ints, Floats
// (-0 below 0; a NaN is neither below nor above anything), Strings and Bytes (both bytewise).
//
// A path that leads nowhere has no value: Eq, Lt, Le, Gt, Ge, In and Exists do not hold, and Ne,
// which is the opposite of Eq, does. Of a path that leads to several values (see Path) one is
// enough, so Ne holds if none of them is equal.
//
// A Filter is immutable and safe for concurrent use. Errors of its making are kept for Validate.
type Filter struct {
	op     string
	path   Path
	values []codec.Value
	args   []*Filter
	err    error
}

// The words of a filter, as its JSON form has them.
const (
	opEq, opNe, opLt, opLe, opGt, opGe = "eq", "ne", "lt", "le", "gt", "ge"
	opIn, opExists                     = "in", "exists"
	opAnd, opOr, opNot                 = "and", "or", "not"
)

// Eq holds if the value at path is equal to value.
func Eq(path string, value any) *Filter { return compare(opEq, path, value) }

// Ne is Not(Eq): it holds if there is no value at path that is equal to value.
func Ne(path string, value any) *Filter { return compare(opNe, path, value) }

// Lt holds if the value at path is less than value, which must be an Int, Float, String or Bytes.
func Lt(path string, value any) *Filter { return compare(opLt, path, value) }

// Le holds if the value at path is less than or equal to value. See Lt.
func Le(path string, value any) *Filter { return compare(opLe, path, value) }

// Gt holds if the value at path is greater than value. See Lt.
func Gt(path string, value any) *Filter { return compare(opGt, path, value) }

// Ge holds if the value at path is greater than or equal to value. See Lt.
func Ge(path string, value any) *Filter { return compare(opGe, path, value) }

// In holds if the value at path is equal to one of values, of which there may be 10,000.
func In(path string, values ...any) *Filter {
	f := leaf(opIn, path)
	for _, v := range values {
		f.add(v)
	}
	return f
}

// Exists holds if there is a value at path; Null is one.
func Exists(path string) *Filter { return leaf(opExists, path) }

// And holds if all of args do; without any it holds.
func And(args ...*Filter) *Filter { return &Filter{op: opAnd, args: slices.Clone(args)} }

// Or holds if one of args does; without any it does not.
func Or(args ...*Filter) *Filter { return &Filter{op: opOr, args: slices.Clone(args)} }

// Not holds if arg does not.
func Not(arg *Filter) *Filter { return &Filter{op: opNot, args: []*Filter{arg}} }

func leaf(op, path string) *Filter {
	p, err := ParsePath(path)
	return &Filter{op: op, path: p, err: err}
}

func compare(op, path string, value any) *Filter {
	f := leaf(op, path)
	f.add(value)
	return f
}

func (f *Filter) add(value any) {
	v, err := codec.ValueOf(value)
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("value of path %s: %w", f.path, err)
	}
	f.values = append(f.values, v)
}

// Op is the word of the filter: eq, ne, lt, le, gt, ge, in, exists, and, or, not.
func (f *Filter) Op() string { return f.op }

// Path is what a filter of one of the words eq to exists looks at.
func (f *Filter) Path() Path { return f.path }

// Values are what the value at Path is compared with. The caller must not change them.
func (f *Filter) Values() []codec.Value { return f.values }

// Args are the parts of and, or, not. The caller must not change them.
func (f *Filter) Args() []*Filter { return f.args }

// Validate tells what is wrong with a filter: a path or value that is none, a value that has no
// order, a nil among the parts, or more than a filter may be: 32 levels, 1,024 parts, 10,000 values
// in one In, 1 MiB of values. Errors: codec.ErrInvalidArgument, codec.ErrTypeMismatch,
// codec.ErrTooLarge.
func (f *Filter) Validate() error {
	if f == nil {
		return nil
	}
	var c filterCheck
	if err := c.check(f, 1); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if _, err := f.form(); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}

// filterCheck adds up what a filter may have too much of.
type filterCheck struct{ nodes, size int }

func (c *filterCheck) check(f *Filter, depth int) error {
	if f == nil {
		return fmt.Errorf("%w: a nil among the parts of and, or, not", codec.ErrInvalidArgument)
	}
	if f.err != nil {
		return fmt.Errorf("%s: %w", f.op, f.err)
	}
	if c.nodes++; depth > maxFilterDepth {
		return &codec.SizeError{What: "nesting", Size: depth, Limit: maxFilterDepth}
	} else if c.nodes > maxFilterNodes {
		return &codec.SizeError{What: "number of parts", Size: c.nodes, Limit: maxFilterNodes}
	}
	if n := len(f.values); n > maxFilterValues {
		return &codec.SizeError{What: "number of values", Size: n, Limit: maxFilterValues}
	}
	for _, v := range f.values {
		if c.size += v.EncodedSize(); c.size > maxFilterBytes {
			return &codec.SizeError{What: "size of all values", Size: c.size, Limit: maxFilterBytes}
		}
	}
	if err := f.checkOrder(); err != nil {
		return err
	}
	for _, a := range f.args {
		if err := c.check(a, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder refuses to order what has no order.
func (f *Filter) checkOrder() error {
	switch f.op {
	case opEq, opNe, opIn, opExists, opAnd, opOr, opNot:
		return nil
	case opLt, opLe, opGt, opGe:
	default:
		return fmt.Errorf("%w: the zero Filter; a filter that holds for all is nil",
			codec.ErrInvalidArgument)
	}
	if v := f.values[0]; !ordered(v) {
		return fmt.Errorf("%w: %s of path %s: a value of kind %s has no order, or is not a number",
			codec.ErrInvalidArgument, f.op, f.path, v.Kind())
	}
	return nil
}

// Matches tells whether metadata passes. REQUIRES: Validate returned nil. Cost: a walk over the
// metadata per path.
func (f *Filter) Matches(metadata codec.Value) bool {
	if f == nil {
		return true
	}
	switch f.op {
	case opAnd:
		for _, a := range f.args {
			if !a.Matches(metadata) {
				return false
			}
		}
		return true
	case opOr:
		return slices.ContainsFunc(f.args, func(a *Filter) bool { return a.Matches(metadata) })
	case opNot:
		return !f.args[0].Matches(metadata)
	}
	return f.holds(f.path.Values(metadata))
}

// holds tells whether a leaf holds for the values that its path leads to.
func (f *Filter) holds(found []codec.Value) bool {
	if f.op == opNe {
		return !slices.Contains(found, f.values[0])
	}
	return slices.ContainsFunc(found, f.Accepts)
}

// Accepts tells whether one value at the path is enough for a filter of one of the words eq to
// exists to hold; of ne it tells whether the value is not the one that is named.
func (f *Filter) Accepts(v codec.Value) bool {
	switch f.op {
	case opExists:
		return true
	case opEq, opIn:
		return slices.Contains(f.values, v)
	case opNe:
		return v != f.values[0]
	}
	order, ok := Order(v, f.values[0])
	switch {
	case !ok:
		return false
	case f.op == opLt:
		return order < 0
	case f.op == opLe:
		return order <= 0
	case f.op == opGt:
		return order > 0
	default:
		return order >= 0
	}
}

// Order compares two values as the filters Lt, Le, Gt and Ge do: negative if a is less than b, 0 if
// they are equal; ok is false if one of them is not ordered (Null, Bool, NaN, Array, Map) or they
// are of two kinds.
func Order(a, b codec.Value) (order int, ok bool) {
	if a.Kind() != b.Kind() || !ordered(a) || !ordered(b) {
		return 0, false
	}
	switch a.Kind() {
	case codec.KindInt:
		x, _ := a.AsInt()
		y, _ := b.AsInt()
		return cmp.Compare(x, y), true
	case codec.KindFloat:
		return cmp.Compare(floatRank(a), floatRank(b)), true
	case codec.KindString:
		x, _ := a.AsString()
		y, _ := b.AsString()
		return strings.Compare(x, y), true
	default:
		x, _ := a.AsBytes()
		y, _ := b.AsBytes()
		return slices.Compare(x, y), true
	}
}

func ordered(v codec.Value) bool {
	switch v.Kind() {
	case codec.KindInt, codec.KindString, codec.KindBytes:
		return true
	case codec.KindFloat:
		f, _ := v.AsFloat()
		return !math.IsNaN(f)
	default:
		return false
	}
}

// floatRank orders all floats but NaN, -0 below 0, so that only equal values have no order.
func floatRank(v codec.Value) int64 {
	f, _ := v.AsFloat()
	bits := int64(math.Float64bits(f))
	return bits ^ int64(uint64(bits>>63)>>1)
}
