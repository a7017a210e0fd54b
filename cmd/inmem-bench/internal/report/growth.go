package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// growth is one curve of one system: what an operation costs against the number of something.
type growth struct {
	over, of string
	system   measure.System
	points   []growthPoint // by number
}

// growthPoint is what one operation, or one unit of it, takes.
type growthPoint struct {
	at        int
	cpu       float64 // nanoseconds of the process
	p50       float64 // nanoseconds
	perSecond float64
}

// together says that what is counted works at the same time: then the rate is the figure.
func (g *growth) together() bool { return g.over == "goroutines" || g.over == "committers" }

// factor is how a figure grows from the first point to the last; 0 if it is not known.
func (g *growth) factor(figure func(*growthPoint) float64) float64 {
	first, last := figure(&g.points[0]), figure(&g.points[len(g.points)-1])
	if first <= 0 {
		return 0
	}
	return last / first
}

func cpuOf(p *growthPoint) float64  { return p.cpu }
func p50Of(p *growthPoint) float64  { return p.p50 }
func rateOf(p *growthPoint) float64 { return p.perSecond }

// growths lists the curves of which at least two points were measured, those over the same number
// and of the same operation side by side.
func (r *Report) growths() []*growth {
	var list []*growth
	for i := range r.Results {
		res := &r.Results[i]
		if res.Curve == nil || len(res.Samples) == 0 {
			continue
		}
		at := slices.IndexFunc(list, func(g *growth) bool {
			return g.over == res.Curve.Over && g.of == res.Curve.Of && g.system.Name == res.System.Name
		})
		if at < 0 {
			at = len(list)
			list = append(list, &growth{over: res.Curve.Over, of: res.Curve.Of, system: res.System})
		}
		units := float64(max(res.Units, 1))
		list[at].points = append(list[at].points, growthPoint{
			at: res.Curve.At, cpu: res.CPU().Median / units,
			p50:       float64(res.Latency().Quantile(.5)) / units,
			perSecond: res.Rate().Median,
		})
	}
	list = slices.DeleteFunc(list, func(g *growth) bool { return len(g.points) < 2 })
	for _, g := range list {
		slices.SortFunc(g.points, func(a, b growthPoint) int { return a.at - b.at })
	}
	return gathered(list)
}

// gathered puts curves over the same number together, and of those the same operations, in the
// order in which each was met first.
func gathered(list []*growth) []*growth {
	place := func(same func(a, b *growth) bool) func(*growth) int {
		return func(g *growth) int {
			return slices.IndexFunc(list, func(o *growth) bool { return same(o, g) })
		}
	}
	over := place(func(a, b *growth) bool { return a.over == b.over })
	of := place(func(a, b *growth) bool { return a.over == b.over && a.of == b.of })
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *growth) int {
		if c := over(a) - over(b); c != 0 {
			return c
		}
		return of(a) - of(b)
	})
	return sorted
}

// The widths of the tables of curves.
const (
	growthName = 26
	growthCell = 7
)

// growthTables writes what grows with what: of ours and of the limits; peers are in the page.
func (r *Report) growthTables(b *strings.Builder, s Style) {
	var list []*growth
	for _, g := range r.growths() {
		if !g.system.Peer {
			list = append(list, g)
		}
	}
	for from := 0; from < len(list); {
		to := from
		for to < len(list) && list[to].over == list[from].over {
			to++
		}
		same := list[from:to]
		nanos := func(v float64) string { return Duration(time.Duration(v)) }
		growthTable(b, s, same, "CPU per op", cpuOf, nanos)
		if same[0].together() {
			growthTable(b, s, same, "per second", rateOf, Rate)
		} else {
			growthTable(b, s, same, "p50 per op", p50Of, nanos)
		}
		from = to
	}
	if len(list) > 0 {
		b.WriteString("\ngrowth: the last column by the first. CPU: of the whole process, background " +
			"work included.\nWhat runs over a range is per entry.\n")
	}
}

// growthTable writes one figure of all curves over the same number.
func growthTable(b *strings.Builder, s Style, list []*growth, title string,
	figure func(*growthPoint) float64, write func(float64) string) {
	var columns []int
	for _, g := range list {
		for _, p := range g.points {
			if !slices.Contains(columns, p.at) {
				columns = append(columns, p.at)
			}
		}
	}
	slices.Sort(columns)
	header := fmt.Sprintf("%-*s", growthName, title+" by "+list[0].over)
	for _, at := range columns {
		header += fmt.Sprintf("%*s", growthCell, measure.Count(at))
	}
	fmt.Fprintf(b, "\n%s\n", s.Bold(header+"  growth"))
	for _, g := range list {
		name := strings.ReplaceAll(g.of, "_", " ")
		if g.system.Limit {
			name += ", " + g.system.Name
		}
		fmt.Fprintf(b, "%-*s", growthName, cut(name, growthName-1))
		for _, at := range columns {
			cell := "-"
			if i := slices.IndexFunc(g.points, func(p growthPoint) bool { return p.at == at }); i >= 0 {
				cell = write(figure(&g.points[i]))
			}
			fmt.Fprintf(b, "%*s", growthCell, cell)
		}
		text := "-"
		if f := g.factor(figure); f > 0 {
			text = significant(f)
		}
		fmt.Fprintf(b, "  %s\n", text)
	}
}
