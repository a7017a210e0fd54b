package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// recallView shows how fast the searches of one set are, by what they find.
type recallView struct {
	Name  string
	Chart template.HTML
}

// point is a search at one width.
type point struct {
	width        string // as the workload is called
	recall, rate float64
}

// curve is one way to search one set, at several widths.
type curve struct {
	label  string
	color  int
	points []point // by recall
}

// recalls draws a chart for every set that was searched at several widths: the curves of all
// systems, and of all ways in which one does it.
func (r *Report) recalls() []recallView {
	var names []string
	curves := map[string][]*curve{}
	for i := range r.Results {
		res := &r.Results[i]
		recall, ok := recallOf(res)
		if !ok {
			continue
		}
		way, set, width := parts(res.Name)
		label := res.System.Name
		if way != "search" {
			label += " " + strings.ReplaceAll(way, "_", " ")
		}
		at := slices.IndexFunc(curves[set], func(c *curve) bool { return c.label == label })
		if at < 0 {
			if !slices.Contains(names, set) {
				names = append(names, set)
			}
			at = len(curves[set])
			color := (r.color(res.System) + strings.Count(label, "bare")*5) % colors
			curves[set] = append(curves[set], &curve{label: label, color: color})
		}
		c := curves[set][at]
		c.points = append(c.points, point{width, recall, res.Rate().Median})
	}
	var views []recallView
	for _, set := range names {
		if chart := recallChart(set, curves[set]); chart != "" {
			views = append(views, recallView{set, chart})
		}
	}
	return views
}

// parts takes the name of a search apart: vector/search/384/20k/ef_64 gives "search", "384/20k" and
// "ef_64".
func parts(name string) (way, set, width string) {
	_, rest, _ := strings.Cut(name, "/")
	way, rest, _ = strings.Cut(rest, "/")
	cut := max(strings.LastIndexByte(rest, '/'), 0)
	return way, rest[:cut], strings.TrimPrefix(rest[cut:], "/")
}

// recallOf is the recall of a search at some width, in percent.
func recallOf(res *measure.Result) (float64, bool) {
	_, _, width := parts(res.Name)
	if width != "default" && !strings.HasPrefix(width, "ef_") {
		return 0, false
	}
	for _, m := range res.Metrics() {
		if m.Name == measure.Recall {
			return m.Value, true
		}
	}
	return 0, false
}

// recallChart draws curves: to the right more is found, upwards more a second, by its logarithm.
// It is empty if no curve has two points.
func recallChart(set string, curves []*curve) template.HTML {
	least, slow, fast, most := 100.0, math.Inf(1), 0.0, 0
	for _, c := range curves {
		slices.SortStableFunc(c.points, func(a, b point) int {
			return cmp.Or(cmp.Compare(a.recall, b.recall), cmp.Compare(b.rate, a.rate))
		})
		most = max(most, len(c.points))
		for _, p := range c.points {
			least, slow, fast = min(least, p.recall), min(slow, p.rate), max(fast, p.rate)
		}
	}
	if most < 2 || slow <= 0 {
		return ""
	}
	const width, height, left, bottom, right = 900, 320, 60, 24, 150
	least = min(math.Floor(least), 99)
	low, high := math.Floor(math.Log10(slow)), math.Ceil(math.Log10(fast*1.01))
	x := func(recall float64) float64 {
		return left + (width-left-right)*(recall-least)/(100-least)
	}
	y := func(rate float64) float64 {
		return 10 + (height-bottom-10)*(1-(math.Log10(rate)-low)/(high-low))
	}
	var b svg
	for e := low; e <= high; e++ {
		rate := math.Pow(10, e)
		b.add(`<path d="M%d %.1fH%d" class="grid"/>`, left, y(rate), width-right)
		b.text(left-6, y(rate)+4, "soft end", Rate(rate))
	}
	for _, recall := range recallMarks(least) {
		b.add(`<path d="M%.1f 10V%d" class="grid"/>`, x(recall), height-bottom)
		b.text(x(recall), height-6, "soft middle", percent(recall))
	}
	var ends []float64
	for _, c := range curves {
		var line strings.Builder
		for i, p := range c.points {
			fmt.Fprintf(&line, "%c%.1f %.1f", "ML"[min(i, 1)], x(p.recall), y(p.rate))
		}
		b.add(`<path d="%s" class="curve l%d"/>`, line.String(), c.color)
		for _, p := range c.points {
			b.add(`<circle cx="%.1f" cy="%.1f" r="3.5" class="f%d"><title>%s</title></circle>`,
				x(p.recall), y(p.rate), c.color, template.HTMLEscapeString(fmt.Sprintf(
					"%s %s: %s of the nearest, %s per second", c.label, p.width, percent(p.recall),
					Rate(p.rate))))
		}
		at := apart(y(c.points[len(c.points)-1].rate)+4, ends)
		ends = append(ends, at)
		b.add(`<text x="%d" y="%.1f" style="fill: var(--s%d)">%s</text>`, width-right+8, at,
			c.color, template.HTMLEscapeString(c.label))
	}
	return b.done(width, height, "searches per second of "+set+" by recall")
}

// recallMarks are four or five round percentages from least to 100.
func recallMarks(least float64) []float64 {
	for _, step := range []float64{0.25, 0.5, 1, 2, 5, 10, 20} {
		if (100-least)/step > 5 {
			continue
		}
		var marks []float64
		for m := 100.0; m >= least; m -= step {
			marks = append(marks, m)
		}
		return marks
	}
	return []float64{100}
}
