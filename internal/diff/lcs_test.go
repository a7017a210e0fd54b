package diff

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// dumbLength is the length of a longest common subsequence, by the book: the oracle.
func dumbLength[K comparable](a, b []K) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// letters are sequences with many repetitions, or with few.
func letters() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		most := rapid.SampledFrom([]byte{1, 2, 3, 8, 200}).Draw(t, "alphabet")
		return rapid.SliceOfN(rapid.ByteMax(most), 0, 40).Draw(t, "letters")
	})
}

func requireCommon(t require.TestingT, a, b []byte) {
	pairs := common(a, b)
	last := pair{-1, -1}
	for _, p := range pairs {
		require.Greater(t, p.a, last.a, "%v %v", a, b)
		require.Greater(t, p.b, last.b, "%v %v", a, b)
		require.Equal(t, a[p.a], b[p.b])
		last = p
	}
	require.Len(t, pairs, dumbLength(a, b), "%v %v", a, b)
	turned := common(b, a)
	for i := range turned {
		turned[i] = pair{turned[i].b, turned[i].a}
	}
	require.Equal(t, pairs, turned, "%v %v", a, b)
}

// R208: the alignment is as good as can be, and the same from both sides.
func TestCommonIsLongestAndSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		requireCommon(t, letters().Draw(t, "a"), letters().Draw(t, "b"))
	})
}

// What was edited a little, as most things that are compared.
func TestCommonOfAnEdit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := letters().Draw(t, "a")
		b := slices.Clone(a)
		for range rapid.IntRange(0, 4).Draw(t, "edits") {
			at := rapid.IntRange(0, len(b)).Draw(t, "at")
			if len(b) > at && rapid.Bool().Draw(t, "delete") {
				b = slices.Delete(b, at, at+1)
			} else {
				b = slices.Insert(b, at, rapid.Byte().Draw(t, "letter"))
			}
		}
		requireCommon(t, a, b)
	})
}

func FuzzCommon(f *testing.F) {
	f.Add([]byte("abcabba"), []byte("cbabac"))
	f.Add([]byte("aaaaaaaaab"), []byte("baaaaaaaaa"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) <= 300 && len(b) <= 300 {
			requireCommon(t, a, b)
		}
	})
}

func TestGaps(t *testing.T) {
	var found [][4]int
	gaps([]pair{{1, 0}, {2, 1}, {4, 5}}, 5, 7, func(a0, a1, b0, b1 int) {
		found = append(found, [4]int{a0, a1, b0, b1})
	})
	require.Equal(t, [][4]int{{0, 1, 0, 0}, {3, 4, 2, 5}, {5, 5, 6, 7}}, found)
}
