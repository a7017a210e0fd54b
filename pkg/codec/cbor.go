package codec

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// The subset of CBOR (RFC 8949) that values and records are made of, in core deterministic form
// (section 4.2.1): shortest heads, definite lengths, map keys sorted bytewise by their encoding.
// The major type is in the upper three bits of the head byte.
const (
	majorUint  = 0 << 5
	majorNeg   = 1 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorMap   = 5 << 5
	majorTag   = 6 << 5
	majorOther = 7 << 5
	majorMask  = 7 << 5

	cborFalse   = 0xf4
	cborTrue    = 0xf5
	cborNull    = 0xf6
	cborFloat16 = 0xf9
	cborFloat32 = 0xfa
	cborFloat64 = 0xfb

	maxHead = 9 // bytes
)

// appendHead appends a major type with its argument, in the shortest form.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg < 1<<8:
		return append(dst, major|24, byte(arg))
	case arg < 1<<16:
		return append(dst, major|25, byte(arg>>8), byte(arg))
	case arg < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	default:
		return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
	}
}

// headSize is the length of the head that appendHead would write.
func headSize(arg uint64) int {
	switch {
	case arg < 24:
		return 1
	case arg < 1<<8:
		return 2
	case arg < 1<<16:
		return 3
	case arg < 1<<32:
		return 5
	default:
		return 9
	}
}

// appendCBORInt appends an integer of either sign.
func appendCBORInt(dst []byte, v int64) []byte {
	if v < 0 {
		return appendHead(dst, majorNeg, uint64(^v))
	}
	return appendHead(dst, majorUint, uint64(v))
}

// readHead reads the argument of the head at b[at] and where its content begins. It refuses heads
// that are cut short, indefinite, reserved or longer than necessary; at may be len(b). For
// majorOther the argument is taken as it stands, since floats and simple values have rules of their
// own.
func readHead(b []byte, at int) (arg uint64, next int, ok bool) {
	if at >= len(b) {
		return 0, at, false
	}
	info := b[at] & 31
	if info < 24 {
		return uint64(info), at + 1, true
	}
	return readLongHead(b, at, info)
}

func readLongHead(b []byte, at int, info byte) (arg uint64, next int, ok bool) {
	rest := b[at+1:]
	least := uint64(24)
	switch {
	case info == 24 && len(rest) >= 1:
		arg, next = uint64(rest[0]), at+2
	case info == 25 && len(rest) >= 2:
		arg, next, least = uint64(binary.BigEndian.Uint16(rest)), at+3, 1<<8
	case info == 26 && len(rest) >= 4:
		arg, next, least = uint64(binary.BigEndian.Uint32(rest)), at+5, 1<<16
	case info == 27 && len(rest) >= 8:
		arg, next, least = binary.BigEndian.Uint64(rest), at+9, 1<<32
	default:
		return 0, at, false
	}
	return arg, next, arg >= least || b[at]&majorMask == majorOther
}

// verifier checks an encoding once, so that the accessors of containers need not check again.
type verifier struct {
	b    []byte
	what string // for errors
}

// item checks the item at offset at, inside depth containers, and returns where it ends and how
// deep it is itself.
func (v verifier) item(at, depth int) (end, deepest int, err error) {
	arg, next, ok := readHead(v.b, at)
	if !ok {
		return 0, 0, v.badHead(at)
	}
	left := uint64(len(v.b) - next)
	switch v.b[at] & majorMask {
	case majorUint, majorNeg:
		if arg > 1<<63-1 {
			return 0, 0, corrupt(v.what, at, "integer outside of int64")
		}
		return next, 0, nil
	case majorBytes:
		if arg > left {
			return 0, 0, v.short(at, arg, left)
		}
		return next + int(arg), 0, nil
	case majorText:
		return v.text(at, next, arg)
	case majorArray:
		if arg > left {
			return 0, 0, v.short(at, arg, left)
		}
		return v.array(next, int(arg), depth+1)
	case majorMap:
		if arg > left/2 {
			return 0, 0, v.short(at, arg, left/2)
		}
		return v.mapping(next, int(arg), depth+1)
	case majorTag:
		return 0, 0, corrupt(v.what, at, "CBOR tag %d, none is allowed", arg)
	default:
		return v.other(at, next)
	}
}

func (v verifier) text(at, next int, arg uint64) (end, deepest int, err error) {
	if left := uint64(len(v.b) - next); arg > left {
		return 0, 0, v.short(at, arg, left)
	}
	end = next + int(arg)
	if !utf8.Valid(v.b[next:end]) {
		return 0, 0, corrupt(v.what, next, "text is not UTF-8")
	}
	return end, 0, nil
}

func (v verifier) array(at, n, depth int) (end, deepest int, err error) {
	if depth > MaxNesting {
		return 0, 0, corrupt(v.what, at, "nested deeper than %d", MaxNesting)
	}
	for range n {
		var d int
		if at, d, err = v.item(at, depth); err != nil {
			return 0, 0, err
		}
		deepest = max(deepest, d)
	}
	return at, deepest + 1, nil
}

func (v verifier) mapping(at, n, depth int) (end, deepest int, err error) {
	if depth > MaxNesting {
		return 0, 0, corrupt(v.what, at, "nested deeper than %d", MaxNesting)
	}
	var last []byte
	for i := range n {
		arg, next, ok := readHead(v.b, at)
		if !ok {
			return 0, 0, v.badHead(at)
		}
		if v.b[at]&majorMask != majorText {
			return 0, 0, corrupt(v.what, at, "map key of CBOR type %d, expected text (3)",
				v.b[at]>>5)
		}
		end, _, err := v.text(at, next, arg)
		if err != nil {
			return 0, 0, err
		}
		key := v.b[at:end]
		if i > 0 && bytes.Compare(last, key) >= 0 {
			return 0, 0, corrupt(v.what, at, "map key twice or not in order")
		}
		last = key
		var d int
		if at, d, err = v.item(end, depth); err != nil {
			return 0, 0, err
		}
		deepest = max(deepest, d)
	}
	return at, deepest + 1, nil
}

// other checks null, booleans and floats.
func (v verifier) other(at, next int) (end, deepest int, err error) {
	switch head := v.b[at]; head {
	case cborNull, cborFalse, cborTrue:
		return next, 0, nil
	case cborFloat16, cborFloat32, cborFloat64:
		if !shortest(head, floatBits(v.b[at:next])) {
			return 0, 0, corrupt(v.what, at, "float in %d bytes, a shorter form keeps its bits",
				next-at-1)
		}
		return next, 0, nil
	default:
		return 0, 0, corrupt(v.what, at, "unknown CBOR simple value, head 0x%02x", head)
	}
}

func (v verifier) badHead(at int) error {
	if at >= len(v.b) {
		return corrupt(v.what, at, "it ends where an item was expected")
	}
	return corrupt(v.what, at, "CBOR head 0x%02x is cut short, indefinite or not the shortest",
		v.b[at])
}

func (v verifier) short(at int, claimed, left uint64) error {
	return corrupt(v.what, at, "length %d, but at most %d can follow", claimed, left)
}

// skip returns the end and the depth of the item at b[at]. REQUIRES: b was verified.
func skip(b []byte, at int) (end, depth int) {
	arg, next, _ := readHead(b, at)
	switch b[at] & majorMask {
	case majorBytes, majorText:
		return next + int(arg), 0
	case majorMap:
		arg *= 2
		fallthrough
	case majorArray:
		for range arg {
			var d int
			next, d = skip(b, next)
			depth = max(depth, d)
		}
		return next, depth + 1
	default:
		return next, 0
	}
}

// aliasString is b as a string without a copy. b must not change from then on.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// aliasBytes is s as bytes without a copy. They must never be written to.
func aliasBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
