package vector

import (
	"fmt"

	"github.com/inmem-db/inmem/pkg/codec"
)

// MarshalJSON writes a filter as an object with its word as the only key:
//
//	{"and": [
//		{"eq": ["user.name", "Ada"]},
//		{"ge": ["score", 0.5]},
//		{"not": {"in": ["lang", ["go", "c"]]}},
//		{"exists": "seen"}
//	]}
//
// Values are in the JSON form of codec.Value, so 1 is an Int and 1.0 a Float. A nil filter is null.
// Equal filters have equal bytes. Errors: those of Validate.
func (f *Filter) MarshalJSON() ([]byte, error) {
	if f == nil {
		return []byte("null"), nil
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	form, err := f.form()
	if err != nil {
		return nil, err
	}
	return form.MarshalJSON()
}

// String is the JSON form, or says what is wrong with the filter.
func (f *Filter) String() string {
	b, err := f.MarshalJSON()
	if err != nil {
		return "invalid " + err.Error()
	}
	return string(b)
}

// ParseFilter reads the JSON form of a filter, see Filter.MarshalJSON; null is a nil Filter. What
// it returns is valid. Errors: those of codec.Value.UnmarshalJSON and of Filter.Validate.
func ParseFilter(text []byte) (*Filter, error) {
	var form codec.Value
	if err := form.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if form.IsNull() {
		return nil, nil
	}
	f, err := fromForm(form, 1)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	return f, nil
}

// form is the filter as a value, of which the JSON form is that of any other value.
func (f *Filter) form() (codec.Value, error) {
	content, err := f.content()
	if err != nil {
		return codec.Value{}, err
	}
	return codec.Map(map[string]codec.Value{f.op: content})
}

func (f *Filter) content() (codec.Value, error) {
	switch f.op {
	case opExists:
		return codec.String(f.path.text), nil
	case opNot:
		return f.args[0].form()
	case opIn:
		values, err := codec.Array(f.values...)
		if err != nil {
			return codec.Value{}, err
		}
		return codec.Array(codec.String(f.path.text), values)
	case opAnd, opOr:
		parts := make([]codec.Value, len(f.args))
		for i, a := range f.args {
			var err error
			if parts[i], err = a.form(); err != nil {
				return codec.Value{}, err
			}
		}
		return codec.Array(parts...)
	default:
		return codec.Array(codec.String(f.path.text), f.values[0])
	}
}

func fromForm(form codec.Value, depth int) (*Filter, error) {
	if depth > maxFilterDepth {
		return nil, &codec.SizeError{What: "nesting", Size: depth, Limit: maxFilterDepth}
	}
	if form.Kind() != codec.KindMap || form.Len() != 1 {
		return nil, fmt.Errorf("%w: found %s, expected an object with one key",
			codec.ErrInvalidArgument, shown(form))
	}
	for op, content := range form.Entries() {
		return fromContent(op, content, depth)
	}
	return nil, nil // not reached: there is one entry
}

func fromContent(op string, content codec.Value, depth int) (*Filter, error) {
	switch op {
	case opAnd, opOr:
		if content.Kind() != codec.KindArray {
			return nil, badContent(op, content, "an array of filters")
		}
		f := &Filter{op: op}
		for _, e := range content.Items() {
			a, err := fromForm(e, depth+1)
			if err != nil {
				return nil, err
			}
			f.args = append(f.args, a)
		}
		return f, nil
	case opNot:
		a, err := fromForm(content, depth+1)
		if err != nil {
			return nil, err
		}
		return Not(a), nil
	case opExists:
		path, err := content.AsString()
		if err != nil {
			return nil, badContent(op, content, "a path")
		}
		return Exists(path), nil
	case opEq, opNe, opLt, opLe, opGt, opGe, opIn:
		return fromComparison(op, content)
	}
	return nil, fmt.Errorf("%w: %q is none of and, or, not, eq, ne, lt, le, gt, ge, in, exists",
		codec.ErrInvalidArgument, op)
}

func fromComparison(op string, content codec.Value) (*Filter, error) {
	path, err := content.Index(0).AsString()
	if err != nil || content.Kind() != codec.KindArray || content.Len() != 2 {
		return nil, badContent(op, content, "an array of a path and a value")
	}
	value := content.Index(1)
	if op != opIn {
		return compare(op, path, value), nil
	}
	if value.Kind() != codec.KindArray {
		return nil, badContent(op, content, "an array of a path and an array of values")
	}
	f := leaf(op, path)
	for _, v := range value.Items() {
		f.add(v)
	}
	return f, nil
}

func badContent(op string, content codec.Value, expected string) error {
	return fmt.Errorf("%w: %s: found %s, expected %s",
		codec.ErrInvalidArgument, op, shown(content), expected)
}

// shown is a value in an error, cut where it is long.
func shown(v codec.Value) string {
	text := v.String()
	if len(text) > 64 {
		return fmt.Sprintf("%.64q...", text)
	}
	return text
}
