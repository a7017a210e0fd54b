package show

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Significant writes three significant digits without an exponent.
func Significant(v float64) string {
	switch {
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Rate writes a number that may be large, such as operations per second: 617K, 1.53M.
func Rate(v float64) string {
	switch {
	case v >= 999_500_000:
		return Significant(v/1e9) + "G"
	case v >= 999_500:
		return Significant(v/1e6) + "M"
	case v >= 9_995:
		return Significant(v/1e3) + "K"
	}
	return Significant(v)
}

// Duration writes a duration with three significant digits up to a minute, 61ns, 1.23µs, 12.3ms,
// and in whole units above: 4m10s, 3h20m, 2d4h.
func Duration(d time.Duration) string {
	v := float64(d)
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case v < 1e3:
		return fmt.Sprintf("%dns", d)
	case v < 999.5e3:
		return Significant(v/1e3) + "µs"
	case v < 999.5e6:
		return Significant(v/1e6) + "ms"
	case d < time.Minute:
		return Significant(v/1e9) + "s"
	}
	return wholes(d)
}

// wholes writes the two largest units of a duration of at least a minute.
func wholes(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units[:3] {
		if d >= u.size {
			less := units[i+1]
			text := fmt.Sprintf("%d%s", d/u.size, u.name)
			if rest := d % u.size / less.size; rest > 0 {
				text += fmt.Sprintf("%d%s", rest, less.name)
			}
			return text
		}
	}
	return Significant(d.Seconds()) + "s"
}

// Grouped writes a whole number in groups of three digits: 10,000.
func Grouped[T ~int | ~int64 | ~uint64 | ~uint32](n T) string {
	s := fmt.Sprintf("%d", n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Size writes a number of bytes, in units of 1024 and three significant digits: 812 B, 1.23 MiB.
func Size[T ~int | ~int64 | ~uint64](n T) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for v >= 1023.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return Significant(v) + " " + units[i]
}

// Count writes a number with its noun: 1 run, 3 runs. The plural is the noun with an s.
func Count[T ~int | ~int64 | ~uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Grouped(n) + " " + noun + "s"
}

// CutFront is Cut at the beginning: for names of which the end tells them apart.
func CutFront(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	return "…" + string(runes[len(runes)-width+1:])
}

// Pad fills text with blanks up to a number of columns.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// PadFront fills text with blanks in front, up to a number of columns.
func PadFront(text string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text))) + text
}

// Wrap breaks text at blanks; every line but the first is indented.
func Wrap(text string, width, indent int) string {
	var b strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
