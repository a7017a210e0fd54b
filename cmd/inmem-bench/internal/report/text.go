package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// significant writes three significant digits without an exponent.
func significant(v float64) string {
	switch {
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Rate writes operations per second: 617K, 1.53M.
func Rate(v float64) string {
	switch {
	case v >= 999_500_000:
		return significant(v/1e9) + "G"
	case v >= 999_500:
		return significant(v/1e6) + "M"
	case v >= 9_995:
		return significant(v/1e3) + "K"
	}
	return significant(v)
}

// Duration writes a duration with three significant digits: 61ns, 1.23µs, 12.3ms.
func Duration(d time.Duration) string {
	v := float64(d)
	switch {
	case v < 1e3:
		return fmt.Sprintf("%dns", d)
	case v < 999.5e3:
		return significant(v/1e3) + "µs"
	case v < 999.5e6:
		return significant(v/1e6) + "ms"
	}
	return significant(v/1e9) + "s"
}

// Grouped writes a whole number in groups of three digits: 10,000.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// percent writes a share with at most one decimal, never rounded up: only all is 100 %.
func percent(v float64) string {
	return strconv.FormatFloat(math.Floor(v*10)/10, 'f', -1, 64) + "%"
}

// Size writes a number of bytes: 256 MiB.
func Size(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n >= 1024 && n%1024 == 0 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return fmt.Sprintf("%d %s", n, units[i])
}

// wrap breaks text at spaces; every line but the first is indented.
func wrap(text string, width, indent int) string {
	var b strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
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

// writeTrimmed writes lines without the blanks at their ends, which empty cells leave.
func writeTrimmed(w io.Writer, text string) error {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
