package diff

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/codec"
)

func TestHTML(t *testing.T) {
	var b strings.Builder
	require.NoError(t, full(t).WriteHTML(&b))
	golden(t, "full.html", b.String())
	require.NotContains(t, b.String(), "http", "the page needs nothing else")
	require.NotContains(t, b.String(), "<script")
	require.ErrorIs(t, full(t).WriteHTML(&stuck{left: 300}), errStuck)
}

// What a run holds can do nothing to the page.
func TestHTMLIsSafe(t *testing.T) {
	evil := "</pre><script>alert(1)</script>"
	r := &Report{A: Side{Run: evil}, Entries: []Entry{{Primitive: KV, Op: Added, Key: evil,
		Changes: Whole(codec.String(evil), Added, Limits{})}}}
	var b strings.Builder
	require.NoError(t, r.WriteHTML(&b))
	require.NotContains(t, b.String(), "<script")
}

func TestSplit(t *testing.T) {
	x, y := split("at 10:00 sharp", "at 11:30 sharp")
	require.Equal(t, &htmlText{"at 1", "0:0", "0 sharp"}, x)
	require.Equal(t, &htmlText{"at 1", "1:3", "0 sharp"}, y)
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringN(0, 8, -1).Draw(t, "a"), rapid.StringN(0, 8, -1).Draw(t, "b")
		x, y := split(a, b)
		require.Equal(t, a, x.Before+x.Differs+x.After)
		require.Equal(t, b, y.Before+y.Differs+y.After)
		require.Equal(t, x.Before, y.Before)
		require.Equal(t, x.After, y.After)
		for _, part := range []string{x.Before, x.Differs, x.After, y.Differs} {
			require.True(t, utf8.ValidString(part), "%q %q", a, b)
		}
	})
}
