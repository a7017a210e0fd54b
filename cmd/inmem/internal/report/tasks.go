package report

import (
	"fmt"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// Tasks is the page of how the trials of tasks went.
func Tasks(tasks []transcript.Task) *page.Page {
	var sum transcript.Task
	var t tally
	never, always := 0, 0
	for i := range tasks {
		x := &tasks[i]
		t.passed, t.failed, t.other = t.passed+x.Passed, t.failed+x.Failed, t.other+x.Other
		sum.InputTokens += x.InputTokens
		sum.OutputTokens += x.OutputTokens
		sum.Cost += x.Cost
		if x.AllFailed {
			never++
		}
		if x.Passed == x.Trials {
			always++
		}
	}
	p := &page.Page{Title: "Tasks",
		Lead: fmt.Sprintf("%s in %s: %s.", count(t.all(), "run"), count(len(tasks), "task"), t),
		Facts: []page.Fact{
			fact("tasks", show.Grouped(len(tasks))), fact("runs", show.Grouped(t.all())),
			fact("passed", percent(ratio(t.passed, t.passed+t.failed))),
			fact("failed in all trials", show.Grouped(never)),
			fact("passed in all trials", show.Grouped(always))}}
	if tokens := sum.InputTokens + sum.OutputTokens; tokens > 0 {
		p.Facts = append(p.Facts, fact("tokens", show.Rate(float64(tokens))))
	}
	if sum.Cost > 0 {
		p.Facts = append(p.Facts, fact("cost", sum.Cost.String()))
	}
	if len(tasks) == 0 {
		return p
	}
	p.Sections = []page.Section{
		{Title: "Every trial", Lead: "A column is a task, a square is a trial: the first at the " +
			"bottom. What failed is hatched.", Body: []page.Node{trialsPlot(tasks, t), outcomes(t.other)}},
		{Title: "How many trials passed",
			Lead: "How many tasks there are of which so many trials passed.",
			Body: []page.Node{sharesPlot(tasks)}},
	}
	if never > 0 {
		p.Sections = append(p.Sections, neverSection(tasks))
	}
	p.Sections = append(p.Sections, page.Section{Title: "All tasks", Body: []page.Node{
		tasksTable(tasks)}})
	return p
}

func ratio(part, whole int) float64 { return float64(part) / float64(max(whole, 1)) }

// maxColumns is how many tasks a row of the plot of all trials has.
const maxColumns = 60

// trialsPlot draws a square for every trial, in rows of at most maxColumns tasks.
func trialsPlot(tasks []transcript.Task, all tally) page.Node {
	const cell, gap, foot = 14.0, 2.0, 20.0
	highest := 1
	for i := range tasks {
		highest = max(highest, min(tasks[i].Trials, 40))
	}
	band := float64(highest)*(cell+gap) + foot + 6
	rows := (len(tasks) + maxColumns - 1) / maxColumns
	var parts []page.Node
	for i := range tasks {
		x := float64(i%maxColumns) * (cell + gap)
		base := float64(i/maxColumns)*band + band - foot - 6
		for j, r := range tasks[i].Runs[:min(len(tasks[i].Runs), highest)] {
			y := base - float64(j+1)*(cell+gap) + gap
			parts = append(parts, page.Tip(page.El("g").With(square(r.Status, x, y, cell)...),
				fmt.Sprintf("task %s, trial %s: %s (%s)", named(tasks[i].Task), r.Trial, r.Status,
					short(r.Run))))
		}
		if i%5 == 0 || len(tasks) <= 20 {
			parts = append(parts, page.Label("dim", x+cell/2, base+14, "middle",
				terminal.Cut(named(tasks[i].Task), 6)))
		}
	}
	width := float64(min(len(tasks), maxColumns))*(cell+gap) + 30
	return page.Plot(width, float64(rows)*band, fmt.Sprintf(
		"A square for each of %d trials of %d tasks: %s. The table below has the figures.",
		all.all(), len(tasks), all), parts...)
}

// square is a trial.
func square(status string, x, y, size float64) []page.Node {
	switch status {
	case "completed":
		return []page.Node{page.Rect("pass", x, y, size, size)}
	case "failed":
		return page.Failed(x, y, size, size)
	}
	return []page.Node{page.Rect("other", x, y, size, size)}
}

// sharesPlot draws how many tasks passed in how many of their trials: exactly, if all have the same
// few, else by their share.
func sharesPlot(tasks []transcript.Task) page.Node {
	names, of := classes(tasks)
	counts := make([]int, len(names))
	for i := range tasks {
		counts[of(&tasks[i])]++
	}
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	var parts []page.Node
	says := "Tasks by how many of their trials passed:"
	for i, n := range counts {
		y := float64(i) * 24
		parts = append(parts, page.Label("", 150, y+15, "end", names[i]),
			page.Rect("bar", 160, y+3, 420*ratio(n, most), 16),
			page.Label("dim", 166+420*ratio(n, most), y+15, "start", show.Grouped(n)))
		says += fmt.Sprintf(" %s: %d.", names[i], n)
	}
	return page.Plot(640, float64(len(names))*24, says, parts...)
}

// classes are the classes of sharesPlot by their names, and which of them a task is in.
func classes(tasks []transcript.Task) ([]string, func(*transcript.Task) int) {
	trials, same := tasks[0].Trials, true
	for i := range tasks {
		same = same && tasks[i].Trials == trials
	}
	if same && trials <= 10 {
		names := make([]string, trials+1)
		for i := range names {
			names[i] = fmt.Sprintf("%d of %d", i, trials)
		}
		return names, func(x *transcript.Task) int { return x.Passed }
	}
	names := []string{"none", "up to a quarter", "up to a half", "up to three quarters",
		"more, not all", "all"}
	return names, func(x *transcript.Task) int {
		switch {
		case x.Passed == 0:
			return 0
		case x.Passed == x.Trials:
			return len(names) - 1
		}
		return min(1+(4*x.Passed-1)/x.Trials, len(names)-2)
	}
}

func neverSection(tasks []transcript.Task) page.Section {
	list := page.El("ul")
	for i := range tasks {
		x := &tasks[i]
		if !x.AllFailed {
			continue
		}
		item := page.El("li").With(page.El("b").Say("task "+named(x.Task)),
			text(fmt.Sprintf(": %s, %s, %d of them failed", count(x.Trials, "trial"),
				count(x.ToolCalls, "tool call"), x.ToolErrors)))
		if reason := oneReason(x); reason != "" {
			item = item.With(text("; "), page.Span("dim", reason))
		}
		list = list.With(item)
	}
	return page.Section{Title: "Failed in all trials",
		Lead: "Nothing to learn from a trial that passed here: compare with a task that is alike.",
		Body: []page.Node{list}}
}

// oneReason is why the trials failed, if all say the same.
func oneReason(x *transcript.Task) string {
	for i := range x.Runs {
		if x.Runs[i].Reason != x.Runs[0].Reason {
			return ""
		}
	}
	return x.Runs[0].Reason
}

func tasksTable(tasks []transcript.Task) page.Node {
	rows := make([][]page.Node, len(tasks))
	for i := range tasks {
		x := &tasks[i]
		t := tally{x.Passed, x.Failed, x.Other}
		note := text("")
		switch {
		case x.AllFailed:
			note = page.Span("bad", "all failed")
		case x.Passed == x.Trials:
			note = page.Span("good", "all passed")
		}
		rows[i] = []page.Node{text(named(x.Task)), number(x.Trials), number(x.Passed),
			number(x.Failed), page.Spark(90, 12, t.String(), t.stack(0, 0, 90, 12, t.all())...),
			number(x.ToolCalls), number(x.ToolErrors), amount(x.InputTokens + x.OutputTokens),
			cost(x.Cost), note}
	}
	return page.Table("", page.Cols("task", "#trials", "#passed", "#failed", "", "#tool calls",
		"#failed calls", "#tokens", "#cost", ""), rows)
}
