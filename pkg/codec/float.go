package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Floats are stored in the shortest of 16, 32 and 64 bits that gives the same float64 back, bit for
// bit: the sign of zero and the payload of a NaN included. All of it is done on the bits, because a
// conversion in floating point sets the quiet bit of a NaN.

const (
	fracBits64 = 52
	fracMask64 = 1<<fracBits64 - 1
	expMask64  = 0x7ff
	bias64     = 1023
)

// narrow is a smaller binary floating point format.
type narrow struct {
	fracBits int
	expMask  int // also the exponent of infinities and NaN
	bias     int
}

var (
	binary16 = narrow{fracBits: 10, expMask: 0x1f, bias: 15}
	binary32 = narrow{fracBits: 23, expMask: 0xff, bias: 127}
)

// fit returns the bits in the narrow format, sign excluded, if nothing is lost.
func (f narrow) fit(b uint64) (uint64, bool) {
	frac, exp := b&fracMask64, int(b>>fracBits64&expMask64)
	drop := fracBits64 - f.fracBits
	switch {
	case exp == 0:
		return 0, frac == 0 // a subnormal float64 is far below the narrow ones
	case exp == expMask64:
		exp = f.expMask
	default:
		exp += f.bias - bias64
		if exp >= f.expMask {
			return 0, false
		}
		if exp <= 0 { // subnormal in the narrow format: the leading one becomes explicit
			drop += 1 - exp
			if drop > fracBits64 {
				return 0, false
			}
			frac, exp = frac|1<<fracBits64, 0
		}
	}
	if bits.TrailingZeros64(frac) < drop {
		return 0, false
	}
	return uint64(exp)<<f.fracBits | frac>>drop, true
}

// widen is the inverse of fit; the sign is excluded again.
func (f narrow) widen(n uint64) uint64 {
	frac, exp := n&(1<<f.fracBits-1), int(n>>f.fracBits)&f.expMask
	grow := fracBits64 - f.fracBits
	switch {
	case exp == f.expMask:
		exp = expMask64
	case exp == 0 && frac == 0:
		return 0
	case exp == 0:
		lead := f.fracBits - bits.Len64(frac) + 1 // shift that makes the leading one implicit
		frac = frac << lead & (1<<f.fracBits - 1)
		exp = 1 - lead + bias64 - f.bias
	default:
		exp += bias64 - f.bias
	}
	return uint64(exp)<<fracBits64 | frac<<grow
}

// appendFloat appends a float in its shortest form. b are the bits of a float64.
func appendFloat(dst []byte, b uint64) []byte {
	sign := b >> 63
	if n, ok := binary16.fit(b); ok {
		return binary.BigEndian.AppendUint16(append(dst, cborFloat16), uint16(sign<<15|n))
	}
	if n, ok := binary32.fit(b); ok {
		return binary.BigEndian.AppendUint32(append(dst, cborFloat32), uint32(sign<<31|n))
	}
	return binary.BigEndian.AppendUint64(append(dst, cborFloat64), b)
}

// floatSize is the length of what appendFloat appends.
func floatSize(b uint64) int {
	if _, ok := binary16.fit(b); ok {
		return 3
	}
	if _, ok := binary32.fit(b); ok {
		return 5
	}
	return 9
}

// floatBits returns the bits, as float64, of an encoded float. REQUIRES: item is a whole one.
func floatBits(item []byte) uint64 {
	switch item[0] {
	case cborFloat16:
		n := uint64(binary.BigEndian.Uint16(item[1:]))
		return n>>15<<63 | binary16.widen(n&0x7fff)
	case cborFloat32:
		n := uint64(binary.BigEndian.Uint32(item[1:]))
		return n>>31<<63 | binary32.widen(n&0x7fff_ffff)
	default:
		return binary.BigEndian.Uint64(item[1:])
	}
}

// shortest reports whether a float found under head could not have been shorter.
func shortest(head byte, b uint64) bool {
	return floatSize(b) == 1<<(head-cborFloat16+1)+1
}

// wideFloat32 is float64(f) with the payload of a NaN kept.
func wideFloat32(f float32) float64 {
	n := uint64(math.Float32bits(f))
	return math.Float64frombits(n>>31<<63 | binary32.widen(n&0x7fff_ffff))
}

// narrowFloat32 is float32(f), and whether nothing was lost.
func narrowFloat32(f float64) (float32, bool) {
	b := math.Float64bits(f)
	n, ok := binary32.fit(b)
	return math.Float32frombits(uint32(b>>63<<31 | n)), ok
}
