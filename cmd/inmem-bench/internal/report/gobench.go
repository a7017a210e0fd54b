package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// GoBench writes one Go benchmark line per repeat, so that benchstat sees the spread. What must be
// equal for two files to be compared stands before the lines: machine, mode, sizes.
func (r *Report) GoBench(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\npkg: %s\ncpu: %s\n",
		r.Machine.OS, r.Machine.Arch, "github.com/inmem-db/inmem/cmd/inmem-bench", r.Machine.CPU)
	fmt.Fprintf(&b, "keys: %d\nvalue-size: %d\nseed: %#x\n",
		r.Config.Keys, r.Config.ValueSize, r.Config.Seed)
	mode := ""
	for i := range r.Results {
		res := &r.Results[i]
		now := res.Mode
		if now == "" {
			now = "memory" // a limit that writes nothing
		}
		if now != mode {
			mode = now
			fmt.Fprintf(&b, "durability: %s\n", mode)
		}
		for _, s := range res.Samples {
			b.WriteString(benchLine(r, res, s))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func benchLine(r *Report, res *measure.Result, s *measure.Sample) string {
	ops := float64(s.Ops)
	line := fmt.Sprintf("Benchmark%s/%s-%d\t%d\t%.2f ns/op\t%d p50-ns\t%d p99-ns\t%.0f ops/s"+
		"\t%.0f B/op\t%.2f allocs/op", title(res.System.Name), res.Name, r.Machine.MaxProcs, s.Ops,
		float64(s.Elapsed)/ops, s.Latency.Quantile(.5), s.Latency.Quantile(.99), s.Rate(),
		float64(s.Bytes)/ops, float64(s.Mallocs)/ops)
	if s.CPU > 0 {
		line += fmt.Sprintf("\t%.0f cpu-ns/op", float64(s.CPU)/ops)
	}
	for _, m := range s.Metrics {
		line += fmt.Sprintf("\t%.2f %s", m.Value, metricUnit(m))
	}
	return line + "\n"
}

// metricUnit is a unit as the format wants it: one word.
func metricUnit(m measure.Metric) string {
	name := strings.ReplaceAll(m.Name, " ", "-")
	if strings.HasPrefix(m.Unit, "%") {
		return name + "-%"
	}
	return name
}

// title makes the first letter a capital, which the format wants behind "Benchmark".
func title(name string) string {
	runes := []rune(name)
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}
