package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// lengths are all short ones, where rests of every size and mask occur, and some odd longer ones.
func lengths() []int {
	var all []int
	for n := range 201 {
		all = append(all, n)
	}
	return append(all, 255, 256, 257, 383, 384, 511, 640, 767, 1000, 1025, 1536, 4099)
}

// eachLevel runs a test with every level that this CPU has.
func eachLevel(t *testing.T, test func(t *testing.T)) {
	before := level
	t.Cleanup(func() { level = before })
	for i, name := range levels() {
		t.Run(name, func(t *testing.T) {
			level = i
			require.Equal(t, name, Level())
			test(t)
		})
	}
}

// floats returns n coordinates at an offset of their array that no register is aligned to, with
// NaNs around them: a loop that reads past an end shows it.
func floats(rng *rand.Rand, n, offset int) []float32 {
	all := make([]float32, offset+n+64)
	for i := range all {
		all[i] = float32(math.NaN())
	}
	for i := range n {
		all[offset+i] = float32(rng.NormFloat64())
	}
	return all[offset : offset+n]
}

// bytesOf is floats for int8: extreme values every now and then, and 127 around them.
func bytesOf(rng *rand.Rand, n, offset int) []int8 {
	all := make([]int8, offset+n+128)
	for i := range all {
		all[i] = 127
	}
	for i := range n {
		all[offset+i] = int8(rng.IntN(256) - 128)
		if rng.IntN(4) == 0 {
			all[offset+i] = -128
		}
	}
	return all[offset : offset+n]
}

// plain is the loop that everything is measured against: the sum, and the sum of absolute terms.
func plain(a, b []float32, term func(x, y float64) float64) (sum, terms float64) {
	for i := range a {
		x := term(float64(a[i]), float64(b[i]))
		sum += x
		terms += math.Abs(x)
	}
	return sum, terms
}

func product(x, y float64) float64 { return x * y }
func square(x, y float64) float64  { return (x - y) * (x - y) }

// within is the error that package vector states.
func within(t *testing.T, n int, want, terms float64, got float32) {
	t.Helper()
	bound := float64(n/8+8) * 0x1p-24 * terms
	require.LessOrEqual(t, math.Abs(want-float64(got)), bound, "length %d: %v, want %v", n, got, want)
}

func TestFloatLevelsAgreeWithThePlainLoop(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, n := range lengths() {
			q := floats(rng, n, n%5)
			rows := make([][]float32, 4)
			for i := range rows {
				rows[i] = floats(rng, n, (n+3*i)%7)
			}
			dots := Dot4(q, rows[0], rows[1], rows[2], rows[3])
			squares := SquaredL24(q, rows[0], rows[1], rows[2], rows[3])
			for i, row := range rows {
				want, terms := plain(q, row, product)
				within(t, n, want, terms, Dot(q, row))
				require.Equal(t, Dot(q, row), dots[i], "length %d, row %d: same bits", n, i)

				want, terms = plain(q, row, square)
				within(t, n, want, terms, SquaredL2(q, row))
				require.Equal(t, SquaredL2(q, row), squares[i], "length %d, row %d: same bits", n, i)

				// The same coordinates at another place in memory.
				moved := append(make([]float32, 1, n+1), row...)[1:]
				require.Equal(t, Dot(q, row), Dot(q, moved))
				require.Equal(t, SquaredL2(q, row), SquaredL2(q, moved))
			}
		}
	})
}

func TestInt8LevelsAreExact(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, n := range append(lengths(), 65_536+77) {
			q := bytesOf(rng, n, n%5)
			rows := make([][]int8, 4)
			want := [4]int32{}
			for i := range rows {
				rows[i] = bytesOf(rng, n, (n+3*i)%7)
				for j := range q {
					want[i] += int32(q[j]) * int32(rows[i][j])
				}
				require.Equal(t, want[i], DotInt8(q, rows[i]), "length %d, row %d", n, i)
			}
			require.Equal(t, want, DotInt84(q, rows[0], rows[1], rows[2], rows[3]), "length %d", n)
		}
	})
}

// The extremes: the longest row whose sum an int32 is sure to hold, and one coordinate more, which
// wraps around at every level alike.
func TestInt8Extremes(t *testing.T) {
	low, high := make([]int8, 131_072), make([]int8, 131_072)
	for i := range low {
		low[i], high[i] = -128, 127
	}
	most := low[:131_071]
	eachLevel(t, func(t *testing.T) {
		require.Equal(t, int32(131_071*16_384), DotInt8(most, most))
		require.Equal(t, int32(-131_071*128*127), DotInt8(most, high[:131_071]))
		require.Equal(t, int32(131_071*127*127), DotInt8(high[:131_071], high[:131_071]))
		require.Equal(t, int32(math.MinInt32), DotInt8(low, low))
		require.Equal(t, [4]int32{math.MinInt32, -1 << 31 / 128 * 127, math.MinInt32, math.MinInt32},
			DotInt84(low, low, high, low, low))
	})
}

func TestNaNAndInfinityArrive(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachLevel(t, func(t *testing.T) {
		for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 130} {
			for at := range n {
				ones, row := make([]float32, n), make([]float32, n)
				for i := range ones {
					ones[i], row[i] = 1, 2
				}
				row[at] = inf
				require.Equal(t, inf, Dot(ones, row), "length %d at %d", n, at)
				require.Equal(t, inf, SquaredL2(ones, row), "length %d at %d", n, at)
				require.Equal(t, inf, Dot(row, ones), "length %d at %d", n, at)
				require.Equal(t, [4]float32{inf, inf, inf, inf}, Dot4(row, ones, ones, ones, ones))
				for i := range 4 { // it stays in its row
					x, dots, squares := [4][]float32{ones, ones, ones, ones}, [4]float32{}, [4]float32{}
					for j := range dots {
						dots[j] = float32(n)
					}
					x[i], dots[i], squares[i] = row, inf, inf
					require.Equal(t, dots, Dot4(ones, x[0], x[1], x[2], x[3]))
					require.Equal(t, squares, SquaredL24(ones, x[0], x[1], x[2], x[3]))
				}

				row[at] = nan
				require.True(t, math.IsNaN(float64(Dot(ones, row))), "length %d at %d", n, at)
				require.True(t, math.IsNaN(float64(SquaredL2(row, ones))), "length %d at %d", n, at)
				for i, x := range Dot4(row, ones, ones, ones, ones) {
					require.True(t, math.IsNaN(float64(x)), "length %d at %d, row %d", n, at, i)
				}
			}
		}
		huge := []float32{math.MaxFloat32, math.MaxFloat32}
		require.Equal(t, inf, Dot(huge, huge))
		require.Equal(t, inf, SquaredL2(huge, []float32{-math.MaxFloat32, 0}))
	})
}

func TestLevelsAreChosen(t *testing.T) {
	names := []string{"portable", "good", "better"}
	require.Equal(t, 2, choose(names, ""), "the best one")
	require.Equal(t, 1, choose(names, "good"))
	require.Equal(t, 0, choose(names, "portable"))
	require.Equal(t, 2, choose(names, "neon"), "a level that is not here is ignored")
	require.Equal(t, "portable", levels()[portable])
}

func BenchmarkKernels(b *testing.B) {
	before := level
	b.Cleanup(func() { level = before })
	rng := rand.New(rand.NewPCG(5, 6))
	for i, name := range append([]string{"plain"}, levels()...) {
		for _, n := range []int{128, 384, 768, 1536} {
			f, g := floats(rng, n, 0), floats(rng, n, 0)
			p, q := bytesOf(rng, n, 0), bytesOf(rng, n, 0)
			bench := func(kind string, rows int, call func()) {
				b.Run(fmt.Sprintf("%s/%s/%d", kind, name, n), func(b *testing.B) {
					level = i - 1
					for b.Loop() {
						call()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
				})
			}
			if name == "plain" {
				bench("dot", 1, func() { sinkFloat = plainDot(f, g) })
				bench("l2", 1, func() { sinkFloat = plainSquares(f, g) })
				bench("int8", 1, func() { sinkInt = plainInt8(p, q) })
				continue
			}
			bench("dot", 1, func() { sinkFloat = Dot(f, g) })
			bench("l2", 1, func() { sinkFloat = SquaredL2(f, g) })
			bench("int8", 1, func() { sinkInt = DotInt8(p, q) })
			bench("dot4", 4, func() { sinkFloat = Dot4(f, g, g, g, g)[3] })
			bench("l24", 4, func() { sinkFloat = SquaredL24(f, g, g, g, g)[3] })
			bench("int84", 4, func() { sinkInt = DotInt84(p, q, q, q, q)[3] })
		}
	}
}

var (
	sinkFloat float32
	sinkInt   int32
)

func plainDot(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func plainSquares(a, b []float32) (sum float32) {
	for i := range a {
		d := a[i] - b[i]
		sum += d * d
	}
	return sum
}

func plainInt8(a, b []int8) (sum int32) {
	for i := range a {
		sum += int32(a[i]) * int32(b[i])
	}
	return sum
}
