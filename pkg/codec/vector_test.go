package codec

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func goldenVectorRows(t testing.TB) []VectorRow {
	negativeZero := math.Float32frombits(1 << 31)
	return []VectorRow{
		{Vector: []float32{1}},
		{Vector: []float32{1, -0.5, 0.1}},
		{Vector: []float32{0, negativeZero, math.MaxFloat32, math.SmallestNonzeroFloat32}},
		{Vector: []float32{0.25, 2}, Metadata: mustMap(t, map[string]Value{
			"kind": String("fact"), "year": Int(2026)})},
		{Vector: []float32{3}, Metadata: mustMap(t, nil)},
	}
}

func goldenVectorCollections() []VectorCollection {
	return []VectorCollection{
		{Dimension: 384, Metric: MetricCosine},
		{Dimension: 1, Metric: MetricDot, Index: IndexFlat},
		{Dimension: MaxDimension, Metric: MetricL2, Index: IndexGraph, Links: 16, Candidates: 200},
		{Dimension: 3, Metric: MetricL2, Links: MaxGraphParameter, Dropping: true},
	}
}

func TestGoldenVectors(t *testing.T) {
	var lines []string
	for _, r := range goldenVectorRows(t) {
		b, err := AppendVectorRow(nil, r)
		require.NoError(t, err)
		lines = append(lines, line("vector row", b))
	}
	for _, c := range goldenVectorCollections() {
		b, err := AppendVectorCollection(nil, c)
		require.NoError(t, err)
		lines = append(lines, line("vector collection", b))
	}
	for _, user := range []string{VectorCollectionKey("facts"), VectorRowKey("facts", "paris"),
		VectorRowKey("a\x00b", "\x00\xff")} {
		label := FormatKey(42, Vectors, user)
		lines = append(lines, line(label, keyParts{42, Vectors, user, 258}.encode(t)))
	}
	golden(t, "vectors", lines)
}

func vectorRows() *rapid.Generator[VectorRow] {
	component := rapid.OneOf(rapid.Float32(), rapid.Map(rapid.Uint32(), math.Float32frombits)).
		Filter(func(x float32) bool { return finite(x) })
	return rapid.Custom(func(t *rapid.T) VectorRow {
		r := VectorRow{Vector: rapid.SliceOfN(component, 1, 20).Draw(t, "vector")}
		if rapid.Bool().Draw(t, "metadata") {
			v, err := Map(rapid.MapOfN(rapid.String(), values(1), 0, 4).Draw(t, "map"))
			require.NoError(t, err)
			r.Metadata = v
		}
		return r
	})
}

// What was written is read, bit by bit, by both decoders; and it does not hang on the byte order of
// the machine.
func TestVectorRowRoundTrip(t *testing.T) {
	defer func(was bool) { littleEndian = was }(littleEndian)
	rapid.Check(t, func(t *rapid.T) {
		r := vectorRows().Draw(t, "row")
		littleEndian = true
		b, err := AppendVectorRow([]byte("before"), r)
		require.NoError(t, err)
		b = b[len("before"):]
		littleEndian = rapid.Bool().Draw(t, "read as little-endian")
		again, err := AppendVectorRow(nil, r)
		require.NoError(t, err)
		require.Equal(t, b, again)
		got, err := DecodeVectorRow(b)
		require.NoError(t, err)
		requireSameBits(t, r.Vector, got.Vector)
		require.Equal(t, r.Metadata, got.Metadata)
		v, err := DecodeVector([]float32{7}, b)
		require.NoError(t, err)
		requireSameBits(t, append([]float32{7}, r.Vector...), v)
	})
}

func requireSameBits(t require.TestingT, want, got []float32) {
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "component %d", i)
	}
}

// R301: what is no vector is refused, by the encoder and by both decoders.
func TestR301VectorRowRefused(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		row VectorRow
		err error
	}{
		{VectorRow{}, ErrInvalidArgument},
		{VectorRow{Vector: []float32{1, nan}}, ErrInvalidArgument},
		{VectorRow{Vector: []float32{inf}}, ErrInvalidArgument},
		{VectorRow{Vector: []float32{1, 2, -inf, 4}}, ErrInvalidArgument},
		{VectorRow{Vector: make([]float32, MaxDimension+1)}, ErrTooLarge},
		{VectorRow{Vector: []float32{1}, Metadata: Int(1)}, ErrTypeMismatch},
		{VectorRow{Vector: []float32{1, 2}, Metadata: mustMap(t, map[string]Value{
			"": Bytes(make([]byte, MaxValueSize-12))})}, ErrTooLarge},
	} {
		b, err := AppendVectorRow([]byte("x"), c.row)
		require.ErrorIs(t, err, c.err)
		require.Equal(t, "x", string(b))
	}
	for what, b := range map[string]string{
		"empty":               "",
		"no fields":           "a0",
		"no vector":           "a1 02 a0",
		"no components":       "a1 01 40",
		"three bytes":         "a1 01 43 000000",
		"cut short":           "a1 01 44 000000",
		"NaN":                 "a1 01 44 0000c07f",
		"infinity, second":    "a1 01 48 00000000 0000807f",
		"negative infinity":   "a1 01 48 000080ff 00000000",
		"metadata null":       "a2 01 44 00000000 02 f6",
		"metadata a number":   "a2 01 44 00000000 02 01",
		"bytes behind it":     "a1 01 44 00000000 00",
		"vector a text":       "a1 01 64 00000000",
		"fields out of order": "a2 02 a0 01 44 00000000",
	} {
		_, err := DecodeVectorRow(unhex(t, b))
		require.ErrorIs(t, err, ErrCorrupt, what)
	}
	_, err := DecodeVectorRow(unhex(t, "a2 01 44 00000000 03 01"))
	require.ErrorIs(t, err, ErrFormat)
	dst := make([]float32, 1, 8)
	for _, b := range []string{"", "a0", "a1 02 a0", "a1 01 44 0000c07f", "a1 01 40", "a1 03 40"} {
		v, err := DecodeVector(dst, unhex(t, b))
		require.ErrorIs(t, err, ErrCorrupt, b)
		require.Len(t, v, 1)
	}
	huge, err := AppendVectorRow(nil, VectorRow{Vector: make([]float32, MaxDimension)})
	require.NoError(t, err)
	row, err := DecodeVectorRow(huge)
	require.NoError(t, err)
	require.Len(t, row.Vector, MaxDimension)
}

func TestVectorCollectionRefused(t *testing.T) {
	good := VectorCollection{Dimension: 3, Metric: MetricDot}
	for _, change := range []func(*VectorCollection){
		func(c *VectorCollection) { c.Dimension = 0 },
		func(c *VectorCollection) { c.Dimension = -1 },
		func(c *VectorCollection) { c.Dimension = MaxDimension + 1 },
		func(c *VectorCollection) { c.Metric = 0 },
		func(c *VectorCollection) { c.Metric = 4 },
		func(c *VectorCollection) { c.Index = 3 },
		func(c *VectorCollection) { c.Links = -1 },
		func(c *VectorCollection) { c.Candidates = MaxGraphParameter + 1 },
	} {
		c := good
		change(&c)
		_, err := AppendVectorCollection(nil, c)
		require.ErrorIs(t, err, ErrInvalidArgument)
	}
	for _, b := range []string{"", "a0", "a1 01 03", "a1 02 01", "a2 01 00 02 01", "a2 01 03 02 00",
		"a3 01 03 02 01 06 02", "a2 01 1a 00010001 02 01"} {
		_, err := DecodeVectorCollection(unhex(t, b))
		require.ErrorIs(t, err, ErrCorrupt, b)
	}
	for _, b := range []string{"a2 01 03 02 04", "a3 01 03 02 01 03 03", "a3 01 03 02 01 07 01"} {
		_, err := DecodeVectorCollection(unhex(t, b))
		require.ErrorIs(t, err, ErrFormat, b)
	}
}

// A collection is one range of keys, whatever the names: its record, then its rows by id.
func TestVectorKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		odd := rapid.SampledFrom([]string{"\x00", "\x01", "a", "b", "\xff"})
		name := rapid.Map(rapid.SliceOfN(odd, 1, 3), func(s []string) string {
			return strings.Join(s, "")
		})
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		x, y := name.Draw(t, "x"), name.Draw(t, "y")
		prefix := VectorCollectionKey(a)
		require.Less(t, prefix, VectorRowKey(a, x))
		require.Equal(t, x < y, VectorRowKey(a, x) < VectorRowKey(a, y))
		require.Equal(t, a == b, strings.HasPrefix(VectorRowKey(b, x), prefix))
		require.Equal(t, a < b, prefix < VectorRowKey(b, x) && !strings.HasPrefix(
			VectorRowKey(b, x), prefix))
		gotName, gotID, err := DecodeVectorKey(VectorRowKey(a, x))
		require.NoError(t, err)
		require.Equal(t, []string{a, x}, []string{gotName, gotID})
	})
	long := strings.Repeat("\x00", MaxVectorName)
	_, err := AppendKey(nil, 1, Vectors, VectorRowKey(long, long))
	require.NoError(t, err)
	for _, user := range []string{"", "x", VectorCollectionKey(""), VectorCollectionKey(long + "a"),
		VectorRowKey("a", long+"a"), "\x60abc", "\x10\x60a\x00\x01"} {
		_, _, err := DecodeVectorKey(user)
		require.ErrorIs(t, err, ErrCorrupt, "%q", user)
	}
}

func TestCheckVectorRecord(t *testing.T) {
	row, err := AppendVectorRow(nil, VectorRow{Vector: []float32{1}})
	require.NoError(t, err)
	record, err := AppendVectorCollection(nil, VectorCollection{Dimension: 1, Metric: MetricL2})
	require.NoError(t, err)
	require.NoError(t, CheckVectorRecord(VectorRowKey("a", "b"), row))
	require.NoError(t, CheckVectorRecord(VectorCollectionKey("a"), record))
	require.Error(t, CheckVectorRecord(VectorRowKey("a", "b"), record))
	require.Error(t, CheckVectorRecord(VectorCollectionKey("a"), row))
	require.Error(t, CheckVectorRecord("a", row))
}

func FuzzDecodeVectorRow(f *testing.F) {
	for _, r := range goldenVectorRows(f) {
		b, err := AppendVectorRow(nil, r)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		light, lightErr := DecodeVector(nil, b)
		r := newReader("vector row", b)
		row, err := readVectorRow(&r, nil)
		if refused(t, err) {
			refused(t, lightErr)
			return
		}
		require.NoError(t, lightErr)
		requireSameBits(t, row.Vector, light)
		if again, err := AppendVectorRow(nil, row); r.ignored == 0 {
			require.NoError(t, err)
			require.Equal(t, b, again)
		}
		walk(t, row.Metadata)
	})
}

func FuzzDecodeVectorCollection(f *testing.F) {
	for _, c := range goldenVectorCollections() {
		b, err := AppendVectorCollection(nil, c)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader("vector collection", b)
		c, err := readVectorCollection(&r)
		if refused(t, err) || r.ignored > 0 {
			return
		}
		again, err := AppendVectorCollection(nil, c)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func FuzzDecodeVectorKey(f *testing.F) {
	f.Add(VectorRowKey("facts", "paris"))
	f.Add(VectorCollectionKey("a\x00b"))
	f.Fuzz(func(t *testing.T, user string) {
		name, id, err := DecodeVectorKey(user)
		if !refused(t, err) {
			require.Equal(t, user, VectorRowKey(name, id))
		}
	})
}

func BenchmarkDecodeVector(b *testing.B) {
	for _, n := range []int{128, 384, 1536} {
		row, err := AppendVectorRow(nil, VectorRow{Vector: make([]float32, n)})
		require.NoError(b, err)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var dst []float32
			for b.Loop() {
				if dst, err = DecodeVector(dst[:0], row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
