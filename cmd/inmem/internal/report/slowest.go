package report

import (
	"fmt"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// Slowest is the page of the spans that took longest. Of so many runs, untimed tell no times.
func Slowest(spans []transcript.SlowSpan, runs, untimed int) *page.Page {
	p := &page.Page{Title: "Slowest spans",
		Lead: fmt.Sprintf("The %d longest of %s.", len(spans), count(runs-untimed, "run"))}
	if untimed > 0 {
		p.Lead += fmt.Sprintf(" %s more say nothing about times, and are left out.",
			count(untimed, "run"))
	}
	if len(spans) == 0 {
		return p
	}
	types := map[string]int{}
	var key []page.KeyEntry
	for i := range spans {
		name := string(spans[i].Type)
		if _, ok := types[name]; !ok {
			types[name] = len(types) % page.Hues
			key = append(key, page.KeyEntry{Class: fmt.Sprintf("h%d", types[name]), Text: name})
		}
	}
	key = append(key, page.KeyEntry{Class: "fail", Text: "ended with an error"})
	p.Facts = []page.Fact{fact("longest", show.Duration(spans[0].Took)),
		fact("shortest of these", show.Duration(spans[len(spans)-1].Took))}
	p.Sections = []page.Section{
		{Title: "How long they took", Body: []page.Node{slowPlot(spans, types), page.Key(key...)}},
		{Title: "Where they are", Lead: "inmem trace RUN shows a span among its neighbours.",
			Body: []page.Node{slowTable(spans)}},
	}
	return p
}

func slowPlot(spans []transcript.SlowSpan, types map[string]int) page.Node {
	shown := spans[:min(len(spans), 100)]
	var parts []page.Node
	for i := range shown {
		s := &shown[i]
		y := float64(i) * 24
		bar := max(1, 460*float64(s.Took)/float64(max(shown[0].Took, 1)))
		parts = append(parts, page.Label("", 225, y+15, "end", terminal.Cut(s.Name, 32)),
			page.Tip(page.Rect(fmt.Sprintf("h%d", types[string(s.Type)]), 235, y+3, bar, 16),
				fmt.Sprintf("%s in run %s, task %s", s.Span, short(s.Run), named(s.Task))))
		if s.Error != "" {
			parts = append(parts, page.Failed(235+bar-min(bar, 12), y+3, min(bar, 12), 16)...)
		}
		parts = append(parts, page.Label("dim", 241+bar, y+15, "start", show.Duration(s.Took)))
	}
	return page.Plot(780, float64(len(shown))*24, fmt.Sprintf(
		"Bars of the durations of %d spans, the longest %s; the table below has the figures.",
		len(shown), show.Duration(shown[0].Took)), parts...)
}

func slowTable(spans []transcript.SlowSpan) page.Node {
	rows := make([][]page.Node, len(spans))
	for i := range spans {
		s := &spans[i]
		failed := page.Text("")
		if s.Error != "" {
			failed = page.Span("bad", s.Error)
		}
		rows[i] = []page.Node{text(s.Name), text(string(s.Type)), took(s.Took), text(named(s.Task)),
			text(s.Trial), page.Code(s.Run), page.Code(s.Span), failed}
	}
	return page.Table("", page.Cols("name", "type", "#took", "task", "trial", "run", "span",
		"error"), rows)
}
