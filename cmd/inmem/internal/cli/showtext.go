package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
)

// facts are lines of a name and what there is to say.
type facts struct {
	b     strings.Builder
	style show.Style
}

// add adds a line; empty texts are left out.
func (f *facts) add(name string, parts ...string) {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	if len(said) > 0 {
		f.b.WriteString(f.style.Dim(show.Pad(name, 10)) + strings.Join(said, "  ") + "\n")
	}
}

// painted is a status in its colour.
func painted(s show.Style, status string) string {
	switch strings.TrimSpace(status) {
	case "completed":
		return s.Green(status)
	case "failed":
		return s.Red(status)
	case "active", "interrupted":
		return s.Yellow(status)
	}
	return s.Dim(status)
}

// named is a name before what is not empty.
func named(name, text string) string {
	if text == "" {
		return ""
	}
	return name + " " + terminal.Clean(text)
}

// statusOf is the status of a run in a word.
func statusOf(r *runDoc) string {
	if r.Interrupted {
		return "interrupted"
	}
	return r.Status
}

// writeSummary shows a run to people.
func (e *env) writeSummary(w io.Writer, s *summary) error {
	f := facts{style: e.style()}
	f.add("run", f.style.Bold(s.ID), painted(f.style, statusOf(&s.runDoc)))
	f.add("agent", terminal.Clean(s.Agent), named("app", s.App), named("tenant", s.Tenant))
	f.add("began", e.clock(s.Created), took(s))
	f.add("error", e.cut(s.Error, show.Width-10))
	f.add("tags", e.cut(strings.Join(s.Tags, ", "), show.Width-10))
	if !s.Metadata.IsNull() {
		f.add("metadata", e.brief(s.Metadata, show.Width-10))
	}
	for i, r := range s.Ancestors {
		version := s.ForkVersion
		if i > 0 {
			version = s.Ancestors[i-1].ForkVersion
		}
		f.add("parent", r.ID, painted(f.style, r.Status), forked(version))
	}
	for i, r := range s.Children {
		if i == mostChildren && !e.full {
			f.add("child", fmt.Sprintf("and %s more: inmem runs --parent %s",
				show.Grouped(len(s.Children)-i), s.ID))
			break
		}
		f.add("child", r.ID, painted(f.style, r.Status), forked(r.ForkVersion))
	}
	f.add("history", history(s))
	f.add("holds", fmt.Sprintf("%s, %s, %s, %s", show.Count(s.Keys, "key"),
		show.Count(s.Cells, "cell"), show.Count(s.Events, "event"), show.Count(s.Spans.Spans, "span")))
	if s.Head != nil {
		f.add("chain", s.Head.String())
	}
	f.add("cost", cost(s))
	if _, err := io.WriteString(w, f.b.String()); err != nil {
		return err
	}
	return e.writeTypes(w, s)
}

// mostChildren is how many runs under one are shown.
const mostChildren = 10

func took(s *summary) string {
	switch {
	case s.Ended.IsZero():
		return ""
	default:
		return "took " + show.Duration(s.Took)
	}
}

func forked(version uint64) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprintf("forked at version %d", version)
}

func history(s *summary) string {
	if s.Commits == 0 {
		return "no commit"
	}
	text := fmt.Sprintf("%s, version %d", show.Count(s.Commits, "commit"), s.FirstVersion)
	if s.Commits > 1 {
		text = fmt.Sprintf("%s, versions %d to %d", show.Count(s.Commits, "commit"),
			s.FirstVersion, s.LastVersion)
	}
	if s.Imported > 0 {
		text += fmt.Sprintf(", %s of them imported", show.Grouped(s.Imported))
	}
	return text
}

func cost(s *summary) string {
	t := &s.Spans
	if t.Spans == 0 {
		return ""
	}
	return fmt.Sprintf("%s in, %s out, %s, %s, %s open, in %s", show.Count(t.InputTokens, "token"),
		show.Grouped(t.OutputTokens), t.CostNanoUSD, show.Count(t.Errors, "error"),
		show.Grouped(t.Open), show.Duration(t.Duration))
}

// writeTypes writes the tables of events and spans by type.
func (e *env) writeTypes(w io.Writer, s *summary) error {
	events := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "EVENTS", Flexible: true}, {Title: "COUNT", Align: show.Right}, {Title: "SHARE"},
	}}
	for _, t := range s.EventTypes {
		events.Row(t.Type, show.Grouped(t.Events),
			show.Bar(float64(t.Events)/float64(max(s.Events, 1)), 24))
	}
	spans := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "SPANS"}, {Title: "COUNT", Align: show.Right}, {Title: "ERRORS", Align: show.Right},
		{Title: "IN", Align: show.Right}, {Title: "OUT", Align: show.Right},
		{Title: "COST", Align: show.Right}, {Title: "SHARE OF SPANS"},
	}}
	for _, t := range s.SpanTypes {
		spans.Row(t.Type, show.Grouped(t.Spans), show.Grouped(t.Errors),
			show.Grouped(t.InputTokens), show.Grouped(t.OutputTokens), t.CostNanoUSD.String(),
			show.Bar(float64(t.Spans)/float64(max(s.Spans.Spans, 1)), 24))
	}
	for _, t := range []*show.Table{&events, &spans} {
		if t.Len() == 0 {
			continue
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		if err := t.Write(w); err != nil {
			return err
		}
	}
	if len(s.Collections) == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return e.writeCollections(w, s.Collections)
}
