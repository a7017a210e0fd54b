package codec

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type groupItem struct {
	version uint64
	record  []byte
}

func readGroup(version uint64, value []byte) (items []groupItem, err error) {
	g := OpenGroup(version, value)
	for g.Next() {
		items = append(items, groupItem{g.Version(), g.Record()})
	}
	return items, g.Err()
}

func buildGroup(items []groupItem) []byte {
	var g GroupBuilder
	for _, x := range items {
		g.Add(x.version, x.record)
	}
	value := g.Append(nil)
	if len(items) > 0 && g.Size() != len(value) {
		panic("size")
	}
	return value
}

// Records of several commits come back as they were, and one alone stands as it is.
func TestGroupRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var items []groupItem
		version := uint64(0)
		for range rapid.IntRange(1, 40).Draw(t, "records") {
			version += rapid.Uint64Range(1, 1<<20).Draw(t, "distance")
			rec := append([]byte{majorMap}, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "record")...)
			items = append(items, groupItem{version, rec})
		}
		value := buildGroup(items)
		if len(items) == 1 {
			require.Equal(t, items[0].record, value)
		}
		found, err := readGroup(version, value)
		require.NoError(t, err)
		require.Equal(t, items, found)
		g := OpenGroup(version, value)
		require.Equal(t, items[0].version, g.First())
		for i := range items {
			require.True(t, g.Next())
			require.Equal(t, len(items)-1-i, g.Left())
		}
	})
}

// The bytes of a group, for good (docs/format.md).
func TestGroupGolden(t *testing.T) {
	value := buildGroup([]groupItem{{300, []byte{0xa1, 1, 2}}, {301, []byte{0xa0}},
		{400, []byte{0xa1, 3, 4}}})
	require.Equal(t, unhex(t, "87 18 64 00 43 a1 01 02 01 41 a0 18 64 43 a1 03 04"), value)
}

// Every damage to a group is an error, and none makes a wrong version.
func TestGroupDamage(t *testing.T) {
	for name, hex := range map[string]string{
		"one record":          "83 01 00 41 a0",
		"no distance":         "85 00 00 41 a0 00 41 a0",
		"even":                "84 01 00 41 a0",
		"below version 1":     "85 19 01 90 00 41 a0 19 01 90 41 a0",
		"first not first":     "85 04 01 41 a0 04 41 a0",
		"not rising":          "87 04 00 41 a0 00 41 a0 04 41 a0",
		"last too early":      "85 04 00 41 a0 03 41 a0",
		"last too late":       "85 04 00 41 a0 05 41 a0",
		"cut":                 "85 04 00 41 a0 04 42 a0",
		"cut in a head":       "85 04 00 41",
		"bytes behind":        "85 04 00 41 a0 04 41 a0 00",
		"not a byte string":   "85 04 00 61 a0 04 41 a0",
		"distance too long":   "85 18 04 00 41 a0 04 41 a0",
		"not a distance":      "85 04 20 41 a0 04 41 a0",
		"indefinite":          "9f 04 00 41 a0 04 41 a0 ff",
		"more than there are": "87 04 00 41 a0 04 41 a0",
	} {
		_, err := readGroup(400, unhex(t, hex))
		require.ErrorIs(t, err, ErrCorrupt, name)
	}
}

func FuzzOpenGroup(f *testing.F) {
	f.Add(uint64(400), unhex(f, "87 18 64 00 43 a1 01 02 01 41 a0 18 64 43 a1 03 04"))
	f.Add(uint64(4), unhex(f, "85 04 00 41 a0 04 41 a0"))
	f.Add(uint64(4), []byte{0xa0})
	f.Fuzz(func(t *testing.T, version uint64, b []byte) {
		items, err := readGroup(version, b)
		if refused(t, err) || version == 0 {
			return
		}
		for i, x := range items {
			require.True(t, x.version > 0 && x.version <= version)
			require.True(t, i == 0 || x.version > items[i-1].version)
		}
		require.True(t, bytes.Equal(b, buildGroup(items)))
	})
}

func TestGroupsDoNotAllocate(t *testing.T) {
	var g GroupBuilder
	record := bytes.Repeat([]byte{0xa0}, 30)
	var dst []byte
	fill := func() {
		g.Reset()
		for v := range uint64(100) {
			g.Add(v+1, record)
		}
		dst = g.Append(dst[:0])
	}
	fill()
	require.Zero(t, testing.AllocsPerRun(10, fill))
	require.Zero(t, testing.AllocsPerRun(10, func() {
		r := OpenGroup(100, dst)
		for r.Next() {
		}
	}))
}
