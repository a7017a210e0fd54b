package codec

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Kind is the kind of a Value.
type Kind uint8

// The eight kinds. Their numbers are not stored.
const (
	KindNull   Kind = iota
	KindBool        // bool
	KindInt         // int64
	KindFloat       // float64; NaN payloads, infinities and -0 keep their bits
	KindString      // valid UTF-8
	KindBytes       // any bytes
	KindArray       // of values
	KindMap         // from strings to values
)

var kindNames = [...]string{"Null", "Bool", "Int", "Float", "String", "Bytes", "Array", "Map"}

// String is the name of the kind, such as "Float".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(?)"
}

// Value is what can be stored: one of eight kinds. It is opaque, immutable, and safe for concurrent
// use; the zero Value is Null. Two values are equal (==, or Equal) if they have the same kind and
// the same bits: Int 1 is not Float 1, Bytes are not a String, -0 is not 0, and a NaN equals
// itself.
type Value struct {
	kind Kind
	// bits holds a Bool, an Int, or the bits of a Float; for containers the number of elements, and
	// from depthShift on how deep they are nested.
	bits uint64
	// data holds the content of String and Bytes, and the whole encoding of containers.
	data string
}

const depthShift = 48

// Null returns the value that is nothing. It is a value like any other: a key that holds it exists.
func Null() Value { return Value{} }

// Bool returns a Bool.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, bits: 1}
	}
	return Value{kind: KindBool}
}

// Int returns an Int.
func Int(i int64) Value { return Value{kind: KindInt, bits: uint64(i)} }

// Float returns a Float. All bits are kept.
func Float(f float64) Value { return Value{kind: KindFloat, bits: math.Float64bits(f)} }

// String returns a String. If s is not valid UTF-8 the value cannot be stored: encoding it, or
// putting it into an Array or Map, fails with ErrInvalidArgument.
func String(s string) Value { return Value{kind: KindString, data: s} }

// Bytes returns Bytes with a copy of b.
func Bytes(b []byte) Value { return Value{kind: KindBytes, data: string(b)} }

// Kind returns the kind.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is Null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Equal reports whether both values have the same kind and the same bits. It is the same as ==.
func (v Value) Equal(w Value) bool { return v == w }

// Clone returns the same value in memory of its own: a small value that was read out of a large
// block no longer holds on to it.
func (v Value) Clone() Value {
	v.data = strings.Clone(v.data)
	return v
}

// AsBool returns the content of a Bool. Errors: ErrTypeMismatch.
func (v Value) AsBool() (bool, error) {
	if v.kind != KindBool {
		return false, v.mismatch(KindBool)
	}
	return v.bits != 0, nil
}

// AsInt returns the content of an Int. Errors: ErrTypeMismatch.
func (v Value) AsInt() (int64, error) {
	if v.kind != KindInt {
		return 0, v.mismatch(KindInt)
	}
	return int64(v.bits), nil
}

// AsFloat returns the content of a Float. Errors: ErrTypeMismatch.
func (v Value) AsFloat() (float64, error) {
	if v.kind != KindFloat {
		return 0, v.mismatch(KindFloat)
	}
	return math.Float64frombits(v.bits), nil
}

// AsString returns the content of a String, without a copy. Errors: ErrTypeMismatch.
func (v Value) AsString() (string, error) {
	if v.kind != KindString {
		return "", v.mismatch(KindString)
	}
	return v.data, nil
}

// AsBytes returns a copy of the content of Bytes, never nil. Errors: ErrTypeMismatch.
func (v Value) AsBytes() ([]byte, error) {
	if v.kind != KindBytes {
		return nil, v.mismatch(KindBytes)
	}
	return append([]byte{}, v.data...), nil
}

//go:noinline
func (v Value) mismatch(expected Kind) error {
	return &TypeError{Expected: expected.String(), Found: v.kind.String()}
}

// AppendValue appends the deterministic encoding of a value. Equal values have equal bytes. Errors:
// ErrInvalidArgument for a String that is not UTF-8, ErrTooLarge; dst comes back unchanged then. It
// allocates only if dst is too small.
func AppendValue(dst []byte, v Value) ([]byte, error) {
	if err := v.check(); err != nil {
		return dst, err
	}
	return appendValue(dst, v), nil
}

// check refuses what cannot be stored. Containers were checked when they were made.
func (v Value) check() error {
	if len(v.data) > MaxValueSize && v.kind < KindArray {
		return tooLarge("value", len(v.data), MaxValueSize)
	}
	if v.kind == KindString && !utf8.ValidString(v.data) {
		return invalid("a String must be valid UTF-8; use Bytes")
	}
	return nil
}

// appendValue is AppendValue for a value that was checked.
func appendValue(dst []byte, v Value) []byte {
	switch v.kind {
	case KindString:
		return append(appendHead(dst, majorText, uint64(len(v.data))), v.data...)
	case KindBytes:
		return append(appendHead(dst, majorBytes, uint64(len(v.data))), v.data...)
	case KindInt:
		return appendCBORInt(dst, int64(v.bits))
	case KindFloat:
		return appendFloat(dst, v.bits)
	case KindBool:
		return append(dst, cborFalse+byte(v.bits))
	case KindNull:
		return append(dst, cborNull)
	default:
		return append(dst, v.data...)
	}
}

// EncodedSize is the number of bytes that AppendValue appends.
func (v Value) EncodedSize() int {
	switch v.kind {
	case KindString, KindBytes:
		return headSize(uint64(len(v.data))) + len(v.data)
	case KindInt:
		return headSize(uint64(int64(v.bits) ^ int64(v.bits)>>63))
	case KindFloat:
		return floatSize(v.bits)
	case KindArray, KindMap:
		return len(v.data)
	default:
		return 1
	}
}

// DecodeValue decodes a whole encoded value. String, Bytes, Array and Map alias b. Scalars, String
// and Bytes cost no allocation; a container is checked as a whole, so that no accessor can fail
// later. Errors: ErrCorrupt for what AppendValue would not have written.
func DecodeValue(b []byte) (Value, error) {
	arg, next, ok := readHead(b, 0)
	if !ok {
		return Value{}, verifier{b, "value"}.badHead(0)
	}
	switch b[0] & majorMask {
	case majorText:
		if arg == uint64(len(b)-next) && arg <= MaxValueSize && utf8.Valid(b[next:]) {
			return Value{kind: KindString, data: aliasString(b[next:])}, nil
		}
	case majorBytes:
		if arg == uint64(len(b)-next) && arg <= MaxValueSize {
			return Value{kind: KindBytes, data: aliasString(b[next:])}, nil
		}
	case majorUint:
		if next == len(b) && arg>>63 == 0 {
			return Value{kind: KindInt, bits: arg}, nil
		}
	case majorNeg:
		if next == len(b) && arg>>63 == 0 {
			return Value{kind: KindInt, bits: ^arg}, nil
		}
	case majorOther:
		if next == len(b) {
			return decodeSimple(b)
		}
	}
	return decodeOther(b)
}

// DecodeStored is DecodeValue for bytes that AppendValue wrote and that have been in memory or
// under a checksum since: whether a String is valid UTF-8 is not looked at again, which is half the
// cost.
func DecodeStored(b []byte) (Value, error) {
	if len(b) > 1 && b[0] == majorText|24 && int(b[1]) == len(b)-2 && b[1] >= 24 {
		return Value{kind: KindString, data: aliasString(b[2:])}, nil // most texts
	}
	if len(b) > 0 && b[0]&majorMask == majorText {
		arg, next, ok := readHead(b, 0)
		if ok && arg == uint64(len(b)-next) && arg <= MaxValueSize {
			return Value{kind: KindString, data: aliasString(b[next:])}, nil
		}
	}
	return DecodeValue(b)
}

// decodeSimple decodes null, a boolean or a float that fills b.
func decodeSimple(b []byte) (Value, error) {
	if _, _, err := (verifier{b, "value"}).other(0, len(b)); err != nil {
		return Value{}, err
	}
	v, _ := valueAt(aliasString(b), 0)
	return v, nil
}

// decodeOther decodes what DecodeValue has no short way for, faulty encodings included.
func decodeOther(b []byte) (Value, error) {
	end, depth, err := verifier{b, "value"}.item(0, 0)
	if err != nil {
		return Value{}, err
	}
	if end != len(b) {
		return Value{}, corrupt("value", end, "%d bytes after its end", len(b)-end)
	}
	if len(b) > MaxValueSize+maxHead {
		return Value{}, corrupt("value", 0, "%d bytes, limit %d", len(b), MaxValueSize)
	}
	v, _ := valueAt(aliasString(b), 0)
	if v.kind >= KindArray {
		v.bits = v.bits&(1<<depthShift-1) | uint64(depth)<<depthShift
	}
	if size := v.contentSize(); size > MaxValueSize {
		return Value{}, corrupt("value", 0, "%d bytes, limit %d", size, MaxValueSize)
	}
	return v, nil
}

// contentSize is what MaxValueSize limits.
func (v Value) contentSize() int {
	if v.kind < KindArray {
		return len(v.data)
	}
	return len(v.data) - headSize(uint64(v.Len()))
}

// valueAt returns the value whose encoding begins at s[at], and where it ends.
// REQUIRES: s was verified.
func valueAt(s string, at int) (v Value, end int) {
	b := aliasBytes(s)
	arg, next, _ := readHead(b, at)
	switch b[at] & majorMask {
	case majorUint:
		return Value{kind: KindInt, bits: arg}, next
	case majorNeg:
		return Value{kind: KindInt, bits: ^arg}, next
	case majorBytes:
		end = next + int(arg)
		return Value{kind: KindBytes, data: s[next:end]}, end
	case majorText:
		end = next + int(arg)
		return Value{kind: KindString, data: s[next:end]}, end
	case majorArray, majorMap:
		end, depth := skip(b, at)
		kind := KindArray
		if b[at]&majorMask == majorMap {
			kind = KindMap
		}
		return Value{kind: kind, bits: arg | uint64(depth)<<depthShift, data: s[at:end]}, end
	}
	switch b[at] {
	case cborNull:
		return Value{}, next
	case cborFalse, cborTrue:
		return Bool(b[at] == cborTrue), next
	default:
		return Value{kind: KindFloat, bits: floatBits(b[at:next])}, next
	}
}

// compareMapKeys orders map keys as their encodings are ordered: by length, then bytewise. (The
// head comes first in the encoding, and holds the length.)
func compareMapKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// depth is how deep a value is nested.
func (v Value) depth() int {
	if v.kind < KindArray {
		return 0
	}
	return int(v.bits >> depthShift)
}
