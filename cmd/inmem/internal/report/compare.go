package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// Compare is the page of what several runs did in common, and where they parted. What says in words
// which runs these are.
func Compare(c *transcript.Comparison, what string) *page.Page {
	other := len(c.Runs) - c.Passed - c.Failed
	t := tally{c.Passed, c.Failed, other}
	p := &page.Page{Title: "Where runs parted", Lead: what,
		Facts: []page.Fact{fact("runs", show.Grouped(len(c.Runs))),
			fact("passed", show.Grouped(c.Passed)), fact("failed", show.Grouped(c.Failed)),
			fact("places of parting", show.Grouped(len(c.Divergences)))}}
	if len(c.Runs) == 0 {
		p.Lead += " No run is like that."
		return p
	}
	left := leftAt(c)
	p.Sections = append(p.Sections, lanes(c, t, left))
	if len(c.Divergences)+len(c.SameSteps) > 0 {
		p.Sections = append(p.Sections, divergences(c))
	}
	if len(c.Telling) > 0 {
		p.Sections = append(p.Sections, telling(c))
	}
	p.Sections = append(p.Sections, page.Section{Title: "Every way that was taken",
		Lead: "A line is a step: how many runs came there, what share of those at the step before, " +
			"and how they ended in the end. A level goes in where runs part.",
		Body: []page.Node{outcomes(other), newTree(c).node()}})
	return p
}

// leftAt says after how many steps a failed run left the way of those that passed.
func leftAt(c *transcript.Comparison) map[string]int {
	left := map[string]int{}
	for i := range c.Divergences {
		for _, choice := range c.Divergences[i].Failed {
			for _, id := range choice.Runs {
				left[id] = len(c.Divergences[i].After)
			}
		}
	}
	return left
}

// The most runs and steps that the plot of all runs shows.
const (
	maxLanes = 120
	maxSteps = 60
)

// lanes puts the runs below each other, those that passed first.
func lanes(c *transcript.Comparison, t tally, left map[string]int) page.Section {
	runs := make([]*transcript.ComparedRun, len(c.Runs))
	for i := range c.Runs {
		runs[i] = &c.Runs[i]
	}
	order := map[string]int{"completed": 0, "failed": 1}
	place := func(status string) int {
		if n, ok := order[status]; ok {
			return n
		}
		return len(order)
	}
	slices.SortStableFunc(runs, func(a, b *transcript.ComparedRun) int {
		return cmp.Compare(place(a.Status), place(b.Status))
	})
	hues, key := hueOf(c)
	const cell, gap, start = 16.0, 2.0, 190.0
	var parts []page.Node
	widest := 1
	for i, r := range runs[:min(len(runs), maxLanes)] {
		y := float64(i) * (cell + 6)
		parts = append(parts, square(r.Status, 0, y+2, 12)...)
		parts = append(parts, page.Label("", 20, y+13, "start", laneName(r)))
		n := 0
		for step, failed := range r.Path() {
			if n == maxSteps {
				parts = append(parts, page.Label("dim", start+float64(n)*(cell+gap)+4, y+13, "start",
					fmt.Sprintf("and %d more", r.Steps-n)))
				break
			}
			x := start + float64(n)*(cell+gap)
			g := page.El("g").With(page.Rect(hues[step.Tool], x, y, cell, cell))
			if failed {
				g = g.With(page.Rect("hatch", x, y, cell, cell))
			}
			parts = append(parts, page.Tip(g, fmt.Sprintf("step %d: %s", n+1, step)))
			n++
		}
		widest = max(widest, n)
		if at, ok := left[r.Run]; ok && at <= maxSteps {
			x := start + float64(at)*(cell+gap) - 1.5
			parts = append(parts, page.El("path", "class", "mark", "d", fmt.Sprintf(
				"M%s %s v%s", page.Num(x), page.Num(y-3), page.Num(cell+6))))
		}
	}
	shown := min(len(runs), maxLanes)
	lead := "A line is a run, a square is a tool call. The upright mark is where a failed run left " +
		"the way of those that passed; calls that failed are hatched."
	if shown < len(runs) {
		lead += fmt.Sprintf(" These are %d of %d runs; the table has all.", shown, len(runs))
	}
	return page.Section{Title: "Runs side by side", Lead: lead, Body: []page.Node{
		page.Plot(start+float64(widest)*(cell+gap)+90, float64(shown)*(cell+6)+4, fmt.Sprintf(
			"The tool calls of %d runs, %s; the table below says where each of them parted.",
			len(runs), t), parts...),
		key, runsTable(runs, left)}}
}

func laneName(r *transcript.ComparedRun) string {
	name := short(r.Run)
	if r.Task != "" {
		name = "task " + terminal.Cut(r.Task, 12)
		if r.Trial != "" {
			name += ", trial " + terminal.Cut(r.Trial, 5)
		}
	}
	return name
}

// hueOf gives the most used tools a colour each, and all others one together.
func hueOf(c *transcript.Comparison) (map[string]string, page.Node) {
	uses := map[string]int{}
	for i := range c.Runs {
		for step := range c.Runs[i].Path() {
			uses[step.Tool]++
		}
	}
	tools := slices.SortedFunc(maps.Keys(uses), func(a, b string) int {
		return cmp.Or(cmp.Compare(uses[b], uses[a]), strings.Compare(a, b))
	})
	hues := map[string]string{}
	var key []page.KeyEntry
	for i, tool := range tools {
		hues[tool] = fmt.Sprintf("h%d", min(i, page.Hues-1))
		switch {
		case i < page.Hues-1 || len(tools) == page.Hues:
			key = append(key, page.KeyEntry{Class: hues[tool], Text: tool})
		case i == page.Hues-1:
			key = append(key, page.KeyEntry{Class: hues[tool],
				Text: fmt.Sprintf("%d other tools", len(tools)-i)})
		}
	}
	return hues, page.Key(key...)
}

func runsTable(runs []*transcript.ComparedRun, left map[string]int) page.Node {
	rows := make([][]page.Node, len(runs))
	for i, r := range runs {
		parted := page.Span("dim", "–")
		if at, ok := left[r.Run]; ok {
			parted = text("at the first step")
			if at > 0 {
				parted = text(fmt.Sprintf("after step %d", at))
			}
		}
		rows[i] = []page.Node{page.Code(r.Run), text(r.Task), text(r.Trial), status(r.Status),
			number(r.Steps), parted}
	}
	return page.Table("", page.Cols("run", "task", "trial", "status", "#steps", "parted"), rows)
}

func divergences(c *transcript.Comparison) page.Section {
	s := page.Section{Title: "Where failed runs left the way of those that passed",
		Lead: "The places that cost most runs first."}
	for i := range c.Divergences {
		d := &c.Divergences[i]
		where := "At the first step"
		if n := len(d.After); n > 0 {
			where = fmt.Sprintf("After step %d", n)
		}
		body := page.El("div", "class", "parted").With(page.El("h3").Say(where))
		if n := len(d.After); n > 0 {
			body = body.With(page.El("p").With(text("all had just called "), step(d.After[n-1])))
		}
		list := page.El("ul")
		for _, choice := range d.Failed {
			list = list.With(took1("bad", "failed", choice))
		}
		for _, choice := range d.Passed {
			list = list.With(took1("good", "passed", choice))
		}
		s.Body = append(s.Body, body.With(list))
	}
	if len(c.SameSteps) > 0 {
		list := page.El("ul")
		for _, id := range c.SameSteps {
			list = list.With(page.El("li").With(page.Code(id)))
		}
		s.Body = append(s.Body, page.El("p").Say(
			"These failed with exactly the steps of a run that passed:"), list)
	}
	return s
}

// took1 says what some runs did next.
func took1(class, how string, choice transcript.Choice) page.Node {
	item := page.El("li").With(page.Span(class, fmt.Sprintf("%d %s", len(choice.Runs), how)),
		text(": "))
	if choice.Step == nil {
		return item.Say("made no further call")
	}
	return item.With(step(*choice.Step))
}

// step is a call with its arguments.
func step(s transcript.Step) page.Node {
	n := page.El("code").With(page.El("b").Say(s.Tool))
	if s.Arguments != "" {
		n = n.Say(" " + s.Arguments)
	}
	return n
}

// maxTelling is how many telling steps the page shows.
const maxTelling = 25

func telling(c *transcript.Comparison) page.Section {
	shown := c.Telling[:min(len(c.Telling), maxTelling)]
	rows := make([][]page.Node, len(shown))
	for i := range shown {
		s := &shown[i]
		const half = 70.0
		passed, failed := half*s.PassedShare, half*s.FailedShare
		parts := []page.Node{page.Rect("track", 0, 2, 2*half, 10),
			page.Rect("pass", half-passed, 2, passed, 10)}
		if failed > 0 {
			parts = append(parts, page.Failed(half, 2, failed, 10)...)
		}
		parts = append(parts, page.Line(half, 0, half, 14))
		rows[i] = []page.Node{step(s.Step),
			text(fmt.Sprintf("%d of %d", s.Passed, c.Passed)),
			page.Spark(2*half, 14, fmt.Sprintf("%s of the passed, %s of the failed",
				percent(s.PassedShare), percent(s.FailedShare)), parts...),
			text(fmt.Sprintf("%d of %d", s.Failed, c.Failed))}
	}
	lead := "Steps that runs which passed take and those which failed do not, or the other way " +
		"round, wherever they were taken."
	if len(shown) < len(c.Telling) {
		lead += fmt.Sprintf(" These are the first %d of %d.", len(shown), len(c.Telling))
	}
	return page.Section{Title: "Steps that tell", Lead: lead, Body: []page.Node{
		page.Table("", page.Cols("step", "#passed", "", "failed"), rows)}}
}
