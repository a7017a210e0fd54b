package diff

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// listed is a Cursor over a map; it fails at the end if it has an error.
type listed struct {
	keys   []string
	values map[string]byte
	at     int
	err    error
}

func newListed(m map[string]byte) *listed {
	return &listed{keys: slices.Sorted(maps.Keys(m)), values: m, at: -1}
}

func (l *listed) Next() bool { l.at++; return l.at < len(l.keys) }

func (l *listed) Key() string   { return l.keys[l.at] }
func (l *listed) Value() []byte { return []byte{l.values[l.Key()]} }

func (l *listed) Err() error {
	if l.at < len(l.keys) {
		return nil
	}
	return l.err
}

func TestMergeSeesEveryKeyOnce(t *testing.T) {
	keys := rapid.MapOf(rapid.StringN(0, 2, 2), rapid.Byte())
	rapid.Check(t, func(t *rapid.T) {
		a, b := keys.Draw(t, "a"), keys.Draw(t, "b")
		x, y := newListed(a), newListed(b)
		var seen []string
		require.NoError(t, Merge(x, y, func(inA, inB bool) bool {
			key := ""
			if inA {
				key = x.Key()
			}
			if inB {
				key = y.Key()
			}
			_, hasA := a[key]
			_, hasB := b[key]
			require.Equal(t, [2]bool{hasA, hasB}, [2]bool{inA, inB})
			seen = append(seen, key)
			return true
		}))
		all := maps.Clone(a)
		maps.Copy(all, b)
		require.Equal(t, slices.Sorted(maps.Keys(all)), append([]string(nil), seen...))
	})
}

func TestMergeEndsEarlyAndFails(t *testing.T) {
	m := map[string]byte{"a": 1, "b": 2, "c": 3}
	n := 0
	require.NoError(t, Merge(newListed(m), newListed(m), func(bool, bool) bool {
		n++
		return n < 2
	}))
	require.Equal(t, 2, n)
	broken := newListed(map[string]byte{"a": 1})
	broken.err = errors.New("broken")
	for _, sides := range [][2]*listed{{broken, newListed(m)}, {newListed(m), broken}} {
		broken.at, n = -1, 0
		err := Merge(sides[0], sides[1], func(bool, bool) bool { n++; return true })
		require.ErrorIs(t, err, broken.err)
		require.Equal(t, 1, n, "what follows is not known")
	}
}
