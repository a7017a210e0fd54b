package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// nines are the marks of the axis of a latency curve: a percentile stands at the logarithm of the
// share beyond it.
var nines = []struct {
	q     float64
	label string
}{{0, "min"}, {.5, "p50"}, {.9, "p90"}, {.99, "p99"}, {.999, "p99.9"}, {.9999, "p99.99"}}

// fewest is the number of timed operations below which a curve says nothing.
const fewest = 50

// latencyChart draws the percentiles of every system, both axes logarithmic; empty if the
// operations were too few.
func (r *Report) latencyChart(name string) template.HTML {
	type line struct {
		system measure.System
		h      *measure.Histogram
	}
	var lines []line
	fastest, slowest, deepest := time.Duration(math.MaxInt64), time.Duration(1), 0.0
	for _, s := range r.systems() {
		res := r.of(name, s.Name)
		if res == nil {
			continue
		}
		h := res.Latency()
		if h.Count() < fewest {
			continue
		}
		lines = append(lines, line{s, h})
		last := deepestOf(h)
		deepest = max(deepest, last)
		fastest = min(fastest, h.Quantile(0))
		slowest = max(slowest, h.Quantile(last))
	}
	if len(lines) == 0 {
		return ""
	}
	const height, left, bottom, right = 250, 50, 24, 70
	low, high := decades(fastest, slowest)
	x := func(q float64) float64 {
		share := math.Log10(1/(1-q)) / math.Log10(1/(1-deepest))
		return left + (chartWidth-left-right)*share
	}
	y := func(d time.Duration) float64 {
		share := (math.Log10(float64(max(d, 1))) - float64(low)) / float64(high-low)
		return 8 + (height-bottom-8)*(1-share)
	}
	var b svg
	for e := low; e <= high; e++ {
		d := time.Duration(math.Pow(10, float64(e)))
		b.add(`<path d="M%d %.1fH%d" class="grid"/>`, left, y(d), chartWidth-right)
		b.text(left-6, y(d)+4, "soft end", Duration(d))
	}
	for _, n := range nines {
		if n.q <= deepest {
			b.text(x(n.q), height-6, "soft middle", n.label)
		}
	}
	ends := make([]float64, 0, len(lines))
	for _, l := range lines {
		last := deepestOf(l.h)
		b.add(`<path d="%s" class="curve l%d"/>`, path(l.h, last, x, y), r.color(l.system))
		at := apart(y(l.h.Quantile(last))+4, ends)
		ends = append(ends, at)
		b.add(`<text x="%.1f" y="%.1f" style="fill: var(--s%d)">%s</text>`, x(last)+5, at,
			r.color(l.system), template.HTMLEscapeString(l.system.Name))
	}
	return b.done(chartWidth, height, "latency of "+name+" by percentile")
}

// deepestOf is the last percentile that at least five operations lie beyond.
func deepestOf(h *measure.Histogram) float64 {
	last := 0.5
	for _, n := range nines {
		if float64(h.Count())*(1-n.q) >= 5 {
			last = n.q
		}
	}
	return last
}

// path draws a curve in small steps up to a percentile.
func path(h *measure.Histogram, last float64, x func(float64) float64,
	y func(time.Duration) float64) string {
	const steps = 60
	var b strings.Builder
	depth := math.Log10(1 / (1 - last))
	for i := range steps + 1 {
		q := 1 - math.Pow(10, -depth*float64(i)/steps)
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", letter, x(q), y(h.Quantile(q)))
	}
	return b.String()
}

// apart moves a label down until it covers none of those that stand already.
func apart(y float64, taken []float64) float64 {
	const gap = 13
	// In the order of their places: who has moved below one cannot meet those above it again.
	for _, t := range slices.Sorted(slices.Values(taken)) {
		if math.Abs(t-y) < gap {
			y = t + gap
		}
	}
	return y
}
