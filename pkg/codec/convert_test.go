package codec

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type inner struct {
	Depth int    `json:"depth"`
	Name  string `json:"hidden,omitempty"`
}

type hiddenBase struct{ Base string }

type outer struct {
	Name    string         `inmem:"name" json:"other"`
	Count   uint16         `json:"count,omitempty,string"`
	Skipped int            `inmem:"-"`
	private int            //nolint:unused // must be passed over
	When    time.Time      `inmem:"when"`
	Never   time.Time      `inmem:"never,omitzero"`
	Raw     []byte         `inmem:"raw"`
	ID      [4]byte        `inmem:"id"`
	Tags    []string       `inmem:"tags"`
	Attrs   map[string]any `inmem:"attrs,omitempty"`
	Next    *outer         `inmem:"next"`
	Any     any
	F32     float32
	Val     Value `inmem:"val,omitempty"`
	Pair    [2]int8
	Took    time.Duration
	Addr    netip.Addr
	*Inner2
	inner
	hiddenBase
}

// Inner2 is embedded through a pointer, which only works for exported types.
type Inner2 struct{ Extra string }

func TestGoStructRoundTrip(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600))
	in := outer{Name: "n", Count: 7, Skipped: 9, private: 8, When: at,
		Raw: []byte{0, 255}, ID: [4]byte{1, 2, 3, 4},
		Tags:  []string{"a", ""},
		Attrs: map[string]any{"x": int64(1), "y": []any{nil, true, 1.5, []byte{}}},
		Next:  &outer{Name: "inside"}, Any: map[string]any{}, F32: 0.1, Val: Float(2),
		Pair: [2]int8{-128, 127},
		Took: time.Second, Addr: netip.MustParseAddr("::1"), Inner2: &Inner2{Extra: "e"},
		inner: inner{Depth: 3}, hiddenBase: hiddenBase{"b"}}
	v, err := ValueOf(in)
	require.NoError(t, err)
	pv, err := ValueOf(&in)
	require.NoError(t, err)
	require.Equal(t, v, pv)
	when, ok := v.Lookup("when")
	require.True(t, ok)
	require.Equal(t, String("2026-01-02T03:04:05.678901234+01:00"), when)
	for key, want := range map[string]Value{"count": Int(7), "name": String("n"), "depth": Int(3),
		"Base": String("b"), "Extra": String("e"), "F32": Float(float64(float32(0.1))),
		"Addr": String("::1"),
		"raw":  Bytes([]byte{0, 255}), "id": Bytes([]byte{1, 2, 3, 4}), "Took": Int(1e9),
		"val": Float(2)} {
		got, ok := v.Lookup(key)
		require.True(t, ok, key)
		require.Equal(t, want, got, key)
	}
	for _, absent := range []string{"Skipped", "private", "never", "hidden", "other", "inner"} {
		_, ok = v.Lookup(absent)
		require.False(t, ok, absent)
	}
	v, err = DecodeValue(encode(t, v))
	require.NoError(t, err)
	var out outer
	require.NoError(t, v.Decode(&out))
	require.True(t, in.When.Equal(out.When))
	in.Skipped, in.private, in.When, out.When = 0, 0, time.Time{}, time.Time{}
	require.Equal(t, in, out)
}

func TestValueOfScalars(t *testing.T) {
	type text string
	type number int8
	p := new(int)
	pp := &p
	for _, c := range []struct {
		in   any
		want Value
	}{
		{nil, Null()}, {(*int)(nil), Null()}, {[]int(nil), Null()}, {map[string]int(nil), Null()},
		{[]byte(nil), Null()},
		{true, Bool(true)}, {int8(-1), Int(-1)}, {number(3), Int(3)},
		{uint64(math.MaxInt64), Int(math.MaxInt64)},
		{text("x"), String("x")}, {float32(0.5), Float(0.5)}, {pp, Int(0)}, {Int(5), Int(5)},
		{int(3), Int(3)},
		{&[]Value{Int(5)}[0], Int(5)}, {json.RawMessage("1"), Bytes([]byte("1"))},
		{struct{}{}, mustMap(t, nil)},
		{[]any{}, mustArray(t)},
		{map[text]bool{"k": true}, mustMap(t, map[string]Value{"k": Bool(true)})},
		{*big.NewInt(12), String("12")}, {big.NewInt(12), String("12")}, {int64(4), Int(4)},
		{1.5, Float(1.5)},
	} {
		got, err := ValueOf(c.in)
		require.NoError(t, err, "%T", c.in)
		require.Equal(t, c.want, got, "%T", c.in)
	}
	// The payload of a signalling NaN survives.
	nan := math.Float32frombits(0x7fa00001)
	v, err := ValueOf([]float32{nan})
	require.NoError(t, err)
	require.Equal(t, uint64(0x7ff4000020000000), v.Index(0).bits)
	var back [1]float32
	require.NoError(t, v.Decode(&back))
	require.Equal(t, uint32(0x7fa00001), math.Float32bits(back[0]))
}

type failing struct{}

func (failing) MarshalText() ([]byte, error) { return nil, errors.New("no text") }

type embedsHidden struct{ *hiddenBase }

type twice struct {
	A int `inmem:"x"`
	B int `inmem:"x"`
}

func TestValueOfRefuses(t *testing.T) {
	type loop map[string]any
	cycle := loop{}
	cycle["self"] = cycle
	type chain *chain
	var ring chain
	ring = &ring
	type node struct{ Next *node }
	n := &node{}
	n.Next = n
	for _, c := range []struct {
		in   any
		is   error
		text string
	}{
		{func() {}, ErrTypeMismatch, "expected a type that can be stored, found func()"},
		{make(chan int), ErrTypeMismatch, "chan int"},
		{complex(1, 1), ErrTypeMismatch, "complex128"},
		{map[int]int{}, ErrTypeMismatch, "expected a map with string keys, found map[int]int"},
		{[]any{1, map[string]any{"f": func() {}}}, ErrTypeMismatch, "at [1].f: expected"},
		{uint64(math.MaxInt64 + 1), ErrInvalidArgument, "9223372036854775808 does not fit into an Int"},
		{errors.New("x"), ErrTypeMismatch, "exported fields"},
		{failing{}, ErrInvalidArgument, "no text"},
		{[]string{"\xff"}, ErrInvalidArgument, "[0]: invalid argument"},
		{struct{ A struct{ B []chan int } }{struct{ B []chan int }{make([]chan int, 1)}}, ErrTypeMismatch,
			".A.B[0]"},
		{cycle, ErrTooLarge, "nesting"}, {n, ErrTooLarge, "nesting"},
		{ring, ErrTooLarge, "nesting"},
		{embedsHidden{}, ErrTypeMismatch, "hiddenBase"},
		{twice{}, ErrInvalidArgument, `two fields "x"`},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ErrInvalidArgument, "year"},
		{String("\xff"), ErrInvalidArgument, "UTF-8"},
		{[]Value{String("\xff")}, ErrInvalidArgument, "UTF-8"},
	} {
		_, err := ValueOf(c.in)
		require.ErrorIs(t, err, c.is, "%T", c.in)
		require.ErrorContains(t, err, c.text, "%T", c.in)
		require.Less(t, len(err.Error()), 2000)
	}
}

// R028: Decode turns no kind into another and rounds nothing.
func TestR028DecodeRefuses(t *testing.T) {
	step := mustMap(t, map[string]Value{"n": Float(1)})
	deep := mustMap(t, map[string]Value{"steps": mustArray(t, step)})
	for _, c := range []struct {
		v    Value
		into any
		text string
	}{
		{Int(1), new(float64), "expected float64, found Int 1"},
		{Float(1), new(int), "expected int, found Float 1.0"},
		{Int(300), new(int8), "expected int8, found Int 300"}, {Int(-1), new(uint), "found Int -1"},
		{Int(256), new(uint8), "expected uint8"},
		{Float(0.1), new(float32), "expected float32, found Float 0.1"},
		{String("x"), new([]byte), "found String"}, {Bytes(nil), new(string), "found Bytes"},
		{Bytes([]byte("abc")), new([2]byte), "found Bytes of length 3"},
		{Null(), new(int), "found Null"},
		{Null(), new(struct{ A int }), "found Null"}, {Bool(true), new(int), "found Bool"},
		{Int(1), new(bool), "found Int 1"},
		{mustArray(t, Int(1)), new([]byte), "found Array"},
		{mustArray(t), new([1]int), "Array of length 0"},
		{mustArray(t), new(int), "found Array"}, {mustMap(t, nil), new([]int), "found Map"},
		{mustMap(t, nil), new(map[int]int), "found Map"},
		{String("x"), new(time.Time), "expected time.Time, found String ("},
		{Int(1), new(time.Time), "exported fields"}, {Int(1), new(error), "expected error"},
		{deep, new(struct {
			Steps []struct {
				N int `json:"n"`
			} `json:"steps"`
		}), "at .steps[0].n: expected int, found Float 1.0"},
		{deep, new(map[string][]map[string]string), "at .steps[0].n"},
	} {
		err := c.v.Decode(c.into)
		if c.text == "exported fields" {
			require.ErrorIs(t, err, ErrTypeMismatch)
			continue
		}
		require.ErrorIs(t, err, ErrTypeMismatch, c.text)
		require.ErrorContains(t, err, c.text)
	}
	for _, into := range []any{nil, 1, (*int)(nil)} {
		require.ErrorIs(t, Int(1).Decode(into), ErrInvalidArgument)
	}
}

func TestDecodeKeepsAndReplaces(t *testing.T) {
	type target struct {
		Keep  int
		Slice []int
		Map   map[string]int
		Ptr   *int
		Any   any
		Val   Value
	}
	one := 1
	x := target{Keep: 5, Slice: []int{1, 2, 3}, Map: map[string]int{"old": 1}, Ptr: &one, Any: 1}
	v := mustMap(t, map[string]Value{"Slice": mustArray(t, Int(9)), "Ptr": Int(2),
		"Map": mustMap(t, map[string]Value{"new": Int(2)}), "Any": Null(), "Val": Int(4),
		"Unknown": Int(1), "zzzzzzzzzz": Int(1)})
	require.NoError(t, v.Decode(&x))
	require.Equal(t, 1, one, "what the old pointer led to is not written")
	require.Equal(t, 2, *x.Ptr)
	x.Ptr = nil
	require.Equal(t, target{Keep: 5, Slice: []int{9}, Map: map[string]int{"new": 2}, Val: Int(4)}, x)
	v = mustMap(t, map[string]Value{"Slice": Null(), "Map": Null(), "Ptr": Null()})
	require.NoError(t, v.Decode(&x))
	require.Equal(t, target{Keep: 5, Val: Int(4)}, x)
}

func TestAnyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "v")
		var plain any
		require.NoError(t, v.Decode(&plain))
		back, err := ValueOf(plain)
		require.NoError(t, err)
		require.True(t, v == back)
	})
}

// R027: JSON and back is the same value, also inside of a document of package json.
func TestR027JSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "v")
		b, err := json.Marshal(map[string]Value{"v": v})
		require.NoError(t, err)
		var back map[string]Value
		require.NoError(t, json.Unmarshal(b, &back))
		require.True(t, v == back["v"], "%s", b)
	})
}

func TestJSONForms(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want string
	}{
		{Null(), `null`}, {Bool(true), `true`}, {Int(1), `1`}, {Float(1), `1.0`},
		{Float(1e21), `1e+21`},
		{Float(math.Copysign(0, -1)), `-0.0`}, {Float(math.NaN()), `{"$float":"NaN"}`},
		{String("a\"\\\n<\x01\u2028ü"), `"a\"\\\n<\u0001\u2028ü"`},
		{Float(math.Inf(-1)), `{"$float":"-Infinity"}`},
		{Float(math.Inf(1)), `{"$float":"Infinity"}`},
		{Float(math.Float64frombits(0xfff8000000000000)), `{"$float":"NaN:fff8000000000000"}`},
		{Bytes([]byte("hello")), `{"$bytes":"aGVsbG8="}`},
		{mustArray(t, Int(1), Null()), `[1,null]`}, {mustArray(t), `[]`},
		{mustMap(t, nil), `{}`},
		{mustMap(t, map[string]Value{"b": Int(1), "a": Int(2)}), `{"a":2,"b":1}`},
		{mustMap(t, map[string]Value{"$bytes": Int(1)}), `{"$map":{"$bytes":1}}`},
		{mustMap(t, map[string]Value{"$bytes": Int(1), "x": Int(2)}), `{"x":2,"$bytes":1}`},
	} {
		require.Equal(t, c.want, c.v.String())
		var back Value
		require.NoError(t, json.Unmarshal([]byte(c.want), &back))
		require.Equal(t, c.v, back, c.want)
	}
	require.Equal(t, "codec.Value(Int 42)", Int(42).GoString())
	for _, bad := range []string{``, `{`, `1 2`, `9223372036854775808`, `1e999`,
		`{"$bytes":1}`, `{"$bytes":"?"}`,
		`{"$float":"x"}`, `{"$float":"NaN:3ff0000000000000"}`, `{"$map":1}`, "\"\xff\"",
		`[{"$bytes":"a"}]`, `{"a":{"$map":[]}}`} {
		v := Int(7)
		require.ErrorIs(t, v.UnmarshalJSON([]byte(bad)), ErrInvalidArgument, bad)
		require.Equal(t, Int(7), v)
	}
	var v Value
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	require.ErrorIs(t, v.UnmarshalJSON(nested(129)), ErrTooLarge)
	require.NoError(t, v.UnmarshalJSON(nested(128)))
	require.Error(t, v.UnmarshalJSON([]byte(strings.Repeat("[", 1<<20))))
}
