package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/internal/show"
)

// significant writes three significant digits without an exponent.
func significant(v float64) string { return show.Significant(v) }

// Rate writes operations per second: 617K, 1.53M.
func Rate(v float64) string { return show.Rate(v) }

// Duration writes a duration with three significant digits: 61ns, 1.23µs, 12.3ms. Beyond a minute
// it is in seconds still, so that figures can be compared.
func Duration(d time.Duration) string {
	if d < time.Minute {
		return show.Duration(d)
	}
	return significant(d.Seconds()) + "s"
}

// Grouped writes a whole number in groups of three digits: 10,000.
func Grouped(n int) string { return show.Grouped(n) }

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
func wrap(text string, width, indent int) string { return show.Wrap(text, width, indent) }

// writeTrimmed writes lines without the blanks at their ends, which empty cells leave.
func writeTrimmed(w io.Writer, text string) error {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
