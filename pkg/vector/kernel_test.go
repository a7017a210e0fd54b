package vector

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKernelsOfFixedRows(t *testing.T) {
	a := []float32{1, 2, 3}
	b := []float32{-4, 5, 6}
	require.Equal(t, float32(24), DotProduct(a, b))
	require.Equal(t, float32(43), SquaredL2(a, b))
	require.Equal(t, [4]float32{24, 14, 77, 24}, DotProduct4(a, b, a, []float32{22, 11, 11}, b))
	require.Equal(t, [4]float32{43, 0, 43, 43}, SquaredL24(a, b, a, b, b))

	p := []int8{-128, 127, 3}
	q := []int8{-128, -128, 1}
	require.Equal(t, int32(16384-16256+3), DotInt8(p, q))
	require.Equal(t, [4]int32{131, 32522, 131, 32769}, DotInt84(q, p, []int8{-128, -126, 10}, p, q))
}

func TestKernelsOfEmptyRows(t *testing.T) {
	require.Zero(t, DotProduct(nil, nil))
	require.Zero(t, SquaredL2(nil, nil))
	require.Zero(t, DotInt8(nil, nil))
	require.Zero(t, DotProduct4(nil, nil, nil, nil, nil))
	require.Zero(t, SquaredL24(nil, nil, nil, nil, nil))
	require.Zero(t, DotInt84(nil, nil, nil, nil, nil))
	require.Zero(t, Normalize(nil, nil))
}

// A row that is shorter than the first one is refused by the runtime, even if there is memory
// behind it, and never read past.
func TestKernelsShorterRowPanics(t *testing.T) {
	long, short := make([]float32, 64), make([]float32, 64)[:63]
	long8, short8 := make([]int8, 64), make([]int8, 64)[:63]
	for name, call := range map[string]func(){
		"dot":   func() { DotProduct(long, short) },
		"l2":    func() { SquaredL2(long, short) },
		"int8":  func() { DotInt8(long8, short8) },
		"dot4":  func() { DotProduct4(long, long, long, short, long) },
		"l24":   func() { SquaredL24(long, long, long, long, short) },
		"int84": func() { DotInt84(long8, short8, long8, long8, long8) },
	} {
		require.Panics(t, call, name)
	}
}

func TestKernelsAllocateNothing(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() {
		// Rows on the stack stay there.
		var a, b [100]float32
		var p, q [100]int8
		a[0], b[0], p[0], q[0] = 1, 2, 3, 4
		sum := DotProduct(a[:], b[:]) + SquaredL2(a[:], b[:]) + Normalize(a[:], b[:])
		sum += DotProduct4(a[:], b[:], b[:], b[:], b[:])[3] + SquaredL24(a[:], b[:], b[:], b[:], b[:])[0]
		n := DotInt8(p[:], q[:]) + DotInt84(p[:], q[:], q[:], q[:], q[:])[2]
		if sum == 0 || n != 24 {
			t.Fail()
		}
	}))
}

func TestNormalize(t *testing.T) {
	src := []float32{3, 0, -4}
	dst := make([]float32, 3)
	require.Equal(t, float32(5), Normalize(dst, src))
	require.Equal(t, []float32{0.6, 0, -0.8}, dst)
	require.Equal(t, []float32{3, 0, -4}, src)
	require.Equal(t, float32(5), Normalize(src, src), "in place")
	require.Equal(t, dst, src)

	require.Zero(t, Normalize(dst, []float32{0, 0, float32(math.Copysign(0, -1))}))
	require.Equal(t, []float32{0, 0, 0}, dst)

	// Squares that float32 cannot hold, above and below.
	for _, x := range []float32{math.MaxFloat32, 1e-30, math.SmallestNonzeroFloat32} {
		norm := Normalize(dst, []float32{0, x, 0})
		require.Equal(t, x, norm)
		require.Equal(t, []float32{0, 1, 0}, dst)
	}
	norm := Normalize(dst, []float32{math.MaxFloat32, math.MaxFloat32, 0})
	require.True(t, math.IsInf(float64(norm), 1))
	require.InDelta(t, math.Sqrt2/2, dst[0], 1e-7)

	nan := float32(math.NaN())
	require.True(t, math.IsNaN(float64(Normalize(dst, []float32{1, nan, 0}))))
}
