package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
)

// Width is the number of columns that everything for people fits into.
const Width = show.Width

// Style says how text for people is decorated. The zero value is plain.
type Style = show.Style

const rowFormat = "%-37s%8s%6s%8s%8s%8s%8s  %s\n"

// Table writes a line for every workload, those of one group together.
func (r *Report) Table(w io.Writer, s Style) error {
	var b strings.Builder
	header := fmt.Sprintf(rowFormat,
		"workload", "ops/s", "±", "p50", "p99", "p99.9", "allocs", "of limit")
	b.WriteString(s.Bold(strings.TrimSuffix(header, "\n")) + "\n")
	list := r.subjects()
	several := false
	for _, res := range list {
		several = several || res.System.Name != list[0].System.Name
	}
	group, exhausted := "", false
	for _, res := range list {
		g, _, _ := strings.Cut(res.Name, "/")
		if group != "" && g != group {
			b.WriteByte('\n')
		}
		group = g
		name := res.Name
		if several {
			name += " " + res.System.Name
		}
		exhausted = exhausted || res.Exhausted()
		l := res.Latency()
		spread := fmt.Sprintf("%.0f%%", 100*res.Rate().Spread())
		fmt.Fprintf(&b, rowFormat, cutFront(name, 37), rateCell(res), spread, Duration(l.Quantile(.5)),
			Duration(l.Quantile(.99)), Duration(l.Quantile(.999)), allocs(res), r.note(res))
	}
	if exhausted {
		b.WriteString("\n* ended before its time: the prepared keys were used up\n")
	}
	return writeTrimmed(w, b.String())
}

// rateCell is the median rate, marked if a repeat ran out of keys.
func rateCell(res *measure.Result) string {
	if res.Exhausted() {
		return "*" + Rate(res.Rate().Median)
	}
	return Rate(res.Rate().Median)
}

// note is the last column: the ratio to the limit, else the first further figure.
func (r *Report) note(res *measure.Result) string {
	if ratio, limit, ok := res.Ratio(r.Results); ok {
		return cut(fmt.Sprintf("%.2f %s", ratio.Median, limit), 15)
	}
	for _, m := range res.Metrics() {
		return cut(figure(m), 15)
	}
	return ""
}

// figure writes a metric: "97.8% committed", "102 bytes/key overhead".
func figure(m measure.Metric) string {
	if strings.HasPrefix(m.Unit, "%") {
		return percent(m.Value) + " " + m.Name
	}
	return significant(m.Value) + " " + m.Name
}

func allocs(res *measure.Result) string {
	n := res.Allocs().Median
	switch {
	case n < 0.05:
		return "0"
	case n >= 99_999:
		return Rate(n)
	}
	return fmt.Sprintf("%.1f", n)
}

// cutFront shortens a name that is too long for its column: what tells it apart stands at its end.
func cutFront(name string, width int) string { return show.CutFront(name, width) }

// cut shortens text that is too long for its column.
func cut(text string, width int) string { return terminal.Cut(text, width) }
