package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The objects that stand for what JSON cannot say. A Map that has one entry with one of these names
// as key is itself wrapped in an object with jsonMap, so that nothing is ambiguous.
const (
	jsonBytes = "$bytes" // {"$bytes": "<base64, standard alphabet, padded>"}
	jsonFloat = "$float" // {"$float": "Infinity"}, "-Infinity", "NaN", "NaN:<16 hex digits>"
	jsonMap   = "$map"   // {"$map": {...}}
)

// MarshalJSON implements json.Marshaler without loss: UnmarshalJSON gives the same Value back. A
// Float always has a fraction or an exponent (1.0, 1e+21), an Int never. Bytes, and the floats that
// JSON does not know, become objects:
//
//	{"$bytes": "aGVsbG8="}    {"$float": "NaN"}    {"$float": "-Infinity"}
//
// "NaN" is that of package math; any other has its bits behind it, as in "NaN:fff8000000000000". A
// Map whose only key is $bytes, $float or $map is wrapped: {"$map": {"$bytes": 1}}. Errors:
// ErrInvalidArgument for a String that is not UTF-8.
func (v Value) MarshalJSON() ([]byte, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	return appendJSON(nil, v), nil
}

// String shows the value as JSON, in the form of MarshalJSON.
func (v Value) String() string { return string(appendJSON(nil, v)) }

// GoString shows kind and content, such as codec.Value(Int 42).
func (v Value) GoString() string {
	return "codec.Value(" + v.kind.String() + " " + v.String() + ")"
}

func appendJSON(dst []byte, v Value) []byte {
	switch v.kind {
	case KindNull:
		return append(dst, "null"...)
	case KindBool:
		return strconv.AppendBool(dst, v.bits != 0)
	case KindInt:
		return strconv.AppendInt(dst, int64(v.bits), 10)
	case KindFloat:
		return appendJSONFloat(dst, v.bits)
	case KindString:
		return appendJSONString(dst, v.data)
	case KindBytes:
		dst = append(dst, `{"`+jsonBytes+`":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, aliasBytes(v.data))
		return append(dst, `"}`...)
	case KindArray:
		dst = append(dst, '[')
		for i, e := range v.Items() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	default:
		return appendJSONMap(dst, v)
	}
}

func appendJSONMap(dst []byte, v Value) []byte {
	wrapped := false
	first := true
	for key, e := range v.Entries() {
		if first && v.Len() == 1 && isWrapper(key) {
			wrapped = true
			dst = append(dst, `{"`+jsonMap+`":`...)
		}
		if first {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendJSONString(dst, key), ':')
		dst = appendJSON(dst, e)
	}
	if first {
		dst = append(dst, '{')
	}
	if wrapped {
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func isWrapper(key string) bool {
	return key == jsonBytes || key == jsonFloat || key == jsonMap
}

func appendJSONFloat(dst []byte, b uint64) []byte {
	f := math.Float64frombits(b)
	name := ""
	switch {
	case b == math.Float64bits(math.NaN()):
		name = "NaN"
	case math.IsNaN(f):
		name = fmt.Sprintf("NaN:%016x", b)
	case math.IsInf(f, 1):
		name = "Infinity"
	case math.IsInf(f, -1):
		name = "-Infinity"
	default:
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
		if bytes.ContainsAny(dst[start:], ".e") {
			return dst
		}
		return append(dst, ".0"...)
	}
	return append(dst, `{"`+jsonFloat+`":"`+name+`"}`...)
}

// appendJSONString quotes s. Only what must be escaped is, and the two line separators that
// JavaScript once took for ends of line; bytes that are not UTF-8 show as U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029:
			dst = append(dst, '\\', 'u')
			dst = appendHex(dst, uint64(r), 4)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// UnmarshalJSON implements json.Unmarshaler: any JSON, and without loss what MarshalJSON wrote. A
// number with a fraction or an exponent is a Float, any other an Int; of a key that comes twice the
// last one counts, as in package json. Errors: ErrInvalidArgument for what is not JSON, not UTF-8,
// an integer outside of int64, a float outside of float64, and a malformed $bytes, $float or $map;
// ErrTooLarge.
func (v *Value) UnmarshalJSON(b []byte) error {
	if !utf8.Valid(b) {
		return invalid("the JSON is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("something follows the JSON value")
	}
	got, err := fromJSON(tree)
	if err != nil {
		return err
	}
	*v = got
	return nil
}

// fromJSON converts what package json decodes into. Package json limits the depth of the tree.
func fromJSON(tree any) (Value, error) {
	switch x := tree.(type) {
	case nil:
		return Null(), nil
	case bool:
		return Bool(x), nil
	case string:
		return String(x), nil
	case json.Number:
		return numberFromJSON(x.String())
	case []any:
		elements := make([]Value, len(x))
		for i := range x {
			var err error
			if elements[i], err = fromJSON(x[i]); err != nil {
				return Value{}, err
			}
		}
		return Array(elements...)
	case map[string]any:
		if len(x) == 1 {
			for key, content := range x {
				if isWrapper(key) {
					return unwrapJSON(key, content)
				}
			}
		}
		return mapFromJSON(x)
	default:
		return Value{}, invalid("%T in JSON", tree)
	}
}

func mapFromJSON(tree map[string]any) (Value, error) {
	entries := make(map[string]Value, len(tree))
	for key, content := range tree {
		e, err := fromJSON(content)
		if err != nil {
			return Value{}, err
		}
		entries[key] = e
	}
	return Map(entries)
}

func numberFromJSON(text string) (Value, error) {
	if !strings.ContainsAny(text, ".eE") {
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Value{}, invalid("%s does not fit into an Int", clip([]byte(text)))
		}
		return Int(i), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Value{}, invalid("%s does not fit into a Float", clip([]byte(text)))
	}
	return Float(f), nil
}

func unwrapJSON(key string, content any) (Value, error) {
	if key == jsonMap {
		if tree, ok := content.(map[string]any); ok {
			return mapFromJSON(tree)
		}
		return Value{}, invalid("%s must hold an object", jsonMap)
	}
	text, ok := content.(string)
	if !ok {
		return Value{}, invalid("%s must hold a string", key)
	}
	if key == jsonBytes {
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return Value{}, fmt.Errorf("%w: %s: %w", ErrInvalidArgument, jsonBytes, err)
		}
		return Value{kind: KindBytes, data: aliasString(b)}, nil
	}
	switch text {
	case "NaN":
		return Float(math.NaN()), nil
	case "Infinity":
		return Float(math.Inf(1)), nil
	case "-Infinity":
		return Float(math.Inf(-1)), nil
	}
	if digits, ok := strings.CutPrefix(text, "NaN:"); ok && len(digits) == 16 {
		if b, ok := parseHex(digits); ok && math.IsNaN(math.Float64frombits(b)) {
			return Value{kind: KindFloat, bits: b}, nil
		}
	}
	return Value{}, invalid("%q is no float of %s", clip([]byte(text)), jsonFloat)
}
