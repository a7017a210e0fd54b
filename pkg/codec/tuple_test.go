package codec

import (
	"bytes"
	"cmp"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func elements() *rapid.Generator[Element] {
	return rapid.Custom(func(t *rapid.T) Element {
		e := Element{Kind: rapid.SampledFrom([]ElementKind{ElementNil, ElementFalse, ElementTrue,
			ElementInt, ElementFloat, ElementTime, ElementString, ElementBytes}).Draw(t, "kind")}
		switch e.Kind {
		case ElementInt, ElementTime:
			e.Int = ints().Draw(t, "int")
		case ElementFloat:
			e.Float = floats().Draw(t, "float")
		case ElementString, ElementBytes:
			e.Text = userKeys().Draw(t, "text")
		}
		return e
	})
}

// floatRank is the IEEE 754 total order as an integer.
func floatRank(f float64) int64 {
	b := int64(math.Float64bits(f))
	return b ^ int64(uint64(b>>63)>>1)
}

// compareElements is the promised order, written without bytes.
func compareElements(a, b []Element) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if c := cmp.Or(
			cmp.Compare(a[i].Kind, b[i].Kind),
			cmp.Compare(a[i].Int, b[i].Int),
			cmp.Compare(floatRank(a[i].Float), floatRank(b[i].Float)),
			cmp.Compare(a[i].Text, b[i].Text),
		); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func encodeTuple(elements []Element) Tuple {
	var t Tuple
	for _, e := range elements {
		t = t.AppendElement(e)
	}
	return t
}

// R024: order, injectivity, and every element says where it ends.
func TestR024TupleOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(elements(), 0, 4).Draw(t, "a")
		b := rapid.SliceOfN(elements(), 0, 4).Draw(t, "b")
		if n := rapid.IntRange(0, 4).Draw(t, "common"); n <= len(a) {
			b = append(a[:n:n], b...)
		}
		checkTuples(t, a, b)
		var decoded []Element
		rest := append([]byte(encodeTuple(a)), 0xff, 0x00)
		for range a {
			e, next, err := NextElement(rest)
			require.NoError(t, err)
			decoded, rest = append(decoded, e), next
		}
		require.Equal(t, []byte{0xff, 0x00}, rest)
		require.Zero(t, compareElements(a, decoded))
	})
}

func checkTuples(t require.TestingT, a, b []Element) {
	ea, eb := encodeTuple(a), encodeTuple(b)
	require.Equal(t, compareElements(a, b), bytes.Compare(ea, eb), "%x\n%x", ea, eb)
	decoded, err := DecodeTuple(ea)
	require.NoError(t, err)
	require.Len(t, decoded, len(a))
	require.Zero(t, compareElements(a, decoded))
}

func TestTupleFloatOrder(t *testing.T) {
	negativeNaN := math.Float64frombits(0xfff8000000000000)
	sorted := []float64{negativeNaN, math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64,
		math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, 1, math.MaxFloat64, math.Inf(1),
		math.NaN()}
	for i := 1; i < len(sorted); i++ {
		a, b := Tuple(nil).AppendFloat(sorted[i-1]), Tuple(nil).AppendFloat(sorted[i])
		require.Negative(t, bytes.Compare(a, b), "%v < %v", sorted[i-1], sorted[i])
	}
}

func TestTupleKindsAndAppenders(t *testing.T) {
	b := Tuple(nil).AppendNil().AppendBool(false).AppendBool(true).AppendInt(-1).AppendFloat(1.5).
		AppendTime(1e18).AppendString("a\x00b").AppendBytes([]byte{0})
	got, err := DecodeTuple(b)
	require.NoError(t, err)
	require.Equal(t, []Element{{Kind: ElementNil}, {Kind: ElementFalse}, {Kind: ElementTrue},
		{Kind: ElementInt, Int: -1}, {Kind: ElementFloat, Float: 1.5},
		{Kind: ElementTime, Int: 1e18},
		{Kind: ElementString, Text: "a\x00b"}, {Kind: ElementBytes, Text: "\x00"}}, got)
	for _, bad := range [][]byte{{0}, {0x11}, {0x30, 1, 2}, {0x60}, {0x60, 'a'}, {0x60, 0},
		{0x60, 0, 2}, {0x60, 0, 0xff}} {
		_, err := DecodeTuple(bad)
		require.ErrorIs(t, err, ErrCorrupt, "%x", bad)
	}
	_, _, err = NextElement(nil)
	require.ErrorIs(t, err, ErrCorrupt)
}

func FuzzDecodeTuple(f *testing.F) {
	f.Add([]byte(Tuple(nil).AppendString("a\x00b").AppendInt(7)), []byte(Tuple(nil).AppendNil()))
	f.Add([]byte(Tuple(nil).AppendString("a")), []byte(Tuple(nil).AppendString("a\x00")))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		ea, err := DecodeTuple(a)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.True(t, bytes.Equal(a, encodeTuple(ea)))
		if eb, err := DecodeTuple(b); err == nil {
			checkTuples(t, ea, eb)
		}
		// Raw bytes as texts: order and injectivity without going through the decoder.
		checkTuples(t, []Element{{Kind: ElementBytes, Text: string(a)}, {Kind: ElementNil}},
			[]Element{{Kind: ElementBytes, Text: string(b)}, {Kind: ElementTrue}})
	})
}
