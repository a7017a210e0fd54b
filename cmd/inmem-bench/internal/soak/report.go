package soak

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/inmem-db/inmem/cmd/internal/show"
)

// Finding is the verdict on one figure.
type Finding struct {
	Figure string  `json:"figure"`
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	Drift  float64 `json:"drift"`
	Drifts bool    `json:"drifts"`
	// Judged: there is a bound, and the soak was long enough.
	Judged bool `json:"judged"`
}

// Findings judges all figures.
func (r *Report) Findings() []Finding {
	list := make([]Finding, len(figures))
	for i := range figures {
		f := &figures[i]
		v := f.verdictOf(r.Samples, r.Length)
		list[i] = Finding{f.name, v.Median, v.Least, v.Most, v.Drift, v.Drifts,
			f.judged() && v.Buckets >= leastBuckets}
	}
	return list
}

// Drifts is an error that names all figures that drift, or nil.
func (r *Report) Drifts() error {
	text := ""
	for i, f := range r.Findings() {
		if f.Drifts {
			text += fmt.Sprintf("; %s: %s in the median, drifts by %s", f.Figure,
				figures[i].write(f.Median), signed(&figures[i], f.Drift))
		}
	}
	if text == "" {
		return nil
	}
	return fmt.Errorf("drift%s", text)
}

func signed(f *figure, v float64) string {
	if v < 0 {
		return "-" + f.write(-v)
	}
	return "+" + f.write(v)
}

// say is a verdict in a word.
func (f *Finding) say() string {
	switch {
	case f.Drifts:
		return "DRIFTS"
	case f.Judged:
		return "steady"
	}
	return ""
}

// Table writes the figures and what was done, in at most 100 columns.
func (r *Report) Table(w io.Writer, s show.Style) error {
	t := show.Table{Style: s, Columns: []show.Column{{Title: "figure"},
		{Title: "least", Align: show.Right}, {Title: "median", Align: show.Right},
		{Title: "most", Align: show.Right}, {Title: "drift", Align: show.Right},
		{Title: "more than", Align: show.Right}, {Title: "verdict", Paint: painted}}}
	for i, f := range r.Findings() {
		g := &figures[i]
		drift, bound := "", ""
		if f.Judged {
			least := max(g.bound.Least, g.bound.Share*f.Median)
			drift, bound = signed(g, f.Drift), signed(g, least*float64(g.bound.Direction))
		}
		t.Row(f.Figure, g.write(f.Least), g.write(f.Median), g.write(f.Most), drift, bound, f.say())
	}
	if err := t.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.sentence())
	return err
}

func painted(s show.Style, cell string) string {
	if len(cell) > 0 && cell[0] == 'D' {
		return s.Red(cell)
	}
	return s.Green(cell)
}

// sentence says what was done.
func (r *Report) sentence() string {
	n := &r.Tally
	return fmt.Sprintf("%v: %s and %s, %s; %s of the past read, %s\nremoved before by retention; "+
		"%s searches; %s told to the consumer;\nopened again %s, %s verified; all answers were right.",
		r.Length.Round(time.Second), show.Count(n.Runs, "run"), show.Count(n.Forks, "fork"),
		show.Count(n.Commits, "commit"), show.Count(n.Past, "view"), show.Grouped(n.Pruned),
		show.Grouped(n.Searches), show.Count(n.Told, "commit"),
		show.Count(n.Reopens, "time"), show.Count(n.Checkpoints, "checkpoint"))
}

// JSON writes everything: the samples, the verdicts, what was done.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(map[string]any{
		"began": r.Began.UTC().Format(time.RFC3339), "seconds": r.Length.Seconds(),
		"agents": r.Options.Agents, "seed": r.Options.Seed, "done": r.Tally,
		"verdicts": r.Findings(), "samples": r.Samples,
		"go": runtime.Version(), "cpus": runtime.NumCPU(),
	})
}
