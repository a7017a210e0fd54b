package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

const (
	avx2       = 1 // with FMA
	avx512     = 2 // F, BW, DQ and VL
	avx512vnni = 3 // for int8; float32 as avx512
)

// levels names what this CPU and its operating system offer, in order.
func levels() []string {
	names := []string{"portable", "avx2", "avx512", "avx512vnni"}
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return names[:avx2]
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return names[:avx512]
	case !x.HasAVX512VNNI:
		return names[:avx512vnni]
	}
	return names
}

// Dot is the sum of a[i]*b[i]. See vector.DotProduct.
func Dot(a, b []float32) float32 {
	b = b[:len(a):len(b)] // the assembly looks at one length only
	switch {
	case level >= avx512:
		return dotAVX512(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	case level == avx2:
		return dotAVX2(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	}
	return dotPortable(a, b)
}

// SquaredL2 is the sum of (a[i]-b[i])². See vector.SquaredL2.
func SquaredL2(a, b []float32) float32 {
	b = b[:len(a):len(b)]
	switch {
	case level >= avx512:
		return squaredL2AVX512(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	case level == avx2:
		return squaredL2AVX2(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	}
	return squaredL2Portable(a, b)
}

// DotInt8 is the sum of a[i]*b[i]. See vector.DotInt8.
func DotInt8(a, b []int8) int32 {
	b = b[:len(a):len(b)]
	switch level {
	case avx512vnni:
		return dotInt8VNNI(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	case avx512:
		return dotInt8AVX512(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	case avx2:
		return dotInt8AVX2(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	}
	return dotInt8Portable(a, b)
}

// Dot4 is Dot of q and four rows. See vector.DotProduct4.
func Dot4(q, a, b, c, d []float32) (r [4]float32) {
	a, b, c, d = four(len(q), a, b, c, d)
	switch {
	case level >= avx512:
		dot4AVX512(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	case level == avx2:
		dot4AVX2(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	}
	return dot4Portable(q, a, b, c, d)
}

// SquaredL24 is SquaredL2 of q and four rows. See vector.SquaredL24.
func SquaredL24(q, a, b, c, d []float32) (r [4]float32) {
	a, b, c, d = four(len(q), a, b, c, d)
	switch {
	case level >= avx512:
		squaredL24AVX512(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	case level == avx2:
		squaredL24AVX2(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	}
	return squaredL24Portable(q, a, b, c, d)
}

// DotInt84 is DotInt8 of q and four rows. See vector.DotInt84.
func DotInt84(q, a, b, c, d []int8) (r [4]int32) {
	a, b, c, d = four(len(q), a, b, c, d)
	switch level {
	case avx512vnni:
		dotInt84VNNI(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	case avx512:
		dotInt84AVX512(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	case avx2:
		dotInt84AVX2(unsafe.SliceData(q), unsafe.SliceData(a), unsafe.SliceData(b),
			unsafe.SliceData(c), unsafe.SliceData(d), len(q), &r)
		return r
	}
	return dotInt84Portable(q, a, b, c, d)
}

// All of them read n elements of each row and, the ones for four rows, write r.

//go:noescape
func dotAVX2(a, b *float32, n int) float32

//go:noescape
func squaredL2AVX2(a, b *float32, n int) float32

//go:noescape
func dotInt8AVX2(a, b *int8, n int) int32

//go:noescape
func dot4AVX2(q, a, b, c, d *float32, n int, r *[4]float32)

//go:noescape
func squaredL24AVX2(q, a, b, c, d *float32, n int, r *[4]float32)

//go:noescape
func dotInt84AVX2(q, a, b, c, d *int8, n int, r *[4]int32)

//go:noescape
func dotAVX512(a, b *float32, n int) float32

//go:noescape
func squaredL2AVX512(a, b *float32, n int) float32

//go:noescape
func dotInt8AVX512(a, b *int8, n int) int32

//go:noescape
func dot4AVX512(q, a, b, c, d *float32, n int, r *[4]float32)

//go:noescape
func squaredL24AVX512(q, a, b, c, d *float32, n int, r *[4]float32)

//go:noescape
func dotInt84AVX512(q, a, b, c, d *int8, n int, r *[4]int32)

//go:noescape
func dotInt8VNNI(a, b *int8, n int) int32

//go:noescape
func dotInt84VNNI(q, a, b, c, d *int8, n int, r *[4]int32)
