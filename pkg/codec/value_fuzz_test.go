package codec

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
)

// Any text as JSON: what is taken is JSON, comes back in one form, and costs memory in proportion.
func FuzzValueJSON(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-2.5e-3,true,null,"\u00e9\ud83d\ude00"],"b":{"$bytes":"aGVsbG8="}}`,
		`{"$float":"NaN:fff8000000000000"}`, `{"$map":{"$bytes":1}}`, `{"$float":"-Infinity"}`,
		`{"$map":{"$map":{"$float":"NaN"}}}`, `1e400`, `-0`, `-0.0`, `9223372036854775808`, `"\ud800"`,
		`{"a":1,"a":2}`, `[[[[]]]]`, "1 2", " 1\n", `{"$bytes":"aGVsbG8"}`, "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v Value
		var err error
		alloctest.Within(t, 4*small(text), func() { err = v.UnmarshalJSON(text) })
		if err != nil {
			require.True(t, isArgumentError(err), "%v", err)
			return
		}
		require.True(t, json.Valid(text))
		out, err := v.MarshalJSON()
		require.NoError(t, err)
		require.True(t, json.Valid(out))
		require.Equal(t, string(out), v.String())
		var back Value
		require.NoError(t, back.UnmarshalJSON(out))
		require.True(t, v == back, "%s", out)
		again, err := back.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
		stored, err := DecodeValue(encode(t, v))
		require.NoError(t, err)
		require.True(t, v == stored)
	})
}

// everything has a field of every sort that a value decodes into.
type everything struct {
	Bool   bool              `inmem:"a"`
	Small  int8              `inmem:"b"`
	Count  uint64            `inmem:"c"`
	Short  float32           `inmem:"d"`
	Text   string            `inmem:"e"`
	Bytes  []byte            `inmem:"f"`
	List   []int32           `inmem:"g"`
	Pair   [2]uint8          `inmem:"h"`
	Table  map[string]string `inmem:"i"`
	Next   *everything       `inmem:"j"`
	Any    any               `inmem:"k"`
	Value  Value             `inmem:"l"`
	Time   time.Time         `inmem:"m"`
	Nested struct{ X, Y *int }
}

// A value in a struct of Go: it fits, or it is the wrong type; what fits is written as a value that
// decodes to the same.
func FuzzDecodeInto(f *testing.F) {
	text := "x"
	full, err := ValueOf(everything{Text: text, Bytes: []byte{1}, List: []int32{-1, 1 << 30},
		Table: map[string]string{"a": "b"}, Next: &everything{Short: 0.5}, Any: []any{int64(1), nil},
		Time: time.Unix(1e9, 5).UTC(), Count: 1 << 40, Pair: [2]uint8{3, 4}})
	require.NoError(f, err)
	f.Add(encode(f, full))
	f.Add(encode(f, mustMap(f, map[string]Value{"b": Int(300)})))
	f.Add(encode(f, mustMap(f, map[string]Value{"h": mustArray(f, Int(1))})))
	f.Add(encode(f, mustMap(f, map[string]Value{"m": String("yesterday")})))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeStored(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		var into everything
		alloctest.Within(t, small(b), func() {
			into = everything{}
			err = v.Decode(&into)
		})
		if err != nil {
			require.ErrorIs(t, err, ErrTypeMismatch)
			return
		}
		again, err := ValueOf(into)
		if err != nil {
			require.True(t, isArgumentError(err), "%v", err)
			return
		}
		var back everything
		require.NoError(t, again.Decode(&back))
		last, err := ValueOf(back)
		require.NoError(t, err)
		require.True(t, again == last, "%s\n%s", again, last)
	})
}
