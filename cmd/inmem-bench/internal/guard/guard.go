// Package guard tells a large and lasting loss of speed from the noise of a shared machine. A file
// records how some rows stood to a reference that runs in the same process; a row is lost only if
// it stands Margin times worse, by elapsed and by processor time, in every one of several attempts.
package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

const (
	// Margin is how much worse than recorded a row must stand to count as lost in one attempt.
	Margin = 2.5
	// Attempts is how often it must.
	Attempts = 3
)

// Line is one recorded ratio.
type Line struct {
	// Row is the workload, Reference the system beside ours.
	Row, Reference string
	// Recorded is the ratio of ours to the reference, in operations per second.
	Recorded float64
}

// Parse reads lines of row, reference and ratio; what follows a # is a comment. All faults are
// reported at once, with their lines.
func Parse(r io.Reader) ([]Line, error) {
	var (
		list   []Line
		faults []error
	)
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		text, _, _ := strings.Cut(scanner.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 {
			faults = append(faults, fmt.Errorf("line %d: %d words, expected a workload, a system and a "+
				"ratio", n, len(fields)))
			continue
		}
		ratio, err := strconv.ParseFloat(fields[2], 64)
		if err != nil || ratio <= 0 {
			faults = append(faults, fmt.Errorf("line %d: ratio is %q, expected a number above 0", n,
				fields[2]))
			continue
		}
		list = append(list, Line{fields[0], fields[1], ratio})
	}
	faults = append(faults, scanner.Err())
	return list, errors.Join(faults...)
}

// Verdict is a line with what one attempt gave.
type Verdict struct {
	Line
	// Elapsed and CPU are the ratios now, by elapsed time and by processor time per operation; CPU
	// is 0 where that is unknown.
	Elapsed, CPU float64
}

// Lost says that the row stands Margin times worse than recorded by both measures.
func (v *Verdict) Lost() bool { return max(v.Elapsed, v.CPU) < v.Recorded/Margin }

// Judge compares results with the lines. Errors: a row or its reference was not measured.
func Judge(lines []Line, all []measure.Result) ([]Verdict, error) {
	var list []Verdict
	for _, l := range lines {
		var ours, other *measure.Result
		for i := range all {
			switch r := &all[i]; {
			case r.Name != l.Row:
			case r.System.Name == l.Reference:
				other = r
			case !r.System.Peer && !r.System.Limit:
				ours = r
			}
		}
		if ours == nil || other == nil {
			return nil, fmt.Errorf("%s was not measured beside %s", l.Row, l.Reference)
		}
		ratio, ok := ours.RatioTo(other)
		if !ok {
			return nil, fmt.Errorf("%s: the repeats of %s do not match", l.Row, l.Reference)
		}
		cpu, _ := ours.CPURatioTo(other)
		list = append(list, Verdict{l, ratio.Median, cpu.Median})
	}
	return list, nil
}
