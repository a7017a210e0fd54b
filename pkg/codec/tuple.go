package codec

import (
	"encoding/binary"
	"math"
	"strings"
)

// Tuple is a sequence of elements in an encoding for index keys. It has three properties:
//
//   - Order: comparing two tuples bytewise compares them element by element; a tuple that begins
//     another one comes before it.
//   - Injectivity: different tuples have different bytes.
//   - Self-delimiting: every element says where it ends, so a tuple may be followed by anything.
//
// Elements of different kinds are ordered by kind, in the order of the ElementKind constants. The
// zero Tuple has no elements; the appenders work like append.
type Tuple []byte

// ElementKind is the kind of an element of a tuple: its first byte. On-disk: never renumber, never
// reuse; the numbers are the order.
type ElementKind byte

// The kinds of elements.
const (
	ElementNil    ElementKind = 0x10
	ElementFalse  ElementKind = 0x20
	ElementTrue   ElementKind = 0x21
	ElementInt    ElementKind = 0x30 // int64: 8 bytes big-endian, sign bit flipped
	ElementFloat  ElementKind = 0x40 // float64, in the order described at AppendFloat
	ElementTime   ElementKind = 0x50 // Unix nanoseconds, encoded as ElementInt
	ElementString ElementKind = 0x60 // any bytes, escaped
	ElementBytes  ElementKind = 0x70 // any bytes, escaped
)

// Strings end in 0x00 0x01, and a 0x00 in them is written as 0x00 0xff. The end sorts before
// whatever a longer string could go on with.
const (
	tupleEscape = 0x00
	tupleEnd    = 0x01
	tupleZero   = 0xff
)

const signBit = 1 << 63

// AppendNil appends an element that comes before all others.
func (t Tuple) AppendNil() Tuple { return append(t, byte(ElementNil)) }

// AppendBool appends a boolean; false comes before true.
func (t Tuple) AppendBool(b bool) Tuple {
	if b {
		return append(t, byte(ElementTrue))
	}
	return append(t, byte(ElementFalse))
}

// AppendInt appends an integer.
func (t Tuple) AppendInt(i int64) Tuple {
	return binary.BigEndian.AppendUint64(append(t, byte(ElementInt)), uint64(i)^signBit)
}

// AppendFloat appends a float, all its bits kept. The order is total: NaN with a sign bit, -Inf,
// the negative numbers, -0, 0, the positive numbers, Inf, NaN. So -0 comes directly before 0 and is
// not the same, and NaNs are ordered by their payload, outwards.
func (t Tuple) AppendFloat(f float64) Tuple {
	b := math.Float64bits(f)
	if b&signBit != 0 {
		b = ^b
	} else {
		b |= signBit
	}
	return binary.BigEndian.AppendUint64(append(t, byte(ElementFloat)), b)
}

// AppendTime appends a time in Unix nanoseconds.
func (t Tuple) AppendTime(nanoseconds int64) Tuple {
	return binary.BigEndian.AppendUint64(append(t, byte(ElementTime)), uint64(nanoseconds)^signBit)
}

// AppendString appends a string, in bytewise order. It may hold any bytes.
func (t Tuple) AppendString(s string) Tuple { return t.escape(ElementString, s) }

// AppendBytes appends bytes, in bytewise order.
func (t Tuple) AppendBytes(b []byte) Tuple { return t.escape(ElementBytes, aliasString(b)) }

func (t Tuple) escape(kind ElementKind, s string) Tuple {
	t = append(t, byte(kind))
	for {
		i := strings.IndexByte(s, tupleEscape)
		if i < 0 {
			break
		}
		t = append(t, s[:i]...)
		t = append(t, tupleEscape, tupleZero)
		s = s[i+1:]
	}
	t = append(t, s...)
	return append(t, tupleEscape, tupleEnd)
}

// Element is one decoded element of a tuple.
type Element struct {
	// Kind says which of the other fields counts.
	Kind ElementKind
	// Int is the content of ElementInt, and of ElementTime in nanoseconds.
	Int int64
	// Float is the content of ElementFloat.
	Float float64
	// Text is the content of ElementString and ElementBytes.
	Text string
}

// AppendElement appends an element that was decoded. REQUIRES: its kind is one of the constants.
func (t Tuple) AppendElement(e Element) Tuple {
	switch e.Kind {
	case ElementInt:
		return t.AppendInt(e.Int)
	case ElementFloat:
		return t.AppendFloat(e.Float)
	case ElementTime:
		return t.AppendTime(e.Int)
	case ElementString, ElementBytes:
		return t.escape(e.Kind, e.Text)
	default:
		return append(t, byte(e.Kind))
	}
}

// DecodeTuple decodes a tuple that fills b. Texts may alias b. Errors: ErrCorrupt.
func DecodeTuple(b []byte) ([]Element, error) {
	var elements []Element
	for at := 0; at < len(b); {
		e, end, err := decodeElement(b, at)
		if err != nil {
			return nil, err
		}
		elements = append(elements, e)
		at = end
	}
	return elements, nil
}

// NextElement decodes the first element of b and returns what follows it. A text may alias b.
// Errors: ErrCorrupt.
func NextElement(b []byte) (e Element, rest []byte, err error) {
	e, end, err := decodeElement(b, 0)
	if err != nil {
		return Element{}, b, err
	}
	return e, b[end:], nil
}

func decodeElement(b []byte, at int) (e Element, end int, err error) {
	if at >= len(b) {
		return Element{}, 0, corrupt("tuple", at, "it ends where an element was expected")
	}
	e.Kind = ElementKind(b[at])
	switch e.Kind {
	case ElementNil, ElementFalse, ElementTrue:
		return e, at + 1, nil
	case ElementInt, ElementFloat, ElementTime:
		if len(b)-at < 9 {
			return Element{}, 0, corrupt("tuple", at, "%d bytes left for a number, expected 8",
				len(b)-at-1)
		}
		bits := binary.BigEndian.Uint64(b[at+1:])
		switch {
		case e.Kind != ElementFloat:
			e.Int = int64(bits ^ signBit)
		case bits&signBit != 0:
			e.Float = math.Float64frombits(bits &^ signBit)
		default:
			e.Float = math.Float64frombits(^bits)
		}
		return e, at + 9, nil
	case ElementString, ElementBytes:
		e.Text, end, err = unescape(b, at+1)
		return e, end, err
	default:
		return Element{}, 0, corrupt("tuple", at, "unknown element kind 0x%02x", b[at])
	}
}

// unescape reads a text up to its end. Only one with a zero byte in it is copied.
func unescape(b []byte, start int) (text string, end int, err error) {
	var whole []byte
	for at := start; ; {
		i := strings.IndexByte(aliasString(b[at:]), tupleEscape)
		if i < 0 || at+i+1 >= len(b) {
			return "", 0, corrupt("tuple", start, "text without an end")
		}
		piece, mark := b[at:at+i], b[at+i+1]
		at += i + 2
		switch {
		case mark == tupleEnd && whole == nil:
			return aliasString(piece), at, nil
		case mark == tupleEnd:
			return aliasString(append(whole, piece...)), at, nil
		case mark == tupleZero:
			whole = append(append(whole, piece...), 0)
		default:
			return "", 0, corrupt("tuple", at-1, "0x%02x after a zero byte in a text", mark)
		}
	}
}
