package show

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNumbers(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ns", 61: "61ns", 1230: "1.23µs", 999_600: "1.00ms", 12_300_000: "12.3ms",
		time.Second: "1.00s", 59*time.Second + 900*time.Millisecond: "59.9s",
		time.Minute: "1m", 250 * time.Second: "4m10s", 200 * time.Minute: "3h20m",
		52 * time.Hour: "2d4h", 48*time.Hour + 5*time.Minute: "2d", -time.Second: "-1.00s",
	} {
		require.Equal(t, want, Duration(d))
	}
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1 << 20: "1.00 MiB", 1<<20 - 1: "1.00 MiB",
		300 << 20: "300 MiB", 5 << 30: "5.00 GiB",
	} {
		require.Equal(t, want, Size(n))
	}
	require.Equal(t, "-1,234,567", Grouped(-1234567))
	require.Equal(t, "-123", Grouped(-123))
	require.Equal(t, "1 run", Count(1, "run"))
	require.Equal(t, "10,000 runs", Count(10000, "run"))
	require.Equal(t, "617K", Rate(617_000))
	require.Equal(t, "1.53M", Rate(1_530_000))
	require.Equal(t, "12.0", Rate(12))
}

func TestCutting(t *testing.T) {
	require.Equal(t, "…cd", CutFront("äbcd", 3))
	require.Empty(t, CutFront("abcd", 0))
	require.Equal(t, "ä ", Pad("ä", 2))
	require.Equal(t, " ä", PadFront("ä", 2))
	require.Equal(t, "abc", Pad("abc", 2))
	require.Equal(t, "aa bb\n  cc", Wrap("aa bb  cc", 7, 2))
}

func TestBars(t *testing.T) {
	require.Empty(t, Bar(0, 8))
	require.Equal(t, "▏", Bar(0.0001, 8), "more than nothing is seen")
	require.Equal(t, "████", Bar(.5, 8))
	require.Equal(t, "████████", Bar(7, 8))
	require.Equal(t, "████▌", Bar(.5625, 8))
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 40).Draw(t, "width")
		from := rapid.Float64Range(-1, 2).Draw(t, "from")
		to := rapid.Float64Range(-1, 2).Draw(t, "to")
		lane := Lane(from, to, width)
		require.Equal(t, width, utf8.RuneCountInString(lane))
		require.Contains(t, lane, "━")
		require.LessOrEqual(t, utf8.RuneCountInString(Bar(to, width)), width)
	})
	require.Equal(t, "  ━━  ", Lane(1./3, 2./3, 6))
	require.Equal(t, "     ━", Lane(1, 1, 6))
}

func TestTable(t *testing.T) {
	paint := func(s Style, cell string) string { return s.Red(cell) }
	table := Table{Columns: []Column{
		{Title: "NAME", Flexible: true, Paint: paint}, {Title: "N", Align: Right}, {Title: "NOTE"},
	}}
	var b strings.Builder
	require.NoError(t, table.Write(&b))
	require.Empty(t, b.String(), "without rows")
	table.Row("one", "1", "a\nb")
	table.Row("twenty", "20")
	table.Row(strings.Repeat("x", 200), "300", "", "too many")
	require.Equal(t, 3, table.Len())
	require.NoError(t, table.Write(&b))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Len(t, lines, 4)
	for _, line := range lines {
		require.LessOrEqual(t, utf8.RuneCountInString(line), Width)
		require.Equal(t, strings.TrimRight(line, " "), line)
	}
	require.Regexp(t, `^one +1  a\\nb$`, lines[1])
	require.Regexp(t, `^x+…  300$`, lines[3])

	b.Reset()
	table.Style.Color = true
	require.NoError(t, table.Write(&b))
	require.Contains(t, b.String(), "\x1b[31mtwenty")
	require.False(t, StyleOf(&b).Color, "no terminal")
}
