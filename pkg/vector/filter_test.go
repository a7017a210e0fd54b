package vector

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/codec"
)

func metadata(t require.TestingT, text string) codec.Value {
	var v codec.Value
	require.NoError(t, v.UnmarshalJSON([]byte(text)))
	return v
}

const ada = `{
	"user": {"name": "Ada", "age": 36, "score": 0.5, "a.b": 1, "*": 2},
	"tags": ["x", "y"], "steps": [{"tool": "get", "n": 1}, {"tool": "put", "n": 2}],
	"none": null, "zero": 0.0, "raw": {"$bytes": "AQI="}, "nan": {"$float": "NaN"}, "ok": true
}`

// filterCases are filters over ada.
func filterCases() []filterCase {
	return []filterCase{
		{nil, true},
		{Eq("user.name", "Ada"), true},
		{Eq("user.name", "Eve"), false},
		{Eq("user.age", 36), true},
		{Eq("user.age", 36.0), false}, // no coercion between kinds
		{Ne("user.age", 36.0), true},
		{Gt("user.age", 3.0), false},
		{Lt("user.age", 99.0), false},
		{Ge("user.age", 36), true},
		{Gt("user.age", 36), false},
		{Le("user.age", 36), true},
		{Lt("user.age", 37), true},
		{Lt("user.name", "B"), true},
		{Lt("raw", []byte{2}), true},
		{Gt("raw", []byte{1}), true},
		{Lt("raw", "z"), false},
		// A missing path.
		{Eq("user.nobody", "Ada"), false},
		{Ne("user.nobody", "Ada"), true},
		{Lt("user.nobody", 1), false},
		{Ge("user.nobody", 1), false},
		{Not(Ge("user.nobody", 1)), true},
		{In("user.nobody", nil), false},
		{Exists("user.nobody"), false},
		{Exists("user.name.first"), false},
		// Null is a value.
		{Exists("none"), true},
		{Eq("none", nil), true},
		{Ne("none", 1), true},
		// Floats.
		{Eq("zero", math.Copysign(0, -1)), false},
		{Gt("zero", math.Copysign(0, -1)), true},
		{Eq("nan", math.NaN()), true},
		{Lt("nan", math.Inf(1)), false},
		{Ge("nan", math.Inf(-1)), false},
		{Eq("ok", true), true},
		// Keys with dots and stars, and arrays.
		{Eq(`user.a\.b`, 1), true},
		{Eq(`user.\*`, 2), true},
		{Exists(`user.*`), false},
		{Eq("tags.0", "x"), true},
		{Eq("tags.00", "x"), false},
		{Exists("tags.2"), false},
		{Eq("tags.*", "y"), true},
		{Ne("tags.*", "y"), false},
		{Ne("tags.*", "z"), true},
		{Eq("tags", []string{"x", "y"}), true},
		{Gt("steps.*.n", 1), true},
		{Gt("steps.*.n", 2), false},
		{Eq("steps.1.tool", "put"), true},
		// Words.
		{In("user.name", "Eve", "Ada"), true},
		{In("user.name"), false},
		{And(), true},
		{Or(), false},
		{And(Eq("ok", true), Eq("tags.0", "y")), false},
		{Or(Eq("ok", false), Eq("tags.0", "x")), true},
		{Not(Eq("ok", true)), false},
	}
}

type filterCase struct {
	f    *Filter
	want bool
}

func TestR300FilterMatches(t *testing.T) {
	m := metadata(t, ada)
	for _, c := range filterCases() {
		require.NoError(t, c.f.Validate(), c.f.String())
		require.Equal(t, c.want, c.f.Matches(m), c.f.String())
	}
	require.True(t, Ne("a", 1).Matches(codec.Null()))
	require.False(t, Exists("a").Matches(codec.Null()))
	require.False(t, Exists("0").Matches(codec.String("text")))
}

func TestFilterValidate(t *testing.T) {
	deep := Eq("a", 1)
	for range maxFilterDepth {
		deep = Not(deep)
	}
	many := make([]*Filter, maxFilterNodes)
	for i := range many {
		many[i] = Exists("a")
	}
	for _, c := range []struct {
		f    *Filter
		is   error
		text string
	}{
		{Eq("", 1), codec.ErrInvalidArgument, "eq: path \"\": invalid argument: an empty step"},
		{Eq("a..b", 1), codec.ErrInvalidArgument, "an empty step"},
		{Eq("a.", 1), codec.ErrInvalidArgument, "an empty step"},
		{Eq(`a\b`, 1), codec.ErrInvalidArgument, "a backslash"},
		{Eq(`a\`, 1), codec.ErrInvalidArgument, "a backslash"},
		{Eq("\xff", 1), codec.ErrInvalidArgument, "not UTF-8"},
		{Eq(strings.Repeat("a.", 40)+"a", 1), codec.ErrTooLarge, "41, limit 32"},
		{Eq(strings.Repeat("a", 2000), 1), codec.ErrTooLarge, "2000, limit 1024"},
		{Eq("a", func() {}), codec.ErrTypeMismatch, "value of path a"},
		{Eq("a", "\xff"), codec.ErrInvalidArgument, "value of path a"},
		{Lt("a", true), codec.ErrInvalidArgument, "lt of path a: a value of kind Bool has no order"},
		{Ge("a", nil), codec.ErrInvalidArgument, "kind Null"},
		{Gt("a", []int{1}), codec.ErrInvalidArgument, "kind Array"},
		{Le("a", math.NaN()), codec.ErrInvalidArgument, "kind Float"},
		{And(Eq("a", 1), nil), codec.ErrInvalidArgument, "a nil among the parts"},
		{Not(nil), codec.ErrInvalidArgument, "a nil among the parts"},
		{&Filter{}, codec.ErrInvalidArgument, "the zero Filter"},
		{deep, codec.ErrTooLarge, "33, limit 32"},
		{Or(many...), codec.ErrTooLarge, "1025, limit 1024"},
		{In("a", make([]any, maxFilterValues+1)...), codec.ErrTooLarge, "10001, limit 10000"},
		{Eq("a", make([]byte, maxFilterBytes)), codec.ErrTooLarge, "limit 1048576"},
	} {
		err := c.f.Validate()
		require.ErrorIs(t, err, c.is)
		require.ErrorContains(t, err, c.text)
		require.ErrorContains(t, err, "filter: ")
		_, err = c.f.MarshalJSON()
		require.ErrorIs(t, err, c.is)
	}
	require.NoError(t, deep.Args()[0].Validate())
	require.NoError(t, Or(many[1:]...).Validate())
}

func TestFilterJSON(t *testing.T) {
	f := And(Eq("user.name", "Ada"), Ge("score", 0.5), Not(In("lang", "go", 1, 1.0)),
		Exists("seen"), Or(), Eq("raw", []byte{1}), Ne("m", map[string]any{"$map": 1}))
	text := `{"and":[{"eq":["user.name","Ada"]},{"ge":["score",0.5]},` +
		`{"not":{"in":["lang",["go",1,1.0]]}},{"exists":"seen"},{"or":[]},` +
		`{"eq":["raw",{"$bytes":"AQ=="}]},{"ne":["m",{"$map":{"$map":1}}]}]}`
	require.Equal(t, text, f.String())
	got, err := ParseFilter([]byte(text))
	require.NoError(t, err)
	require.Equal(t, text, got.String())
	b, err := json.Marshal(struct{ F *Filter }{f})
	require.NoError(t, err)
	require.Equal(t, `{"F":`+text+`}`, string(b))

	none, err := ParseFilter([]byte("null"))
	require.NoError(t, err)
	require.Nil(t, none)
	require.Equal(t, "null", none.String())

	for in, text := range map[string]string{
		`{`:                    "unexpected EOF",
		`[]`:                   "found [], expected an object with one key",
		`{}`:                   "found {}, expected an object with one key",
		`{"eq":["a",1],"x":1}`: "expected an object with one key",
		`{"like":["a",1]}`:     `"like" is none of and, or`,
		`{"eq":"a"}`:           `eq: found "a", expected an array of a path and a value`,
		`{"eq":["a"]}`:         "expected an array of a path and a value",
		`{"eq":[1,1]}`:         "expected an array of a path and a value",
		`{"in":["a",1]}`:       "an array of a path and an array of values",
		`{"exists":1}`:         "exists: found 1, expected a path",
		`{"and":{}}`:           "and: found {}, expected an array of filters",
		`{"not":null}`:         "found null, expected an object with one key",
		`{"lt":["a",null]}`:    "kind Null has no order",
		`{"eq":["",1]}`:        "an empty step",
	} {
		_, err := ParseFilter([]byte(in))
		require.ErrorIs(t, err, codec.ErrInvalidArgument, in)
		require.ErrorContains(t, err, text, in)
	}
}

// filters generates filters over the paths and values of small metadata.
func filters(depth int) *rapid.Generator[*Filter] {
	return rapid.Custom(func(t *rapid.T) *Filter {
		path := rapid.SampledFrom([]string{"a", "b", "c.d", "c.*", "e"}).Draw(t, "path")
		scalar := rapid.SampledFrom([]any{1, 2, 1.0, -0.5, "x", "y", []byte{1}})
		any := rapid.SampledFrom([]any{1, 2, 1.0, "x", nil, true, []int{1}})
		kinds := 11
		if depth == 0 {
			kinds = 8
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "op") {
		case 0:
			return Eq(path, any.Draw(t, "value"))
		case 1:
			return Ne(path, any.Draw(t, "value"))
		case 2:
			return Lt(path, scalar.Draw(t, "value"))
		case 3:
			return Le(path, scalar.Draw(t, "value"))
		case 4:
			return Gt(path, scalar.Draw(t, "value"))
		case 5:
			return Ge(path, scalar.Draw(t, "value"))
		case 6:
			return In(path, rapid.SliceOfN(any, 0, 3).Draw(t, "values")...)
		case 7:
			return Exists(path)
		case 8:
			return Not(filters(depth-1).Draw(t, "part"))
		case 9:
			return And(rapid.SliceOfN(filters(depth-1), 0, 3).Draw(t, "parts")...)
		default:
			return Or(rapid.SliceOfN(filters(depth-1), 0, 3).Draw(t, "parts")...)
		}
	})
}

func TestFilterLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, g := filters(2).Draw(t, "f"), filters(2).Draw(t, "g")
		m := metadata(t, rapid.SampledFrom([]string{
			`{}`, `null`, `7`, `{"a":1,"b":1.0}`, `{"a":"x","c":{"d":2}}`, `{"c":[1,"y"],"b":null}`,
			`{"a":{"$bytes":"AQ=="},"e":-0.5}`, `{"a":true,"c":[[1]]}`,
		}).Draw(t, "metadata"))
		require.NoError(t, f.Validate())
		back, err := ParseFilter([]byte(f.String()))
		require.NoError(t, err)
		require.Equal(t, f.String(), back.String())
		require.Equal(t, f.Matches(m), back.Matches(m))
		x, y := f.Matches(m), g.Matches(m)
		require.Equal(t, !x, Not(f).Matches(m))
		require.Equal(t, x && y, And(f, g).Matches(m))
		require.Equal(t, x || y, Or(f, g).Matches(m))
		require.Equal(t, And(f, g).Matches(m), Not(Or(Not(f), Not(g))).Matches(m))
	})
}

func FuzzParseFilter(f *testing.F) {
	f.Add(`{"and":[{"eq":["user.name","Ada"]},{"not":{"in":["a.*",[1,2.0]]}}]}`, ada)
	f.Add(`{"exists":"a\\.b"}`, `{"a.b":null}`)
	f.Add(`{"lt":["a",{"$float":"-Infinity"}]}`, `{"a":[1]}`)
	f.Fuzz(func(t *testing.T, text, data string) {
		got, err := ParseFilter([]byte(text))
		if err != nil {
			require.Nil(t, got)
			return
		}
		again, err := ParseFilter([]byte(got.String()))
		require.NoError(t, err)
		require.Equal(t, got.String(), again.String())
		var v codec.Value
		if v.UnmarshalJSON([]byte(data)) == nil {
			require.Equal(t, got.Matches(v), again.Matches(v))
		}
	})
}
