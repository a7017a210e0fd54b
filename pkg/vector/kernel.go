package vector

import (
	"math"

	"github.com/inmem-db/inmem/pkg/vector/internal/kernel"
)

// The functions of this file add up coordinates of rows, with the best loops that the CPU has. They
// take any length, 0 included, allocate nothing, keep nothing, and are safe for concurrent use.
//
// All rows of a call have the same length. That is the caller's promise: one that is shorter than
// the first panics as an index out of range does, and what is behind that length is ignored.
//
// A float32 result is rounded in an order of additions that depends on the level in use (see
// Kernels): the same bits for the same rows within one level, and at every level off the exact sum
// by no more than (len/8+8)/2²⁴ of the sum of the absolute terms. NaN and infinities of the rows go
// where float arithmetic carries them; finite rows whose terms pass the largest float32 give an
// infinity (or, if both signs do, NaN). Results of int8 rows are exact and the same everywhere.

// DotProduct returns the sum of a[i]*b[i].
func DotProduct(a, b []float32) float32 { return kernel.Dot(a, b) }

// DotProduct4 returns the dot products of q with four rows, bit for bit what four calls of
// DotProduct give, in about two thirds of the time.
func DotProduct4(q, a, b, c, d []float32) (r [4]float32) { return kernel.Dot4(q, a, b, c, d) }

// SquaredL2 returns the sum of (a[i]-b[i])², the square of the Euclidean distance.
func SquaredL2(a, b []float32) float32 { return kernel.SquaredL2(a, b) }

// SquaredL24 returns the squared distances of q to four rows, bit for bit what four calls of
// SquaredL2 give, in about two thirds of the time.
func SquaredL24(q, a, b, c, d []float32) (r [4]float32) { return kernel.SquaredL24(q, a, b, c, d) }

// DotInt8 returns the sum of a[i]*b[i]. It is exact up to 131,071 coordinates; beyond, a sum that
// int32 cannot hold wraps around.
func DotInt8(a, b []int8) int32 { return kernel.DotInt8(a, b) }

// DotInt84 returns DotInt8 of q with four rows, in about half the time of four calls.
func DotInt84(q, a, b, c, d []int8) (r [4]int32) { return kernel.DotInt84(q, a, b, c, d) }

// Kernels names the loops that this process uses: "portable", or what the CPU offers beyond it
// ("avx2", "avx512", "avx512vnni" on amd64, "neon", "neondotprod" on arm64; elsewhere there is
// nothing beyond it). The environment variable INMEM_KERNELS forces one, read once at the start of
// the process; a name that is unknown, or a level that this CPU does not have, is ignored.
func Kernels() string { return kernel.Level() }

// Normalize writes src, scaled to length 1, to dst and returns the length that src had. The two
// have the same length (as above) and may be the same slice.
//
// A zero row stays zero and gives 0. A row with a NaN or an infinity gives rows and lengths that
// are not finite either: check before. The length of a row of finite numbers is rounded from
// float64, so that only one beyond the largest float32 comes back as infinity; what is written to
// dst is right even then. The bits do not depend on the level in use.
func Normalize(dst, src []float32) (norm float32) {
	dst = dst[:len(src)]
	// The square of a float32 is exact in float64, so fusing it with the addition changes nothing.
	var sum float64
	for _, x := range src {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		clear(dst)
		return 0
	}
	length := math.Sqrt(sum)
	scale := 1 / length
	for i, x := range src {
		dst[i] = float32(float64(x) * scale)
	}
	return float32(length)
}
