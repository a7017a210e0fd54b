package kernel

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/cpu"
)

const (
	neon        = 1 // every arm64 has it
	neonDotprod = 2 // for int8; float32 as neon
)

// levels names what this CPU and its operating system offer, in order. On macOS, which package cpu
// does not ask, every arm64 since the first has SDOT.
func levels() []string {
	names := []string{"portable", "neon", "neondotprod"}
	if !cpu.ARM64.HasASIMDDP && runtime.GOOS != "darwin" {
		return names[:neonDotprod]
	}
	return names
}

// Dot is the sum of a[i]*b[i]. See vector.DotProduct.
func Dot(a, b []float32) float32 {
	b = b[:len(a):len(b)] // the assembly looks at one length only
	if level >= neon {
		return dotNEON(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	}
	return dotPortable(a, b)
}

// SquaredL2 is the sum of (a[i]-b[i])². See vector.SquaredL2.
func SquaredL2(a, b []float32) float32 {
	b = b[:len(a):len(b)]
	if level >= neon {
		return squaredL2NEON(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	}
	return squaredL2Portable(a, b)
}

// DotInt8 is the sum of a[i]*b[i]. See vector.DotInt8.
func DotInt8(a, b []int8) int32 {
	b = b[:len(a):len(b)]
	switch level {
	case neonDotprod:
		return dotInt8Dotprod(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	case neon:
		return dotInt8NEON(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	}
	return dotInt8Portable(a, b)
}

// Dot4 is Dot of q and four rows. See vector.DotProduct4.
func Dot4(q, a, b, c, d []float32) (r [4]float32) {
	a, b, c, d = four(len(q), a, b, c, d)
	if level >= neon {
		dot4NEON(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	}
	return dot4Portable(q, a, b, c, d)
}

// SquaredL24 is SquaredL2 of q and four rows. See vector.SquaredL24.
func SquaredL24(q, a, b, c, d []float32) (r [4]float32) {
	a, b, c, d = four(len(q), a, b, c, d)
	if level >= neon {
		squaredL24NEON(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	}
	return squaredL24Portable(q, a, b, c, d)
}

// DotInt84 is DotInt8 of q and four rows. See vector.DotInt84.
func DotInt84(q, a, b, c, d []int8) (r [4]int32) {
	a, b, c, d = four(len(q), a, b, c, d)
	switch level {
	case neonDotprod:
		dotInt84Dotprod(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	case neon:
		dotInt84NEON(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	}
	return dotInt84Portable(q, a, b, c, d)
}

// All of them read n elements of each row and, the ones for four rows, write r.

//go:noescape
func dotNEON(a, b *float32, n int) float32

//go:noescape
func squaredL2NEON(a, b *float32, n int) float32

//go:noescape
func dotInt8NEON(a, b *int8, n int) int32

//go:noescape
func dot4NEON(q, a, b, c, d *float32, n int, r *[4]float32)

//go:noescape
func squaredL24NEON(q, a, b, c, d *float32, n int, r *[4]float32)

//go:noescape
func dotInt84NEON(q, a, b, c, d *int8, n int, r *[4]int32)

//go:noescape
func dotInt8Dotprod(a, b *int8, n int) int32

//go:noescape
func dotInt84Dotprod(q, a, b, c, d *int8, n int, r *[4]int32)
