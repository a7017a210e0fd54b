package terminal

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	require.Equal(t, "plain äöü 日本", Clean("plain äöü 日本"))
	require.Equal(t, `a\nb\tc\x1b[31m`, Clean("a\nb\tc\x1b[31m"))
	require.Equal(t, `\u202e\ufeff`, Clean("\u202e\ufeff"), "nor turns it round")
	require.Equal(t, `a\x9b1m\xffä`, Clean("a\x9b1m\xffä"), "what is not UTF-8, byte by byte")
	require.Equal(t, `"quotes" stay, and � as well`, Clean(`"quotes" stay, and � as well`))
	rapid.Check(t, func(t *rapid.T) {
		given := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		text := Clean(given)
		require.True(t, utf8.ValidString(text))
		for _, r := range text {
			require.True(t, unicode.IsPrint(r), "%q", text)
		}
		require.Equal(t, text, Clean(text), "once is enough")
	})
}

func TestCut(t *testing.T) {
	require.Equal(t, "abc", Cut("abc", 3))
	require.Equal(t, "äb…", Cut("äbcd", 3))
	require.Equal(t, "…", Cut("abcd", 1))
	require.Empty(t, Cut("abcd", 0))
	rapid.Check(t, func(t *rapid.T) {
		text, most := rapid.String().Draw(t, "text"), rapid.IntRange(0, 20).Draw(t, "most")
		require.LessOrEqual(t, utf8.RuneCountInString(Cut(text, most)), most)
	})
}
