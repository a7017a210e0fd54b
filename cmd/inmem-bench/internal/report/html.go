package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

//go:embed page.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	Title, When, Took     string
	Conditions            [][2]string
	Colors                []struct{}
	Verdicts              []verdictView
	StepsMet, StepsMissed int
	BarsMet, BarsMissed   int
	Footprint             []verdictView
	Cards                 []card
	Growths               []growthView
	Recalls               []recallView
	Groups                []groupView
	Systems               []systemView
}

// stateView is a goal's bar or step: the limit in words, and met or missed.
type stateView struct{ Limit, State string }

type verdictView struct {
	Case, Text, Ours, Other, Ratio, Spread, CPU string
	Step, Bar                                   stateView
}

// card shows one workload of several systems.
type card struct {
	Name, About, Mode string
	Chart, Curve      template.HTML
	Goals             []verdictView
}

// groupView shows the workloads of one group that only in-mem and the limits did.
type groupView struct {
	Name  string
	Chart template.HTML
	Rows  []rowView
}

type rowView struct {
	Name, About, Rate, Spread, P50, P99, P999, Allocs, Note string
}

type systemView struct {
	Name, Version, About string
	Durability           [][2]string
}

// colors is the number of colours of the page: ours is the first, limits take the last two.
const colors = 8

// HTML writes one page that needs nothing else: tables, and plots as SVG.
func (r *Report) HTML(w io.Writer) error {
	p := page{
		Title: "in-mem, measured", Took: fmt.Sprintf("%.0f s", r.Elapsed.Seconds()),
		When:       r.Started.UTC().Format(time.RFC1123),
		Conditions: r.conditions(), Colors: make([]struct{}, colors),
	}
	judged := bars.Judge(bars.Table, r.Results)
	p.Verdicts = views(judged)
	for i := range judged {
		count(judged[i].Step(), &p.StepsMet, &p.StepsMissed)
		count(judged[i].Bar(), &p.BarsMet, &p.BarsMissed)
	}
	p.Footprint = views(bars.Judge(bars.Footprint, r.Results))
	contested := r.contested()
	for _, name := range contested {
		p.Cards = append(p.Cards, r.card(name, judged))
	}
	for _, res := range r.subjects() {
		if slices.Contains(contested, res.Name) {
			continue
		}
		name, _, _ := strings.Cut(res.Name, "/")
		if n := len(p.Groups); n == 0 || p.Groups[n-1].Name != name {
			p.Groups = append(p.Groups, groupView{Name: name, Chart: r.ranges(name, contested)})
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Rows = append(g.Rows, r.row(res))
	}
	p.Growths = r.growthViews()
	p.Recalls = r.recalls()
	for _, s := range r.systems() {
		p.Systems = append(p.Systems, describe(s))
	}
	return pageTemplate.Execute(w, &p)
}

// conditions are what a figure means nothing without.
func (r *Report) conditions() [][2]string {
	list := [][2]string{{"command", strings.Join(r.Command, " ")}}
	for _, line := range r.lines() {
		if line[1] != "" && line[0] != "systems" { // which have a table at the end
			list = append(list, line)
		}
	}
	return list
}

func count(s bars.State, met, missed *int) {
	switch s {
	case bars.Met:
		*met++
	case bars.Missed:
		*missed++
	}
}

// views are the lines of a table: a case is named once.
func views(judged []bars.Verdict) []verdictView {
	var list []verdictView
	for i := range judged {
		list = append(list, view(&judged[i]))
		if i > 0 && judged[i-1].Row.Case == judged[i].Row.Case {
			list[i].Case = ""
		}
	}
	return list
}

func view(v *bars.Verdict) verdictView {
	cpu, ratio := "", ""
	if v.CPU > 0 {
		cpu = significant(v.CPU)
	}
	if v.Compared {
		ratio = significant(v.Value)
	}
	return verdictView{
		Case: v.Row.Case, Text: v.Text, Ours: v.Ours, Other: v.Other, Ratio: ratio,
		Spread: fmt.Sprintf("%.0f%%", 100*v.Spread), CPU: cpu,
		Step: stateView{v.Goal.Limit(v.Goal.Step), v.Step().String()},
		Bar:  stateView{v.Goal.Limit(v.Goal.Bar), v.Bar().String()},
	}
}

func (r *Report) card(name string, judged []bars.Verdict) card {
	c := card{Name: name, Chart: r.rateChart(name, judged), Curve: r.latencyChart(name)}
	for i := range r.Results {
		if res := &r.Results[i]; res.Name == name && !res.System.Limit {
			c.About, c.Mode = res.About, res.Mode
			break
		}
	}
	for i := range judged {
		if judged[i].Row.Name == name {
			c.Goals = append(c.Goals, view(&judged[i]))
		}
	}
	return c
}

func (r *Report) row(res *measure.Result) rowView {
	l := res.Latency()
	return rowView{
		Name: res.Name, About: res.About, Rate: rateCell(res),
		Spread: fmt.Sprintf("%.0f%%", 100*res.Rate().Spread()),
		P50:    Duration(l.Quantile(.5)), P99: Duration(l.Quantile(.99)),
		P999: Duration(l.Quantile(.999)), Allocs: allocs(res), Note: r.note(res),
	}
}

func describe(s measure.System) systemView {
	v := systemView{Name: s.Name, Version: s.Version, About: s.About}
	for _, mode := range []string{"strict", "batched", "async", "none"} {
		if text := s.Durability[mode]; text != "" {
			v.Durability = append(v.Durability, [2]string{mode, text})
		}
	}
	return v
}
