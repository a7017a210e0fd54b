package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// Tools is the page of which tools were used, and how that went.
func Tools(r *transcript.ToolReport) *page.Page {
	var all transcript.ToolUse
	for i := range r.Tools {
		u := &r.Tools[i]
		all.Calls += u.Calls
		all.Errors += u.Errors
		all.Timed += u.Timed
		all.Took += u.Took
		all.InputTokens += u.InputTokens
		all.OutputTokens += u.OutputTokens
		all.Cost += u.Cost
	}
	p := &page.Page{Title: "Tools",
		Lead: fmt.Sprintf("%s in %s to %s; %d failed.", count(all.Calls, "call"),
			count(r.Runs, "run"), count(len(r.Tools), "tool"), all.Errors),
		Facts: []page.Fact{fact("tools", show.Grouped(len(r.Tools))),
			fact("calls", show.Grouped(all.Calls)),
			fact("calls per run", show.Significant(ratio(all.Calls, r.Runs))),
			fact("failed", percent(ratio(all.Errors, all.Calls)))}}
	if all.Timed > 0 {
		p.Facts = append(p.Facts, fact("time in tools", show.Duration(all.Took)))
	}
	if tokens := all.InputTokens + all.OutputTokens; tokens > 0 {
		p.Facts = append(p.Facts, fact("tokens", show.Rate(float64(tokens))))
	}
	if all.Cost > 0 {
		p.Facts = append(p.Facts, fact("cost", all.Cost.String()))
	}
	if len(r.Tools) == 0 {
		return p
	}
	p.Sections = []page.Section{
		{Title: "Calls", Lead: "How often each tool was called; what failed is hatched.",
			Body: []page.Node{callsPlot(r.Tools), page.Key(
				page.KeyEntry{Class: "bar", Text: "answered"},
				page.KeyEntry{Class: "fail", Text: "failed"})}},
		{Title: "All tools", Lead: timesLead(all.Timed, all.Calls),
			Body: []page.Node{toolsTable(r.Tools)}},
	}
	if tasks := tasksOf(r.ByTask); len(tasks) > 1 {
		p.Sections = append(p.Sections, page.Section{Title: "Tools of every task",
			Lead: "The stronger the shade, the more calls; a hatched triangle: some of them failed.",
			Body: []page.Node{matrix(r, tasks), byTaskTable(r.ByTask)}})
	}
	return p
}

func timesLead(timed, calls int) string {
	switch timed {
	case 0:
		return "The runs do not tell how long calls took."
	case calls:
		return "Tokens and cost of a model's answer count for the calls that it asked for."
	}
	return fmt.Sprintf("%d of the calls have a time of their own.", timed)
}

// maxTools is how many tools plots show; the tables have all.
const maxTools = 30

// callsPlot draws a bar for each tool.
func callsPlot(tools []transcript.ToolUse) page.Node {
	shown := tools[:min(len(tools), maxTools)]
	most := shown[0].Calls
	var parts []page.Node
	for i := range shown {
		u := &shown[i]
		y := float64(i) * 24
		bar := 460 * ratio(u.Calls, most)
		bad := 460 * ratio(u.Errors, most)
		parts = append(parts, page.Label("", 225, y+15, "end", terminal.Cut(u.Tool, 32)),
			page.Tip(page.Rect("bar", 235, y+3, bar-bad, 16), fmt.Sprintf("%s: %d calls, %d failed",
				u.Tool, u.Calls, u.Errors)))
		if bad > 0 {
			parts = append(parts, page.Failed(235+bar-bad, y+3, bad, 16)...)
		}
		says := show.Grouped(u.Calls)
		if u.Errors > 0 {
			says += ", " + percent(u.ErrorRate) + " failed"
		}
		parts = append(parts, page.Label("dim", 241+bar, y+15, "start", says))
	}
	return page.Plot(820, float64(len(shown))*24, fmt.Sprintf(
		"Bars of how often each of %d tools was called; the table below has the figures.",
		len(shown)), parts...)
}

func toolsTable(tools []transcript.ToolUse) page.Node {
	rows := make([][]page.Node, len(tools))
	for i := range tools {
		rows[i] = append([]page.Node{page.Code(tools[i].Tool)}, use(&tools[i])...)
	}
	return page.Table("", page.Cols("tool", "#runs", "#calls", "#failed", "#error rate",
		"#mean", "#longest", "#tokens", "#cost"), rows)
}

// use are the cells that say how the calls of a tool went.
func use(u *transcript.ToolUse) []page.Node {
	rate := page.Span("dim", "–")
	if u.Errors > 0 {
		rate = page.Span("bad", percent(u.ErrorRate))
	}
	return []page.Node{number(u.Runs), number(u.Calls), amount(u.Errors), rate, took(u.Mean),
		took(u.Longest), amount(u.InputTokens + u.OutputTokens), cost(u.Cost)}
}

func byTaskTable(uses []transcript.ToolUse) page.Node {
	rows := make([][]page.Node, len(uses))
	for i := range uses {
		rows[i] = append([]page.Node{text(named(uses[i].Task)), page.Code(uses[i].Tool)},
			use(&uses[i])...)
	}
	table := page.Table("", page.Cols("task", "tool", "#runs", "#calls", "#failed", "#error rate",
		"#mean", "#longest", "#tokens", "#cost"), rows)
	return page.El("details").With(page.El("summary").Say("All figures by task and tool"), table)
}

// tasksOf are the tasks, in their order.
func tasksOf(uses []transcript.ToolUse) (tasks []string) {
	for i := range uses {
		if len(tasks) == 0 || tasks[len(tasks)-1] != uses[i].Task {
			tasks = append(tasks, uses[i].Task)
		}
	}
	return tasks
}

// matrix draws the calls of every task and tool.
func matrix(r *transcript.ToolReport, tasks []string) page.Node {
	const cell, gap, left = 15.0, 1.0, 235.0
	tools := r.Tools[:min(len(r.Tools), maxTools)]
	shown := tasks[:min(len(tasks), maxColumns)]
	row, column := map[string]int{}, map[string]int{}
	for i := range tools {
		row[tools[i].Tool] = i
	}
	for i, task := range shown {
		column[task] = i
	}
	most := slices.MaxFunc(r.ByTask, func(a, b transcript.ToolUse) int {
		return cmp.Compare(a.Calls, b.Calls)
	}).Calls
	var parts []page.Node
	for i := range tools {
		y := float64(i) * (cell + gap)
		parts = append(parts, page.Label("", left-8, y+12, "end", terminal.Cut(tools[i].Tool, 32)),
			page.Rect("track", left, y, float64(len(shown))*(cell+gap)-gap, cell))
	}
	for i := range r.ByTask {
		u := &r.ByTask[i]
		y, known := row[u.Tool]
		x, there := column[u.Task]
		if known && there {
			parts = append(parts, shade(u, left+float64(x)*(cell+gap), float64(y)*(cell+gap), cell, most))
		}
	}
	foot := float64(len(tools))*(cell+gap) + 14
	for i, task := range shown {
		if i%5 == 0 || len(shown) <= 20 {
			parts = append(parts, page.Label("dim", left+float64(i)*(cell+gap)+cell/2, foot, "middle",
				terminal.Cut(named(task), 6)))
		}
	}
	return page.Plot(left+float64(len(shown))*(cell+gap)+20, foot+6, fmt.Sprintf(
		"How often each of %d tools was called in each of %d tasks, at most %d times; the table "+
			"below has the figures.", len(tools), len(shown), most), parts...)
}

// shade is one cell of the matrix.
func shade(u *transcript.ToolUse, x, y, size float64, most int) page.Node {
	fill := page.El("rect", "class", "bar", "x", page.Num(x), "y", page.Num(y),
		"width", page.Num(size), "height", page.Num(size),
		"fill-opacity", page.Num(0.25+0.75*ratio(u.Calls, most)))
	g := page.El("g").With(fill)
	if u.Errors > 0 {
		points := fmt.Sprintf("%s,%s %s,%s %s,%s", page.Num(x+size), page.Num(y),
			page.Num(x+size), page.Num(y+size), page.Num(x), page.Num(y+size))
		g = g.With(page.El("polygon", "class", "fail", "points", points),
			page.El("polygon", "class", "hatch", "points", points))
	}
	return page.Tip(g, fmt.Sprintf("task %s, %s: %d calls, %d failed", named(u.Task), u.Tool,
		u.Calls, u.Errors))
}
