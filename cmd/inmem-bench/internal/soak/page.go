package soak

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
)

// The size of a picture, and where in it the curve lies.
const (
	width, height                  = 900, 150
	left, right, above, below      = 80, 12, 10, 22
	plotWidth, plotHeight, columns = width - left - right, height - above - below, 600
)

// HTML writes one page that needs nothing else: a picture of every figure over the time, with its
// verdict.
func (r *Report) HTML(w io.Writer) error {
	verdict := "no figure drifts"
	if err := r.Drifts(); err != nil {
		verdict = err.Error()
	}
	p := page.Page{
		Title: "in-mem, a soak",
		Lead: "Agents at work on one database, that is opened again and checkpointed meanwhile: " +
			verdict + ". The first fifth of the time is not judged.",
		Facts: []page.Fact{
			{Name: "took", Value: r.Length.Round(time.Second).String()},
			{Name: "commits", Value: show.Grouped(r.Tally.Commits)},
			{Name: "runs", Value: show.Grouped(r.Tally.Runs)},
			{Name: "forks", Value: show.Grouped(r.Tally.Forks)},
			{Name: "reopenings", Value: show.Grouped(r.Tally.Reopens)},
			{Name: "checkpoints", Value: show.Grouped(r.Tally.Checkpoints)},
		},
	}
	for i, f := range r.Findings() {
		class, text := "good", f.say()
		if f.Drifts {
			class = "bad"
		}
		if !f.Judged {
			class, text = "dim", "not judged"
		}
		p.Sections = append(p.Sections, page.Section{Title: f.Figure, Body: []page.Node{
			page.El("p").With(page.Span(class, text), page.Text(fmt.Sprintf(
				": %s in the median, %s over the time judged", figures[i].write(f.Median),
				signed(&figures[i], f.Drift)))),
			r.plot(&figures[i]),
		}})
	}
	return p.Write(w)
}

// plot draws a figure over the time: for each column the samples from the least to the greatest.
func (r *Report) plot(f *figure) page.Node {
	most := 0.0
	for i := range r.Samples {
		most = max(most, f.value(&r.Samples[i]))
	}
	if most == 0 {
		most = 1
	}
	x := func(seconds float64) float64 { return left + plotWidth*seconds/r.Length.Seconds() }
	y := func(v float64) float64 { return above + plotHeight*(1-v/most) }
	parts := []page.Node{
		page.Rect("track", left, above, plotWidth*warmup, plotHeight),
		page.Line(left, y(0), left+plotWidth, y(0)),
		page.Label("dim", left-6, y(0)+4, "end", f.write(0)),
		page.Label("dim", left-6, above+10, "end", f.write(most)),
	}
	for i := range 5 {
		at := r.Length.Seconds() * float64(i) / 4
		anchor := "middle"
		if i == 4 {
			anchor = "end"
		}
		parts = append(parts, page.Label("dim", x(at), height-4, anchor,
			(time.Duration(at)*time.Second).String()))
	}
	step := max(1, len(r.Samples)/columns)
	var line strings.Builder
	for from := 0; from < len(r.Samples); from += step {
		least, high := f.value(&r.Samples[from]), f.value(&r.Samples[from])
		for i := from; i < min(from+step, len(r.Samples)); i++ {
			least, high = min(least, f.value(&r.Samples[i])), max(high, f.value(&r.Samples[i]))
		}
		at := page.Num(x(r.Samples[from].Seconds))
		fmt.Fprintf(&line, "%c%s %s", "ML"[min(from, 1)], at, page.Num(y(least)))
		if high > least {
			fmt.Fprintf(&line, "L%s %s", at, page.Num(y(high)))
		}
	}
	parts = append(parts, page.El("path", "class", "mark", "d", line.String()))
	return page.Plot(width, height, f.name+" over the time", parts...)
}
