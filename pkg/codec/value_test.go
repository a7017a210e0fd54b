package codec

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// reference returns fxamacker/cbor in core deterministic mode, as strict as it can be.
func reference(t testing.TB) (cbor.EncMode, cbor.DecMode) {
	t.Helper()
	eo := cbor.CoreDetEncOptions()
	eo.NaNConvert = cbor.NaNConvertPreserveSignal
	enc, err := eo.EncMode()
	require.NoError(t, err)
	var rejected []func(*cbor.SimpleValueRegistry) error
	for sv := range 256 {
		if sv < 20 || sv == 23 || sv > 31 {
			rejected = append(rejected, cbor.WithRejectedSimpleValue(cbor.SimpleValue(sv)))
		}
	}
	simple, err := cbor.NewSimpleValueRegistryFromDefaults(rejected...)
	require.NoError(t, err)
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  MaxNesting,
		MaxArrayElements: math.MaxInt32,
		MaxMapPairs:      math.MaxInt32,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		IntDec:           cbor.IntDecConvertSignedOrFail,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		UTF8:             cbor.UTF8RejectInvalid,
		SimpleValues:     simple,
	}.DecMode()
	require.NoError(t, err)
	return enc, dec
}

func hasNaN(v Value) bool {
	f, err := v.AsFloat()
	nan := err == nil && math.IsNaN(f)
	for _, e := range v.Items() {
		nan = nan || hasNaN(e)
	}
	for _, e := range v.Entries() {
		nan = nan || hasNaN(e)
	}
	return nan
}

// R027: every value comes back as it was, and its bytes are those of another implementation.
func TestR027RoundTrip(t *testing.T) {
	enc, _ := reference(t)
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "value")
		b, err := AppendValue([]byte("x"), v)
		require.NoError(t, err)
		b = b[1:]
		require.Equal(t, len(b), v.EncodedSize())
		got, err := DecodeValue(b)
		require.NoError(t, err)
		require.True(t, v == got && v.Equal(got), "%#v\n%#v", v, got)
		require.Equal(t, v, got.Clone())
		want, err := enc.Marshal(v.plain())
		require.NoError(t, err)
		require.Equal(t, want, b)
	})
}

func TestR027EdgesOfScalars(t *testing.T) {
	for _, i := range oddInts() {
		v, err := DecodeValue(encode(t, Int(i)))
		require.NoError(t, err)
		got, err := v.AsInt()
		require.NoError(t, err)
		require.Equal(t, i, got)
	}
	for _, f := range oddFloats() {
		b := encode(t, Float(f))
		v, err := DecodeValue(b)
		require.NoError(t, err)
		got, err := v.AsFloat()
		require.NoError(t, err)
		require.Equal(t, math.Float64bits(f), math.Float64bits(got), "%x", b)
	}
}

// Every binary16, and binary32s in steps, widen to the float that Go says and narrow back.
func TestFloatForms(t *testing.T) {
	for n := range uint64(1 << 15) {
		wide := binary16.widen(n)
		back, ok := binary16.fit(wide)
		require.True(t, ok)
		require.Equal(t, n, back)
		require.Equal(t, 3, floatSize(wide))
	}
	for n := uint64(0); n < 1<<31; n += 65521 {
		wide := binary32.widen(n)
		if f := math.Float32frombits(uint32(n)); f == f {
			require.Equal(t, math.Float64bits(float64(f)), wide)
		}
		back, ok := binary32.fit(wide)
		require.True(t, ok)
		require.Equal(t, n, back)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := floats().Draw(t, "f")
		_, ok := binary32.fit(math.Float64bits(f) &^ (1 << 63))
		if f == f {
			require.Equal(t, float64(float32(f)) == f, ok)
		}
	})
}

// R028: kinds are never mixed up.
func TestR028NoCoercion(t *testing.T) {
	all := []Value{Null(), Bool(true), Int(1), Float(1), String("1"), Bytes([]byte("1")),
		mustArray(t, Int(1)), mustMap(t, map[string]Value{"1": Int(1)})}
	for i, a := range all {
		for j, b := range all {
			require.Equal(t, i == j, a.Equal(b))
		}
		require.Equal(t, Kind(i), a.Kind())
		require.Equal(t, i == 0, a.IsNull())
		_, errs := [5]any{}, [5]error{}
		_, errs[0] = a.AsBool()
		_, errs[1] = a.AsInt()
		_, errs[2] = a.AsFloat()
		_, errs[3] = a.AsString()
		_, errs[4] = a.AsBytes()
		for k, err := range errs {
			if Kind(k+1) == a.Kind() {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, ErrTypeMismatch)
			require.EqualError(t, err, "type mismatch: expected "+Kind(k+1).String()+", found "+
				a.Kind().String())
		}
	}
	require.False(t, Float(0).Equal(Float(math.Copysign(0, -1))))
	require.True(t, Float(math.NaN()).Equal(Float(math.NaN())))
	require.Equal(t, "Kind(?)", Kind(99).String())
}

func TestR027Deep(t *testing.T) {
	v := Int(1)
	var err error
	for range MaxNesting {
		v, err = Array(v)
		require.NoError(t, err)
	}
	_, err = Array(v)
	require.ErrorIs(t, err, ErrTooLarge)
	require.EqualError(t, err, "nesting is too large: 129, limit 128")
	_, err = Map(map[string]Value{"x": v})
	require.ErrorIs(t, err, ErrTooLarge)
	b := encode(t, v)
	got, err := DecodeValue(b)
	require.NoError(t, err)
	require.Equal(t, v, got)
	for range MaxNesting {
		got = got.Index(0)
	}
	require.Equal(t, Int(1), got)
	_, err = DecodeValue(append([]byte{0x81}, b...))
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "nested deeper than 128")
}

// R114, R027: sizes at the limit pass, one byte more does not, in both directions.
func TestR114Sizes(t *testing.T) {
	big := make([]byte, MaxValueSize+1)
	v := Bytes(big[:MaxValueSize])
	b := encode(t, v)
	got, err := DecodeValue(b)
	require.NoError(t, err)
	require.True(t, v == got)
	_, err = AppendValue(nil, Bytes(big))
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = AppendValue(nil, String(string(big)))
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Array(v)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Map(map[string]Value{"": v})
	require.ErrorIs(t, err, ErrTooLarge)
	for _, major := range []byte{majorBytes, majorText} {
		_, err = DecodeValue(append(appendHead(nil, major, uint64(len(big))), big...))
		require.ErrorIs(t, err, ErrCorrupt)
	}
	_, err = DecodeValue(append(appendHead(nil, majorArray, uint64(len(big))), big...))
	require.ErrorIs(t, err, ErrCorrupt)
	v, err = DecodeValue(append(appendHead(nil, majorArray, MaxValueSize), big[1:]...))
	require.NoError(t, err)
	require.Equal(t, MaxValueSize, v.Len())
	_, err = ValueOf(big)
	require.ErrorIs(t, err, ErrTooLarge)
}

// R114: an absurd length is corruption, not an allocation.
func TestR114AbsurdLengths(t *testing.T) {
	for _, major := range []byte{majorBytes, majorText, majorArray, majorMap} {
		for _, n := range []uint64{3, 1 << 20, 1 << 40, math.MaxUint64} {
			b := append(appendHead(nil, major, n), 0x61)
			allocs := testing.AllocsPerRun(1, func() {
				_, err := DecodeValue(b)
				require.ErrorIs(t, err, ErrCorrupt)
			})
			require.Less(t, allocs, 50.0)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	bad := String("a\xff")
	_, err := AppendValue([]byte("x"), bad)
	require.ErrorIs(t, err, ErrInvalidArgument)
	_, err = Array(bad)
	require.ErrorIs(t, err, ErrInvalidArgument)
	_, err = Map(map[string]Value{"a\xff": Null()})
	require.ErrorIs(t, err, ErrInvalidArgument)
	_, err = ValueOf("a\xff")
	require.ErrorIs(t, err, ErrInvalidArgument)
	_, err = bad.MarshalJSON()
	require.ErrorIs(t, err, ErrInvalidArgument)
	require.Equal(t, `"a�"`, bad.String())
}

func TestContainers(t *testing.T) {
	inner := mustArray(t, Int(1), mustMap(t, nil), String("x"))
	m := mustMap(t, map[string]Value{"bb": inner, "a": Null(), "": Bytes([]byte{1}), "c": Float(2)})
	b := encode(t, m)
	m, err := DecodeValue(b)
	require.NoError(t, err)
	require.Equal(t, 4, m.Len())
	var keys []string
	for k, v := range m.Entries() {
		keys = append(keys, k)
		got, ok := m.Lookup(k)
		require.True(t, ok)
		require.Equal(t, v, got)
	}
	require.Equal(t, []string{"", "a", "c", "bb"}, keys, "shorter keys first")
	_, ok := m.Lookup("d")
	require.False(t, ok)
	a, _ := m.Lookup("bb")
	require.True(t, a.Equal(inner))
	for i, v := range a.Items() {
		require.Equal(t, v, a.Index(i))
	}
	require.Equal(t, Null(), a.Index(3))
	require.Equal(t, Null(), a.Index(-1))
	require.Equal(t, Null(), m.Index(0))
	_, ok = a.Lookup("x")
	require.False(t, ok)
	for range m.Items() {
		t.Fatal("a Map has no items")
	}
	for range a.Entries() {
		t.Fatal("an Array has no entries")
	}
	for range a.Items() {
		break
	}
	for range m.Entries() {
		break
	}
	require.Equal(t, 3, String("abc").Len())
	require.Equal(t, 0, Int(9).Len())
	require.Equal(t, a, a.Clone())
}

// The slices that a caller holds are not the value's.
func TestBytesAreCopied(t *testing.T) {
	b := []byte("abc")
	v := Bytes(b)
	b[0] = 'x'
	got, err := v.AsBytes()
	require.NoError(t, err)
	require.Equal(t, []byte("abc"), got)
	got[0] = 'y'
	got, _ = v.AsBytes()
	require.Equal(t, []byte("abc"), got)
	got, _ = Bytes(nil).AsBytes()
	require.NotNil(t, got)
}

// R107: what is not in the one form is refused, with the place and the reason.
func TestR107MalformedValues(t *testing.T) {
	for _, c := range []struct{ hex, want string }{
		{"", "ends where an item"},
		{"18 17", "not the shortest"}, {"1900ff", "not the shortest"}, {"18", "cut short"},
		{"1c", "cut short, indefinite"}, {"5f 41 00 ff", "indefinite"}, {"9f ff", "indefinite"},
		{"1b 8000000000000000", "outside of int64"}, {"3b 8000000000000000", "outside of int64"},
		{"62 61", "length 2"}, {"61 ff", "not UTF-8"}, {"41", "length 1"},
		{"61 61 00", "1 bytes after"},
		{"82 01", "length 2"}, {"82 01 61", "length 1"}, {"a1 01 02", "map key of CBOR type 0"},
		{"a2 6162 00 6161 00", "not in order"}, {"a2 6161 00 6161 00", "twice"},
		{"a2 626161 00 6162 00", "not in order"}, {"a1 61 61", "ends where an item"},
		{"a1 61", "at most 0 can follow"},
		{"a2 6161 00", "at most 1 can follow"}, {"a1 61ff 00", "not UTF-8"},
		{"a1 7800 00", "shortest"},
		{"c0 00", "tag 0"}, {"f7", "simple value"}, {"f0", "simple value"},
		{"f8 20", "simple value"},
		{"fa 3f800000", "a shorter form"}, {"fb 3ff0000000000000", "a shorter form"},
		{"fa 7fc00000", "a shorter form"}, {"fb 3fb99999a0000000", "a shorter form"},
		{"f9 00", "cut short"},
		{"00 00", "1 bytes after its end"}, {"f6 00", "1 bytes after its end"}, {"ff", "cut short"},
	} {
		_, err := DecodeValue(unhex(t, c.hex))
		require.ErrorIs(t, err, ErrCorrupt, c.hex)
		require.ErrorContains(t, err, c.want, c.hex)
		_, err = DecodeValue(append([]byte{0x81}, unhex(t, c.hex)...))
		require.ErrorIs(t, err, ErrCorrupt, c.hex)
	}
}

// R107: whatever bit flips, the result is an error or some value that encodes to these very bytes.
func TestR107BitFlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := AppendValue(nil, values(2).Draw(t, "value"))
		require.NoError(t, err)
		i := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[i/8] ^= 1 << (i % 8)
		if v, err := DecodeValue(b); err == nil {
			again, err := AppendValue(nil, v)
			require.NoError(t, err)
			require.Equal(t, b, again)
		}
	})
}

// walk visits every part of a value, by all accessors.
func walk(t require.TestingT, v Value) {
	for i, e := range v.Items() {
		if i < 3 {
			require.Equal(t, e, v.Index(i))
		}
		walk(t, e)
	}
	n := 0
	for k, e := range v.Entries() {
		if n++; n < 4 {
			got, ok := v.Lookup(k)
			require.True(t, ok)
			require.Equal(t, e, got)
		}
		walk(t, e)
	}
}

func FuzzDecodeValue(f *testing.F) {
	enc, dec := reference(f)
	for _, h := range []string{"f6", "f97e00", "fb3fb999999999999a", "a2616101626161820102",
		"3b7fffffffffffffff",
		"62c3bc", "4100", "8080", "a0", "fb7ff8000000000001"} {
		f.Add(unhex(f, h))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeValue(b)
		var other any
		otherErr := dec.Unmarshal(b, &other)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			if otherErr == nil {
				again, err := enc.Marshal(other)
				require.NoError(t, err)
				require.NotEqual(t, b, again, "refused, but it is in the one form")
			}
			return
		}
		require.NoError(t, otherErr)
		require.True(t, bytes.Equal(b, encode(t, v)))
		if !hasNaN(v) { // the reference decoder sets the quiet bit
			again, err := enc.Marshal(other)
			require.NoError(t, err)
			require.Equal(t, b, again)
		}
		walk(t, v)
		rebuilt := rebuild(t, v)
		require.True(t, v == rebuilt)
		j, err := v.MarshalJSON()
		require.NoError(t, err)
		var back Value
		require.NoError(t, back.UnmarshalJSON(j))
		require.True(t, v == back, "%s", j)
		var plain any
		require.NoError(t, v.Decode(&plain))
		back, err = ValueOf(plain)
		require.NoError(t, err)
		require.True(t, v == back)
	})
}

// rebuild makes the same value out of its parts.
func rebuild(t testing.TB, v Value) Value {
	switch v.Kind() {
	case KindArray:
		var all []Value
		for _, e := range v.Items() {
			all = append(all, rebuild(t, e))
		}
		return mustArray(t, all...)
	case KindMap:
		all := map[string]Value{}
		for k, e := range v.Entries() {
			all[k] = rebuild(t, e)
		}
		return mustMap(t, all)
	default:
		return v
	}
}

func TestMapOrderIsEncodingOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(texts(), rapid.ID).Draw(t, "keys")
		entries := map[string]Value{}
		var encoded []string
		for _, k := range keys {
			entries[k] = Null()
			encoded = append(encoded, string(appendValue(nil, String(k))))
		}
		slices.Sort(encoded)
		v, err := Map(entries)
		require.NoError(t, err)
		content := v.data[headSize(uint64(len(keys))):]
		require.Equal(t, strings.Join(encoded, "\xf6"), strings.TrimSuffix(content, "\xf6"))
	})
}

// A short text with a long head is not what AppendValue writes.
func TestStoredTextHasTheShortestHead(t *testing.T) {
	_, err := DecodeStored([]byte{majorText | 24, 3, 'a', 'b', 'c'})
	require.ErrorIs(t, err, ErrCorrupt)
}
