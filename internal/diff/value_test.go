package diff

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/codec"
)

// parse reads a value from JSON.
func parse(t testing.TB, text string) codec.Value {
	t.Helper()
	var v codec.Value
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}

// lines shows changes, one per line.
func lines(c Changes) string {
	var b strings.Builder
	for _, x := range c.List {
		fmt.Fprintf(&b, "%s %q", x.Op, x.Path)
		if x.From != "" {
			fmt.Fprintf(&b, " from %q", x.From)
		}
		for _, v := range []*codec.Value{x.Old, x.New} {
			if v == nil {
				b.WriteString(" -")
			} else {
				fmt.Fprintf(&b, " %s", v)
			}
		}
		b.WriteString("\n")
	}
	if c.More > 0 {
		fmt.Fprintf(&b, "%d more\n", c.More)
	}
	if c.Coarse {
		b.WriteString("coarse\n")
	}
	return b.String()
}

func TestValuesByPath(t *testing.T) {
	for _, test := range []struct{ name, a, b, want string }{
		{"equal", `{"a":[1,{"b":2}]}`, `{"a":[1,{"b":2}]}`, ""},
		{"root", `1`, `"1"`, "changed \"\" 1 \"1\"\n"},
		{"kind", `1`, `1.0`, "changed \"\" 1 1.0\n"},
		{"null is a value", `{"a":null}`, `{}`, "removed \"/a\" null -\n"},
		{"entries", `{"a":1,"b":2,"d":4}`, `{"b":3,"c":4,"d":4}`,
			"removed \"/a\" 1 -\nchanged \"/b\" 2 3\nadded \"/c\" - 4\n"},
		{"nested", `{"a":{"b":{"c":1}}}`, `{"a":{"b":{"c":2,"d":3}}}`,
			"changed \"/a/b/c\" 1 2\nadded \"/a/b/d\" - 3\n"},
		{"escaped", `{"a/b":1,"m~n":2,"":3}`, `{"a/b":2,"m~n":3,"":4}`,
			"changed \"/\" 3 4\nchanged \"/a~1b\" 1 2\nchanged \"/m~0n\" 2 3\n"},
		{"container against scalar", `{"a":{"b":1}}`, `{"a":[1]}`,
			"changed \"/a\" {\"b\":1} [1]\n"},
		{"element in front", `[1,2,3]`, `[0,1,2,3]`, "added \"/0\" - 0\n"},
		{"element gone", `[1,2,3]`, `[1,3]`, "removed \"/1\" 2 -\n"},
		{"element inside", `[{"a":1},{"a":2}]`, `[{"a":1},{"a":3}]`, "changed \"/1/a\" 2 3\n"},
		{"moved and changed", `[9,{"a":1,"k":1},7]`, `[8,9,{"a":2,"k":1},7]`,
			"added \"/0\" - 8\nchanged \"/2/a\" from \"/1/a\" 1 2\n"},
		{"longer", `[1]`, `[2,3,4]`,
			"changed \"/0\" 1 2\nadded \"/1\" - 3\nadded \"/2\" - 4\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Values(parse(t, test.a), parse(t, test.b), Limits{})
			require.Equal(t, test.want, lines(got))
		})
	}
}

// The floats that compare strangely do not: bits count.
func TestValuesCompareBits(t *testing.T) {
	nan := codec.Float(math.NaN())
	require.Empty(t, Values(nan, nan, Limits{}).List)
	zero, minus := codec.Float(0), codec.Float(math.Copysign(0, -1))
	require.Len(t, Values(zero, minus, Limits{}).List, 1)
}

func TestValuesBounds(t *testing.T) {
	long := func(n, offset int) codec.Value {
		list := make([]codec.Value, n)
		for i := range list {
			list[i] = codec.Int(int64(i + offset))
		}
		v, err := codec.Array(list...)
		require.NoError(t, err)
		return v
	}
	// Too long to be aligned: by position.
	c := Values(long(2000, 0), long(1999, 1), Limits{Changes: 3})
	require.Len(t, c.List, 3)
	require.Equal(t, 1997, c.More)
	require.False(t, c.Coarse)
	require.Equal(t, "changed \"/0\" 0 1\n", lines(Changes{List: c.List[:1]}))

	// More than may be looked into: as a whole.
	c = Values(long(2000, 0), long(2000, 1), Limits{Work: 100, ValueSize: 1000})
	require.True(t, c.Coarse)
	require.Len(t, c.List, 1)
	require.Nil(t, c.List[0].Old, "larger than ValueSize")
	require.Equal(t, long(2000, 0).EncodedSize(), c.List[0].OldSize)

	text := codec.String(strings.Repeat("x", 20_000))
	c = Values(codec.Int(1), text, Limits{})
	require.Nil(t, c.List[0].New)
	require.Equal(t, text.EncodedSize(), c.List[0].NewSize)
	require.NotNil(t, Values(codec.Int(1), text, Limits{ValueSize: 30_000}).List[0].New)
}

// values are nested a little, with few different leaves, so that much is equal.
func values() *rapid.Generator[codec.Value] {
	return rapid.Custom(func(t *rapid.T) codec.Value { return drawValue(t, 3) })
}

func drawValue(t *rapid.T, depth int) codec.Value {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	switch {
	case kind < 2 || depth == 0:
		return codec.Int(int64(rapid.IntRange(0, 3).Draw(t, "int")))
	case kind == 2:
		return codec.String(rapid.SampledFrom([]string{"", "a", "~/"}).Draw(t, "text"))
	case kind < 5:
		list := make([]codec.Value, rapid.IntRange(0, 5).Draw(t, "len"))
		for i := range list {
			list[i] = drawValue(t, depth-1)
		}
		v, _ := codec.Array(list...)
		return v
	}
	entries := map[string]codec.Value{}
	for _, key := range []string{"", "a", "b", "~0/", "name"} {
		if rapid.Bool().Draw(t, "has "+key) {
			entries[key] = drawValue(t, depth-1)
		}
	}
	v, _ := codec.Map(entries)
	return v
}

// resolve follows a JSON pointer, by the book.
func resolve(t require.TestingT, v codec.Value, pointer string) codec.Value {
	if pointer == "" {
		return v
	}
	require.Equal(t, byte('/'), pointer[0])
	for _, step := range strings.Split(pointer[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		if v.Kind() == codec.KindMap {
			e, ok := v.Lookup(step)
			require.True(t, ok, "%s in %s", pointer, v)
			v = e
			continue
		}
		i, err := strconv.Atoi(step)
		require.NoError(t, err)
		require.Equal(t, codec.KindArray, v.Kind())
		require.Less(t, i, v.Len(), "%s in %s", pointer, v)
		v = v.Index(i)
	}
	return v
}

// swapChanges turns changes around.
func swapChanges(c Changes) Changes {
	c.List = slices.Clone(c.List)
	for i, x := range c.List {
		if x.From != "" {
			x.Path, x.From = x.From, x.Path
		}
		x.Op = x.Op.swapped()
		x.Old, x.New, x.OldSize, x.NewSize = x.New, x.Old, x.NewSize, x.OldSize
		c.List[i] = x
	}
	return c
}

// R208: swapping the values swaps added and removed; what is said to be at a path is there; nothing
// is said of values that are equal.
func TestValuesAreSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := values().Draw(t, "a"), values().Draw(t, "b")
		c := Values(a, b, Limits{})
		require.Equal(t, a == b, len(c.List) == 0)
		require.Equal(t, lines(c), lines(swapChanges(Values(b, a, Limits{}))), "%s %s", a, b)
		for _, x := range c.List {
			from := x.Path
			if x.From != "" {
				from = x.From
			}
			require.Equal(t, x.Op == Added, x.Old == nil)
			require.Equal(t, x.Op == Removed, x.New == nil)
			if x.Old != nil {
				require.Equal(t, *x.Old, resolve(t, a, from), "%s %s", a, b)
			}
			if x.New != nil {
				require.Equal(t, *x.New, resolve(t, b, x.Path), "%s %s", a, b)
			}
		}
	})
}

func TestWithout(t *testing.T) {
	v := parse(t, `{"id":1,"a":[{"id":2,"b":3}],"c":{"ids":4}}`)
	got, err := Without(v, []string{"id"})
	require.NoError(t, err)
	require.Equal(t, `{"a":[{"b":3}],"c":{"ids":4}}`, got.String())
	got, err = Without(v, nil)
	require.NoError(t, err)
	require.Equal(t, v, got)
}
