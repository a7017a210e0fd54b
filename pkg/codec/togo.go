package codec

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
)

// Decode stores the value in what into points to: the inverse of ValueOf. No kind is turned into
// another, and nothing is rounded: Int 1 does not decode into a float64, Int 300 not into an int8,
// a Float into a float32 only if that is exact. Null decodes into pointers, maps, slices and
// interfaces as nil, and into nothing else. An any receives nil, bool, int64, float64, string,
// []byte, []any or map[string]any. Map entries without a field are passed over, fields without an
// entry keep what they hold; maps and slices are replaced. Strings may alias the value.
//
// Errors: ErrTypeMismatch with the path to what does not fit; *into may be partly written then.
// ErrInvalidArgument if into is no pointer, or nil.
func (v Value) Decode(into any) error {
	rv := reflect.ValueOf(into)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return invalid("a value decodes into a pointer that is not nil, found %T", into)
	}
	return decodeInto(v, rv.Elem())
}

func decodeInto(v Value, rv reflect.Value) error {
	if rv.Type() == valueType {
		rv.Set(reflect.ValueOf(v))
		return nil
	}
	switch kind := rv.Kind(); {
	case kind == reflect.Pointer:
		if v.kind == KindNull {
			rv.SetZero()
			return nil
		}
		target := reflect.New(rv.Type().Elem())
		if err := decodeInto(v, target.Elem()); err != nil {
			return err
		}
		rv.Set(target)
		return nil
	case kind == reflect.Interface:
		return decodeAny(v, rv)
	case v.kind == KindNull && (kind == reflect.Map || kind == reflect.Slice):
		rv.SetZero()
		return nil
	case v.kind == KindString && reflect.PointerTo(rv.Type()).Implements(textUnmarshalerType):
		u := rv.Addr().Interface().(encoding.TextUnmarshaler)
		if err := u.UnmarshalText([]byte(v.data)); err != nil {
			return &TypeError{Expected: rv.Type().String(), Found: fmt.Sprintf("String (%v)", err)}
		}
		return nil
	}
	switch v.kind {
	case KindArray:
		return decodeArray(v, rv)
	case KindMap:
		return decodeMap(v, rv)
	default:
		return decodeScalar(v, rv)
	}
}

// misfit is the error for a value that rv cannot hold.
func misfit(v Value, rv reflect.Value) error {
	found := v.kind.String()
	if v.kind == KindInt || v.kind == KindFloat {
		found += " " + v.String() // may be of the right kind, but out of range
	}
	return &TypeError{Expected: rv.Type().String(), Found: found}
}

func decodeScalar(v Value, rv reflect.Value) error {
	switch rv.Kind() {
	case reflect.Bool:
		if v.kind == KindBool {
			rv.SetBool(v.bits != 0)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v.kind == KindInt && !rv.OverflowInt(int64(v.bits)) {
			rv.SetInt(int64(v.bits))
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
		if v.kind == KindInt && int64(v.bits) >= 0 && !rv.OverflowUint(v.bits) {
			rv.SetUint(v.bits)
			return nil
		}
	case reflect.Float64:
		if v.kind == KindFloat {
			rv.SetFloat(math.Float64frombits(v.bits))
			return nil
		}
	case reflect.Float32:
		f, exact := narrowFloat32(math.Float64frombits(v.bits))
		if v.kind == KindFloat && exact {
			rv.Set(reflect.ValueOf(f).Convert(rv.Type()))
			return nil
		}
	case reflect.String:
		if v.kind == KindString {
			rv.SetString(v.data)
			return nil
		}
	case reflect.Slice, reflect.Array:
		if v.kind == KindBytes && isBytes(rv.Type()) {
			return decodeBytes(v, rv)
		}
	}
	return misfit(v, rv)
}

func decodeBytes(v Value, rv reflect.Value) error {
	if rv.Kind() == reflect.Slice {
		b := reflect.MakeSlice(rv.Type(), len(v.data), len(v.data))
		copy(b.Bytes(), v.data)
		rv.Set(b)
		return nil
	}
	if rv.Len() != len(v.data) {
		return &TypeError{Expected: rv.Type().String(),
			Found: fmt.Sprintf("Bytes of length %d", len(v.data))}
	}
	copy(rv.Bytes(), v.data)
	return nil
}

func decodeArray(v Value, rv reflect.Value) error {
	target := rv
	switch {
	case isBytes(rv.Type()):
		return misfit(v, rv)
	case rv.Kind() == reflect.Slice:
		target = reflect.MakeSlice(rv.Type(), v.Len(), v.Len())
	case rv.Kind() != reflect.Array:
		return misfit(v, rv)
	case rv.Len() != v.Len():
		return &TypeError{Expected: rv.Type().String(),
			Found: fmt.Sprintf("Array of length %d", v.Len())}
	}
	for i, e := range v.Items() {
		if err := decodeInto(e, target.Index(i)); err != nil {
			return below(fmt.Sprintf("[%d]", i), err)
		}
	}
	if rv.Kind() == reflect.Slice {
		rv.Set(target)
	}
	return nil
}

func decodeMap(v Value, rv reflect.Value) error {
	switch rv.Kind() {
	case reflect.Struct:
		return decodeStruct(v, rv)
	case reflect.Map:
	default:
		return misfit(v, rv)
	}
	t := rv.Type()
	if t.Key().Kind() != reflect.String {
		return misfit(v, rv)
	}
	target := reflect.MakeMapWithSize(t, v.Len())
	for key, e := range v.Entries() {
		element := reflect.New(t.Elem()).Elem()
		if err := decodeInto(e, element); err != nil {
			return below("."+key, err)
		}
		target.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), element)
	}
	rv.Set(target)
	return nil
}

func decodeStruct(v Value, rv reflect.Value) error {
	p := planOf(rv.Type())
	if p.err != nil {
		return p.err
	}
	next := 0 // both sides are in the order of map keys, so one walk is enough
	for key, e := range v.Entries() {
		for next < len(p.fields) && compareMapKeys(p.fields[next].name, key) < 0 {
			next++
		}
		if next == len(p.fields) {
			return nil
		}
		if p.fields[next].name != key {
			continue
		}
		if err := decodeInto(e, fieldAt(rv, p.fields[next].index)); err != nil {
			return below("."+key, err)
		}
	}
	return nil
}

// fieldAt is rv.FieldByIndex that makes the embedded structs on its way where a pointer is nil.
func fieldAt(rv reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && rv.Kind() == reflect.Pointer {
			if rv.IsNil() {
				rv.Set(reflect.New(rv.Type().Elem()))
			}
			rv = rv.Elem()
		}
		rv = rv.Field(n)
	}
	return rv
}

func decodeAny(v Value, rv reflect.Value) error {
	if v.kind == KindNull {
		rv.SetZero()
		return nil
	}
	if rv.NumMethod() != 0 {
		return misfit(v, rv)
	}
	rv.Set(reflect.ValueOf(v.plain()))
	return nil
}

// plain is the value in Go's own types.
func (v Value) plain() any {
	switch v.kind {
	case KindBool:
		return v.bits != 0
	case KindInt:
		return int64(v.bits)
	case KindFloat:
		return math.Float64frombits(v.bits)
	case KindString:
		return v.data
	case KindBytes:
		return []byte(v.data)
	case KindArray:
		elements := make([]any, 0, v.Len())
		for _, e := range v.Items() {
			elements = append(elements, e.plain())
		}
		return elements
	case KindMap:
		entries := make(map[string]any, v.Len())
		for key, e := range v.Entries() {
			entries[key] = e.plain()
		}
		return entries
	default:
		return nil
	}
}
