package codec

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// VectorRow is the value of one vector of a collection. Its key is VectorRowKey.
type VectorRow struct {
	// Vector is as its writer gave it, bit by bit: 1 to MaxDimension finite numbers.
	Vector []float32
	// Metadata is a Map, or Null for none.
	Metadata Value
}

// Limits of vectors.
const (
	// MaxDimension is the greatest number of components of a vector.
	MaxDimension = 1 << 16
	// MaxVectorName is the longest name of a collection, and the longest id of a vector, in bytes.
	// Together they always fit into a key.
	MaxVectorName = 1 << 10
)

// Fields of a vector row. On-disk: never renumber, never reuse. The first is always there, so that
// what compares vectors need not look at the rest.
const (
	vectorComponents = 1 // byte string: the components, each 4 bytes, little-endian
	vectorMetadata   = 2 // a Map; left out if there is none
)

const floatBytes = 4

// AppendVectorRow appends a row. It allocates only if dst is too small. Errors: ErrInvalidArgument
// for a vector without components or with one that is not finite; ErrTooLarge for one of more than
// MaxDimension, or metadata of more than MaxValueSize with it; ErrTypeMismatch for metadata that is
// neither a Map nor Null. dst comes back unchanged then.
func AppendVectorRow(dst []byte, r VectorRow) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	fields := byte(1)
	if !r.Metadata.IsNull() {
		fields++
	}
	b := appendField(append(dst, majorMap|fields), vectorComponents)
	b = appendComponents(appendHead(b, majorBytes, uint64(floatBytes*len(r.Vector))), r.Vector)
	if fields > 1 {
		b = appendValue(appendField(b, vectorMetadata), r.Metadata)
	}
	return b, nil
}

func (r VectorRow) check() error {
	if len(r.Vector) == 0 {
		return invalid("a vector without components")
	}
	if len(r.Vector) > MaxDimension {
		return tooLarge("vector", len(r.Vector), MaxDimension)
	}
	for i, x := range r.Vector {
		if !finite(x) {
			return invalid("component %d of a vector is %v", i, x)
		}
	}
	if k := r.Metadata.Kind(); k != KindMap && k != KindNull {
		return &TypeError{Path: ".metadata", Expected: KindMap.String(), Found: k.String()}
	}
	size := floatBytes*len(r.Vector) + r.Metadata.EncodedSize()
	if size > MaxValueSize {
		return tooLarge("vector with metadata", size, MaxValueSize)
	}
	return nil
}

// DecodeVectorRow decodes a row. The metadata aliases b, the vector does not. Errors: ErrCorrupt,
// ErrFormat for a field that must be understood and is not.
func DecodeVectorRow(b []byte) (VectorRow, error) { return DecodeVectorRowIn(nil, b) }

// DecodeVectorRowIn is DecodeVectorRow with the vector in room, of which it takes what it needs; it
// allocates only if room is too small. For those who want the metadata of many rows.
func DecodeVectorRowIn(room []float32, b []byte) (VectorRow, error) {
	r := newReader("vector row", b)
	row, err := readVectorRow(&r, room[:0])
	if err != nil {
		return VectorRow{}, err
	}
	return row, nil
}

func readVectorRow(r *reader, room []float32) (row VectorRow, err error) {
	for r.next() {
		switch r.key {
		case vectorComponents:
			row.Vector = r.components(room)
		case vectorMetadata:
			row.Metadata = r.value()
			if r.err == nil && row.Metadata.Kind() != KindMap {
				r.fail("metadata is of kind %s, expected a Map", row.Metadata.Kind())
			}
		default:
			r.unknown()
		}
	}
	r.require(row.Vector != nil, "vector")
	if err = r.done(); err == nil &&
		floatBytes*len(row.Vector)+row.Metadata.EncodedSize() > MaxValueSize {
		r.fail("vector with metadata of more than %d bytes", MaxValueSize)
	}
	return row, r.err
}

// DecodeVector decodes the vector of a row and looks at nothing else: it appends the components to
// dst, and allocates only if dst is too small. For those who compare many. Errors: ErrCorrupt,
// ErrFormat; dst comes back unchanged then.
func DecodeVector(dst []float32, b []byte) ([]float32, error) {
	r := newReader("vector row", b)
	if r.next() && r.key != vectorComponents {
		r.require(false, "vector")
	}
	v := r.components(dst)
	if r.err != nil {
		return dst, r.err
	}
	return v, nil
}

// components reads the components of a vector, and appends them to dst.
func (r *reader) components(dst []float32) []float32 {
	start := r.at
	b := r.bytes()
	n := len(b) / floatBytes
	if r.err == nil && (n == 0 || n > MaxDimension || len(b)%floatBytes != 0) {
		r.at = start
		r.fail("vector of %d bytes, expected 4 to %d and a multiple of 4", len(b),
			floatBytes*MaxDimension)
	}
	if r.err != nil {
		return dst
	}
	if !allFinite(b) {
		r.at = start
		r.fail("a component of the vector is not finite")
		return dst
	}
	if cap(dst)-len(dst) < n {
		dst = append(make([]float32, 0, len(dst)+n), dst...)
	}
	v := dst[:len(dst)+n]
	readComponents(v[len(dst):], b)
	return v
}

const exponentBits = 0x7f800000

func finite(x float32) bool { return math.Float32bits(x)&exponentBits != exponentBits }

// allFinite is finite for stored components, two at a time: adding the lowest bit of an exponent
// that is all ones carries into the sign, which the mask has cleared, and no further.
func allFinite(b []byte) bool {
	const (
		mask = exponentBits | exponentBits<<32
		one  = 0x00800000 | 0x00800000<<32
		sign = 0x80000000 | 0x80000000<<32
	)
	var seen uint64
	for ; len(b) >= 2*floatBytes; b = b[2*floatBytes:] {
		seen |= binary.LittleEndian.Uint64(b)&mask + one
	}
	if len(b) > 0 {
		seen |= uint64(binary.LittleEndian.Uint32(b))&exponentBits + 0x00800000
	}
	return seen&sign == 0
}

// littleEndian says that components lie in memory as they are stored, so that they can be copied.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// floatsAsBytes is the memory of v. REQUIRES: v is not empty.
func floatsAsBytes(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), floatBytes*len(v))
}

func appendComponents(dst []byte, v []float32) []byte {
	if littleEndian {
		return append(dst, floatsAsBytes(v)...)
	}
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst
}

// readComponents is the inverse. REQUIRES: b has the length of v.
func readComponents(v []float32, b []byte) {
	if littleEndian {
		copy(floatsAsBytes(v), b)
		return
	}
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[floatBytes*i:]))
	}
}
