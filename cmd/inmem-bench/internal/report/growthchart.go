package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// growthView shows how an operation grows with the number of something, for all systems.
type growthView struct {
	Name, Figure string
	Chart        template.HTML
}

// growthViews draws a chart for every operation and number.
func (r *Report) growthViews() []growthView {
	list := r.growths()
	var views []growthView
	for from := 0; from < len(list); {
		to := from
		for to < len(list) && list[to].over == list[from].over && list[to].of == list[from].of {
			to++
		}
		g := list[from]
		v := growthView{Name: strings.ReplaceAll(g.of, "_", " ") + " over " + g.over}
		if g.together() {
			v.Figure = "per second, of all together"
			v.Chart = r.growthChart(v.Name, list[from:to], rateOf, Rate)
		} else {
			v.Figure = "median time of one"
			v.Chart = r.growthChart(v.Name, list[from:to], p50Of, func(ns float64) string {
				return Duration(time.Duration(ns))
			})
		}
		views = append(views, v)
		from = to
	}
	return views
}

// growthChart draws curves, both axes logarithmic.
func (r *Report) growthChart(name string, list []*growth, figure func(*growthPoint) float64,
	write func(float64) string) template.HTML {
	least, most, small, large := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, g := range list {
		for i := range g.points {
			p := &g.points[i]
			least, most = min(least, figure(p)), max(most, figure(p))
			small, large = min(small, float64(p.at)), max(large, float64(p.at))
		}
	}
	const height, left, bottom, right = 260, 56, 24, 76
	low := math.Floor(math.Log10(max(least, 1)))
	high := max(math.Ceil(math.Log10(max(most, 1))), low+1)
	x := func(at int) float64 {
		return left + (chartWidth-left-right)*math.Log(float64(max(at, 1))/small)/math.Log(large/small)
	}
	y := func(v float64) float64 {
		return 8 + (height-bottom-8)*(1-(math.Log10(max(v, 1))-low)/(high-low))
	}
	var b svg
	for e := low; e <= high; e++ {
		v := math.Pow(10, e)
		b.add(`<path d="M%d %.1fH%d" class="grid"/>`, left, y(v), chartWidth-right)
		b.text(left-6, y(v)+4, "soft end", write(v))
	}
	marked := map[int]bool{}
	var ends []float64
	for _, g := range list {
		color := r.color(g.system)
		var line strings.Builder
		for i := range g.points {
			p := &g.points[i]
			fmt.Fprintf(&line, "%c%.1f %.1f", "ML"[min(i, 1)], x(p.at), y(figure(p)))
			if !marked[p.at] {
				marked[p.at] = true
				b.text(x(p.at), height-6, "soft middle", measure.Count(p.at))
			}
		}
		b.add(`<path d="%s" class="curve l%d"/>`, line.String(), color)
		for i := range g.points {
			p := &g.points[i]
			b.add(`<circle cx="%.1f" cy="%.1f" r="3.5" class="f%d"><title>%s</title></circle>`,
				x(p.at), y(figure(p)), color, template.HTMLEscapeString(fmt.Sprintf("%s, %s %s: %s",
					g.system.Name, measure.Count(p.at), g.over, write(figure(p)))))
		}
		at := apart(y(figure(&g.points[len(g.points)-1]))+4, ends)
		ends = append(ends, at)
		b.add(`<text x="%d" y="%.1f" style="fill: var(--s%d)">%s</text>`, chartWidth-right+8, at,
			color, template.HTMLEscapeString(g.system.Name))
	}
	return b.done(chartWidth, height, name)
}
