package codec

import (
	"cmp"
	"encoding"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// field is one field of a struct as a Map shows it.
type field struct {
	name      string
	index     []int // for reflect: through embedded structs
	omitEmpty bool
	omitZero  bool
}

// plan is how a struct type becomes a Map: its fields, sorted as the keys of a Map are, or why it
// cannot.
type plan struct {
	fields []field
	err    error
}

var plans sync.Map // from reflect.Type to plan

// planOf returns the plan of a struct type; types are looked at once.
func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	fields, err := collect(t, nil, nil)
	if err == nil {
		fields, err = resolve(t, fields)
	}
	if err == nil && len(fields) == 0 && t.NumField() > 0 {
		err = &TypeError{Expected: "a type with exported fields or MarshalText",
			Found: t.String()}
	}
	p, _ := plans.LoadOrStore(t, plan{fields: fields, err: err})
	return p.(plan)
}

// collect lists the fields of t, those of embedded structs included. outer are the types around it:
// a struct that embeds itself would never end.
func collect(t reflect.Type, index []int, outer []reflect.Type) ([]field, error) {
	if slices.Contains(outer, t) {
		return nil, nil // all of it is hidden by the outer one
	}
	outer = append(slices.Clip(outer), t)
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clip(index), i)
		f, named, skip := parseTag(sf)
		if skip {
			continue
		}
		embedded := sf.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		if sf.Anonymous && !named && embedded.Kind() == reflect.Struct && !isText(embedded) &&
			embedded != valueType {
			if sf.Type.Kind() == reflect.Pointer && !sf.IsExported() {
				return nil, &TypeError{Path: "." + sf.Name, Found: sf.Type.String(),
					Expected: "an exported type (reflection cannot set this pointer)"}
			}
			inner, err := collect(embedded, at, outer)
			if err != nil {
				return nil, err
			}
			fields = append(fields, inner...)
			continue
		}
		if !sf.IsExported() {
			continue
		}
		f.index = at
		fields = append(fields, f)
	}
	return fields, nil
}

// parseTag reads the tag inmem or, where it is missing, json.
func parseTag(sf reflect.StructField) (f field, named, skip bool) {
	tag, ok := sf.Tag.Lookup("inmem")
	if !ok {
		tag = sf.Tag.Get("json")
	}
	if tag == "-" {
		return field{}, false, true
	}
	name, options, _ := strings.Cut(tag, ",")
	named = name != ""
	if !named {
		name = sf.Name
	}
	f.name = name
	for option := range strings.SplitSeq(options, ",") {
		f.omitEmpty = f.omitEmpty || option == "omitempty"
		f.omitZero = f.omitZero || option == "omitzero"
	}
	return f, named, false
}

// resolve sorts the fields by name. Of fields with one name the least deeply embedded one counts;
// two at the same depth are an error, where package json would drop both in silence.
func resolve(t reflect.Type, fields []field) ([]field, error) {
	slices.SortStableFunc(fields, func(a, b field) int {
		return cmp.Or(compareMapKeys(a.name, b.name), len(a.index)-len(b.index))
	})
	unique := fields[:0]
	for i, f := range fields {
		if i > 0 && fields[i-1].name == f.name {
			if last := unique[len(unique)-1]; len(last.index) == len(f.index) {
				return nil, invalid("%s has two fields %q", t, f.name)
			}
			continue
		}
		unique = append(unique, f)
	}
	return slices.Clip(unique), nil
}

var (
	valueType           = reflect.TypeFor[Value]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isText reports whether values of type t become Strings through MarshalText.
func isText(t reflect.Type) bool {
	return t.Implements(textMarshalerType) || reflect.PointerTo(t).Implements(textMarshalerType)
}

// omitted reports whether the tag of f leaves this content out.
func (f field) omitted(rv reflect.Value) bool {
	if f.omitZero {
		if z, ok := rv.Interface().(interface{ IsZero() bool }); ok {
			if rv.Kind() == reflect.Pointer && rv.IsNil() || z.IsZero() {
				return true
			}
		} else if rv.IsZero() {
			return true
		}
	}
	if !f.omitEmpty {
		return false
	}
	switch rv.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return rv.Len() == 0
	case reflect.Struct:
		return rv.Type() == valueType && rv.IsZero()
	default:
		return rv.IsZero()
	}
}
