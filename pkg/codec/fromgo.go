package codec

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// ValueOf converts a Go value:
//
//	nil, nil pointer, map, slice         Null
//	bool                                 Bool
//	integers of all sizes                Int
//	float32, float64                     Float
//	string                               String
//	[]byte, [n]byte                      Bytes
//	slice, array                         Array
//	map with string keys, struct         Map
//	anything with MarshalText            String; time.Time is RFC 3339 with nanoseconds
//	Value                                itself
//	pointer, interface                   what it points to, or holds
//
// Struct fields are named by the tag `inmem:"name,omitempty,omitzero"` or, where it is missing, by
// a json tag of that form; "-" leaves a field out, embedded structs are flattened. What does not
// fit is an error, never a silent Null. Errors: ErrTypeMismatch for functions, channels, complex
// numbers, maps with other keys, structs that have only unexported fields; ErrInvalidArgument for
// unsigned integers over int64 and strings that are not UTF-8; ErrTooLarge for too many bytes or
// too deep a nesting, and so for cycles. Maps must not be written to meanwhile.
func ValueOf(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Null(), nil
	case Value:
		return x, x.check()
	case string:
		v := String(x)
		return v, v.check()
	case bool:
		return Bool(x), nil
	case int:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case float64:
		return Float(x), nil
	case []byte:
		if x == nil {
			return Null(), nil
		}
		v := Bytes(x)
		return v, v.check()
	default:
		return valueOf(reflect.ValueOf(x), 0)
	}
}

// valueOf converts rv, which lies inside depth containers.
func valueOf(rv reflect.Value, depth int) (Value, error) {
	rv, err := follow(rv)
	if err != nil || !rv.IsValid() {
		return Value{}, err
	}
	if rv.Type() == valueType {
		v := rv.Interface().(Value)
		return v, v.check()
	}
	if isText(rv.Type()) {
		return textOf(rv)
	}
	switch rv.Kind() {
	case reflect.Bool:
		return Bool(rv.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Int(rv.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
		if rv.Uint() > math.MaxInt64 {
			return Value{}, invalid("%d does not fit into an Int", rv.Uint())
		}
		return Int(int64(rv.Uint())), nil
	case reflect.Float32:
		return Float(wideFloat32(float32Of(rv))), nil
	case reflect.Float64:
		return Float(rv.Float()), nil
	case reflect.String:
		v := String(rv.String())
		return v, v.check()
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		if isBytes(rv.Type()) {
			return bytesOf(rv)
		}
		if depth++; depth > MaxNesting {
			return Value{}, tooLarge("nesting", depth, MaxNesting)
		}
		return containerOf(rv, depth)
	default:
		return Value{}, &TypeError{Expected: "a type that can be stored", Found: rv.Type().String()}
	}
}

// follow goes through pointers and interfaces; the result is not valid if it ends in nil. A chain
// of pointers that leads back into itself has no end.
func follow(rv reflect.Value) (reflect.Value, error) {
	for hops := 0; rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Interface; hops++ {
		if hops > MaxNesting {
			return reflect.Value{}, tooLarge("nesting", hops, MaxNesting)
		}
		rv = rv.Elem()
	}
	return rv, nil
}

// float32Of is rv as it is: rv.Float() would set the quiet bit of a NaN.
func float32Of(rv reflect.Value) float32 {
	var f float32
	reflect.ValueOf(&f).Elem().Set(rv.Convert(reflect.TypeFor[float32]()))
	return f
}

func textOf(rv reflect.Value) (Value, error) {
	m, ok := rv.Interface().(encoding.TextMarshaler)
	if !ok { // only the pointer has the method, and rv may not be addressable
		p := reflect.New(rv.Type())
		p.Elem().Set(rv)
		m = p.Interface().(encoding.TextMarshaler)
	}
	text, err := m.MarshalText()
	if err != nil {
		return Value{}, fmt.Errorf("%w: %s: %w", ErrInvalidArgument, rv.Type(), err)
	}
	v := String(string(text))
	return v, v.check()
}

func isBytes(t reflect.Type) bool {
	k := t.Kind()
	return (k == reflect.Slice || k == reflect.Array) && t.Elem().Kind() == reflect.Uint8
}

func bytesOf(rv reflect.Value) (Value, error) {
	if rv.Kind() == reflect.Slice {
		if rv.IsNil() {
			return Null(), nil
		}
		v := Bytes(rv.Bytes())
		return v, v.check()
	}
	b := make([]byte, rv.Len())
	for i := range b {
		b[i] = byte(rv.Index(i).Uint())
	}
	v := Value{kind: KindBytes, data: aliasString(b)}
	return v, v.check()
}

func containerOf(rv reflect.Value, depth int) (Value, error) {
	switch rv.Kind() {
	case reflect.Map:
		return mapOf(rv, depth)
	case reflect.Struct:
		return structOf(rv, depth)
	}
	if rv.Kind() == reflect.Slice && rv.IsNil() {
		return Null(), nil
	}
	elements := make([]Value, rv.Len())
	for i := range elements {
		var err error
		if elements[i], err = valueOf(rv.Index(i), depth); err != nil {
			return Value{}, below(fmt.Sprintf("[%d]", i), err)
		}
	}
	return Array(elements...)
}

func mapOf(rv reflect.Value, depth int) (Value, error) {
	if rv.Type().Key().Kind() != reflect.String {
		return Value{}, &TypeError{Expected: "a map with string keys", Found: rv.Type().String()}
	}
	if rv.IsNil() {
		return Null(), nil
	}
	entries := make(map[string]Value, rv.Len())
	for it := rv.MapRange(); it.Next(); {
		key := it.Key().String()
		e, err := valueOf(it.Value(), depth)
		if err != nil {
			return Value{}, below("."+key, err)
		}
		entries[key] = e
	}
	return Map(entries)
}

func structOf(rv reflect.Value, depth int) (Value, error) {
	p := planOf(rv.Type())
	if p.err != nil {
		return Value{}, p.err
	}
	keys := make([]string, 0, len(p.fields))
	values := make([]Value, 0, len(p.fields))
	for _, f := range p.fields {
		fv, err := rv.FieldByIndexErr(f.index)
		if err != nil || f.omitted(fv) {
			continue // err: the field of an embedded pointer that is nil
		}
		v, err := valueOf(fv, depth)
		if err != nil {
			return Value{}, below("."+f.name, err)
		}
		keys, values = append(keys, f.name), append(values, v)
	}
	return sortedMap(keys, func(i int) Value { return values[i] })
}

// below adds a step to the path in an error that came from further down.
func below(step string, err error) error {
	var te *TypeError
	if errors.As(err, &te) {
		return &TypeError{Path: step + te.Path, Expected: te.Expected, Found: te.Found}
	}
	return fmt.Errorf("%s: %w", step, err)
}
