package codec

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// golden compares lines with testdata/<name>.golden. The bytes of a released format never change,
// so an update is only ever right for lines that are new.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "%s: the bytes have changed", path)
}

func line(label string, b []byte) string { return fmt.Sprintf("%-40s %x", label, b) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// userKeys draws user keys that sit close together, with the bytes that matter to the engine.
func userKeys() *rapid.Generator[string] {
	odd := rapid.SampledFrom([]byte{0, 1, 9, 10, 13, 14, 18, '/', 'k', 'r', 0x7f, 0xfe, 0xff})
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(odd, 0, 12), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }),
		rapid.String(),
	)
}

// floats draws all bit patterns, the odd ones often.
func floats() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.SampledFrom(oddFloats()),
		rapid.Map(rapid.Uint64(), math.Float64frombits),
		rapid.Map(rapid.Uint32(), func(b uint32) float64 {
			return wideFloat32(math.Float32frombits(b))
		}),
		rapid.Map(rapid.Int16(), func(i int16) float64 { return float64(i) / 8 }),
	)
}

func oddFloats() []float64 {
	var all []float64
	for _, b := range []uint64{
		0, 1 << 63, 1, 1<<63 | 1, // zeros and the smallest subnormals
		0x3ff0000000000000, 0xbff8000000000000, 0x3fb999999999999a,
		0x7ff0000000000000, 0xfff0000000000000, // infinities
		0x7ff8000000000000, 0x7ff8000000000001, 0xfff8000000000000, // quiet NaNs
		0x7ff0000000000001, 0x7ff4000000000000, 0xfff0040000000000, 0x7ff0000020000000, // signalling
		0x40effc0000000000, 0x40f0000000000000, // 65504, the greatest binary16, and 65536
		0x3e70000000000000, 0x3e60000000000000, // 2^-24, the smallest binary16, and 2^-25
		0x3f10000000000000, 0x3f0ff80000000000, // around the smallest normal binary16
		0x47efffffe0000000, 0x47f0000000000000, // the greatest binary32, and 2^128
		0x36a0000000000000, 0x3690000000000000, // 2^-149, the smallest binary32, and 2^-150
		0x3810000000000000, 0x380fffffc0000000, // around the smallest normal binary32
		0x7fefffffffffffff, 0xffefffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff,
	} {
		all = append(all, math.Float64frombits(b))
	}
	return all
}

func oddInts() []int64 {
	return []int64{0, 1, -1, 23, 24, -24, -25, 255, 256, -256, -257, 65535, 65536, -65536, -65537,
		math.MaxInt32, math.MaxUint32, math.MaxUint32 + 1, -math.MaxUint32 - 1, -math.MaxUint32 - 2,
		math.MaxInt64, math.MinInt64}
}

func ints() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.SampledFrom(oddInts()), rapid.Int64(), rapid.Int64Range(-300, 300))
}

// values draws values of all kinds, nested up to depth.
func values(depth int) *rapid.Generator[Value] {
	text := rapid.Map(rapid.String(), String)
	scalars := rapid.OneOf(
		rapid.Just(Null()), rapid.Map(rapid.Bool(), Bool), rapid.Map(ints(), Int),
		rapid.Map(floats(), Float), text,
		rapid.Map(rapid.SliceOf(rapid.Byte()), Bytes),
	)
	if depth == 0 {
		return scalars
	}
	odd := rapid.SampledFrom([]string{"", "a", "b", "aa", "$bytes", "$map"})
	key := rapid.OneOf(rapid.String(), odd)
	return rapid.OneOf(
		scalars,
		rapid.Custom(func(t *rapid.T) Value {
			v, err := Array(rapid.SliceOfN(values(depth-1), 0, 5).Draw(t, "array")...)
			require.NoError(t, err)
			return v
		}),
		rapid.Custom(func(t *rapid.T) Value {
			v, err := Map(rapid.MapOfN(key, values(depth-1), 0, 5).Draw(t, "map"))
			require.NoError(t, err)
			return v
		}),
	)
}

func texts() *rapid.Generator[string] {
	return rapid.String().Filter(func(s string) bool { return utf8.ValidString(s) })
}

func mustMap(t testing.TB, m map[string]Value) Value {
	t.Helper()
	v, err := Map(m)
	require.NoError(t, err)
	return v
}

func mustArray(t testing.TB, e ...Value) Value {
	t.Helper()
	v, err := Array(e...)
	require.NoError(t, err)
	return v
}

func encode(t testing.TB, v Value) []byte {
	t.Helper()
	b, err := AppendValue(nil, v)
	require.NoError(t, err)
	return b
}
