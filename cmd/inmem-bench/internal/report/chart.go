package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// The measures of all charts, in units of the SVG.
const (
	chartWidth = 520
	lineHeight = 22
	labelWidth = 66
	valueWidth = 148
)

// svg collects the elements of a picture.
type svg struct{ strings.Builder }

func (b *svg) add(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }

// text places words; class may be empty.
func (b *svg) text(x, y float64, class, words string) {
	b.add(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class,
		template.HTMLEscapeString(words))
}

// done wraps what was drawn; about says it to those who cannot see it.
func (b *svg) done(width, height float64, about string) template.HTML {
	return template.HTML(fmt.Sprintf(
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n%s</svg>",
		width, height, template.HTMLEscapeString(about), b.String()))
}

// color is the number of a system's colour.
func (r *Report) color(s measure.System) int {
	limits, others := 0, 0
	for _, o := range r.systems() {
		if o.Name == s.Name {
			break
		}
		if o.Limit {
			limits++
		} else {
			others++
		}
	}
	if s.Limit {
		return colors - 2 + limits%2
	}
	return others % (colors - 2)
}

// rateChart draws a bar for each system: its rate, with the range of the repeats, and the ratio of
// ours to it.
func (r *Report) rateChart(name string, judged []bars.Verdict) template.HTML {
	var list []*measure.Result
	for _, s := range r.systems() {
		if res := r.of(name, s.Name); res != nil {
			list = append(list, res)
		}
	}
	ours := list[0]
	most, goal := 0.0, 0.0
	for _, res := range list {
		if !res.System.Limit {
			most = max(most, res.Rate().Median)
		}
	}
	for i := range judged {
		v := &judged[i]
		best := ours.Best(r.Results)
		if v.Row.Name == name && v.Goal.Kind == bars.OfBest && best != nil && v.Goal.Bar > 0 {
			goal = v.Goal.Bar * best.Rate().Median
		}
	}
	// The goal is in the picture, unless it would make the rest too small to read.
	if goal > 0 && goal < 4*most {
		most = max(most, goal*1.02)
	}
	var b svg
	room := float64(chartWidth - labelWidth - valueWidth)
	for i, res := range list {
		y := float64(i * lineHeight)
		rate := res.Rate()
		class := fmt.Sprintf("f%d", r.color(res.System))
		b.text(labelWidth-8, y+15, "end", res.System.Name)
		b.add(`<rect x="%d" y="%.0f" width="%.0f" height="14" rx="2" class="track"/>`,
			labelWidth, y+4, room)
		length := room * min(rate.Median/most, 1)
		b.add(`<rect x="%d" y="%.0f" width="%.1f" height="14" rx="2" class="%s"/>`,
			labelWidth, y+4, max(length, 1), class)
		if rate.Median > most {
			b.text(labelWidth+room-14, y+15, "", "»")
		} else {
			from, to := room*min(rate.Min/most, 1), room*min(rate.Max/most, 1)
			b.add(`<path d="M%.1f %.0fH%.1f" class="curve l%d"/>`, labelWidth+from, y+20.5,
				labelWidth+max(to, from+1), r.color(res.System))
		}
		b.text(labelWidth+room+8, y+15, "", r.rateLabel(ours, res))
	}
	height := float64(len(list) * lineHeight)
	if x := labelWidth + room*goal/most; goal > 0 && goal <= most {
		b.add(`<path d="M%.1f 0V%.0f" class="goal"/>`, x, height)
	}
	return b.done(chartWidth, height+2, "operations per second of "+name)
}

// rateLabel is what stands behind a bar: the rate, and how ours compares.
func (r *Report) rateLabel(ours, res *measure.Result) string {
	text := Rate(res.Rate().Median)
	if res == ours {
		return text
	}
	if ratio, ok := ours.RatioTo(res); ok {
		text += fmt.Sprintf(" (ours %s×)", significant(ratio.Median))
	}
	return text
}

// decades are the powers of ten that span some durations.
func decades(from, to time.Duration) (low, high int) {
	low = int(math.Floor(math.Log10(float64(max(from, 1)))))
	high = int(math.Ceil(math.Log10(float64(max(to, 2)))))
	return low, max(high, low+1)
}

// ranges draws the latencies of a group's workloads that were not contested: from the median to the
// 99.9th percentile.
func (r *Report) ranges(group string, contested []string) template.HTML {
	var list []*measure.Result
	fastest, slowest := time.Duration(math.MaxInt64), time.Duration(1)
	for _, res := range r.subjects() {
		if g, _, _ := strings.Cut(res.Name, "/"); g == group && !slices.Contains(contested, res.Name) {
			list = append(list, res)
			fastest = min(fastest, res.Latency().Quantile(.5))
			slowest = max(slowest, res.Latency().Quantile(.999))
		}
	}
	const width, label = 900, 260
	low, high := decades(fastest, slowest)
	at := func(d time.Duration) float64 {
		share := (math.Log10(float64(max(d, 1))) - float64(low)) / float64(high-low)
		return label + (width-label-20)*share
	}
	var b svg
	height := float64(len(list)*lineHeight + 36)
	for e := low; e <= high; e++ {
		d := time.Duration(math.Pow(10, float64(e)))
		b.add(`<path d="M%.1f 16V%.0f" class="grid"/>`, at(d), height-20)
		b.text(at(d), height-5, "soft middle", Duration(d))
	}
	for i, res := range list {
		y := float64(i*lineHeight) + 27
		l := res.Latency()
		p50, p99, p999 := at(l.Quantile(.5)), at(l.Quantile(.99)), at(l.Quantile(.999))
		_, rest, _ := strings.Cut(res.Name, "/")
		b.text(label-10, y+4, "end", rest)
		b.add(`<path d="M%.1f %.0fH%.1f" class="curve l0"/>`, p50, y, max(p999, p50+1))
		b.add(`<circle cx="%.1f" cy="%.0f" r="5" class="f0"/>`, p50, y)
		b.add(`<circle cx="%.1f" cy="%.0f" r="3.5" class="f1"/>`, p99, y)
		b.add(`<circle cx="%.1f" cy="%.0f" r="2.5" class="f6"/>`, p999, y)
	}
	b.text(width, 10, "soft end", "large dot p50, then p99 and p99.9")
	return b.done(width, height, "latencies of "+group+": p50, p99 and p99.9")
}
