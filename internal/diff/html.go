package diff

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

//go:embed page.html
var pageText string

// pageTemplate is parsed once; it is part of the program, so it cannot fail.
var pageTemplate = template.Must(template.New("page").Parse(pageText))

// WriteHTML writes the report as one page that needs nothing else: no network, no script; it is
// readable in light and dark, and on paper. What text puts on one line and cuts, the page shows
// whole, and marks what differs inside a text. Equal reports give equal pages.
//
// Errors: those of w.
func (r *Report) WriteHTML(w io.Writer) error {
	p := htmlPage{
		Title: "Diff of two runs", Identical: r.Identical, Omitted: r.Omitted,
		Sides:  []htmlSide{{"a", "a", &r.A}, {"b", "b", &r.B}},
		Tables: []htmlTable{r.counts().html(), r.totals().html()},
	}
	if r.A.Run == r.B.Run {
		p.Title = "Diff of a run at two versions"
	}
	for i, d := range r.divergences() {
		p.Divergences = append(p.Divergences, d.html(i == 0))
	}
	if len(r.Record.List) > 0 {
		p.Sections = append(p.Sections, htmlSection{Title: "record", Changes: r.Record.html()})
	}
	var last Primitive
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Primitive != last {
			last = e.Primitive
			s := htmlSection{Title: nouns[last][1]}
			if r.windowed(last) {
				s.Note = noteWindowed
			}
			p.Sections = append(p.Sections, s)
		}
		s := &p.Sections[len(p.Sections)-1]
		s.Entries = append(s.Entries, e.html(false))
	}
	return pageTemplate.Execute(w, p)
}

// htmlPage is what the template shows, and so are the types below.
type htmlPage struct {
	Title       string
	Sides       []htmlSide
	Identical   bool
	Divergences []htmlDivergence
	Tables      []htmlTable
	Sections    []htmlSection
	Omitted     uint64
}

type htmlSide struct {
	Class, Name string
	*Side
}

type htmlTable struct {
	Head []string
	Rows [][]string
}

type htmlDivergence struct {
	Title, Last, LastVersions string
	Next                      []htmlNext
	Changes                   []htmlChange
	Before                    string
	State                     []htmlEntry
	Omitted                   uint64
}

type htmlNext struct {
	Class, Text, Step string
	Version           uint64
}

type htmlSection struct {
	Title, Note string
	Changes     []htmlChange
	Entries     []htmlEntry
}

type htmlEntry struct {
	Op         Op
	Sign, Head string
	Changes    []htmlChange
}

// htmlChange is a change, or a note.
type htmlChange struct {
	Op               Op
	Sign, Path, Note string
	Old, New         *htmlText
}

// htmlText is a text; Differs is the part of it that the other side does not have.
type htmlText struct{ Before, Differs, After string }

func (t table) html() htmlTable { return htmlTable{t.head, t.rows} }

func (d *Divergence) html(first bool) htmlDivergence {
	h := htmlDivergence{Title: d.title(), Changes: d.Changes.html()}
	if first {
		h.Title = "First divergence: " + h.Title
	}
	if d.LastA != nil && d.LastB != nil {
		h.Last = d.LastA.describe()
		h.LastVersions = fmt.Sprintf("%d | %d", d.LastA.Version, d.LastB.Version)
	}
	for i, next := range d.next() {
		n := htmlNext{Class: string('a' + rune(i)), Text: next.text}
		if next.step != nil {
			n.Step, n.Version = next.step.describe(), next.step.Version
		}
		h.Next = append(h.Next, n)
	}
	if d.State != nil {
		h.Before, h.Omitted = d.before(), d.State.Omitted
		for i := range d.State.Entries {
			h.State = append(h.State, d.State.Entries[i].html(true))
		}
	}
	return h
}

func (e *Entry) html(named bool) htmlEntry {
	return htmlEntry{Op: e.Op, Sign: mark(e.Op), Head: e.head(named), Changes: e.Changes.html()}
}

func (c *Changes) html() []htmlChange {
	var list []htmlChange
	for i := range c.List {
		fields := c.List[i].fields()
		if len(fields) < 2 {
			fields = c.List[i : i+1]
		}
		for j := range fields {
			list = append(list, fields[j].html())
		}
	}
	if c.More > 0 {
		list = append(list, htmlChange{Note: fmt.Sprintf("and %d more inside", c.More)})
	}
	if c.Coarse {
		list = append(list, htmlChange{Note: noteCoarse})
	}
	return list
}

func (c *Change) html() htmlChange {
	h := htmlChange{Op: c.Op, Sign: mark(c.Op), Path: c.Path}
	if c.From != "" {
		h.Path = c.From + " → " + c.Path
	}
	switch c.Op {
	case Added:
		h.New = &htmlText{Before: plainText(c.New, c.NewSize)}
	case Removed:
		h.Old = &htmlText{Before: plainText(c.Old, c.OldSize)}
	default:
		h.Old, h.New = split(plainText(c.Old, c.OldSize), plainText(c.New, c.NewSize))
	}
	return h
}

// plainText is a value as people read it: a String as its text, anything else as JSON.
func plainText(v *codec.Value, size int) string {
	if v != nil && v.Kind() == codec.KindString {
		if s, _ := v.AsString(); s != "" {
			return s
		}
	}
	if v == nil {
		return shown(v, size)
	}
	return v.String()
}

// split marks what differs between two texts: what is not equal at their beginnings and ends.
func split(a, b string) (x, y *htmlText) {
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	for start > 0 && !boundary(a, start) || start > 0 && !boundary(b, start) {
		start--
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	for end > 0 && (!boundary(a, len(a)-end) || !boundary(b, len(b)-end)) {
		end--
	}
	cutAt := func(s string) *htmlText {
		return &htmlText{s[:start], s[start : len(s)-end], s[len(s)-end:]}
	}
	return cutAt(a), cutAt(b)
}

// boundary reports whether a character begins at i, or the text ends there.
func boundary(s string, i int) bool { return i == len(s) || utf8.RuneStart(s[i]) }
