package diff

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/inmem-db/inmem/internal/terminal"
)

// TextOptions configure WriteText.
type TextOptions struct {
	// Colour marks what was added, removed and changed with ANSI escapes. Whether to is the
	// caller's to decide: a terminal, NO_COLOR.
	Colour bool

	_ struct{}
}

// textWidth is the longest line of a text, in characters.
const textWidth = 100

// Text is the report as WriteText writes it, without colour.
func (r *Report) Text() string {
	var b strings.Builder
	_ = r.WriteText(&b, TextOptions{}) // a Builder takes everything
	return b.String()
}

// WriteText writes the report for people: where the sides parted, how many differences there are,
// what each side came to, then the differences. Equal reports give equal text. A line has at most
// 100 characters; what is longer is cut, and ends in "…". What cannot be printed is escaped.
//
// Errors: those of w.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	t := &page{w: w, colour: o.Colour}
	t.side(Removed, "a", &r.A)
	t.side(Added, "b", &r.B)
	t.blank()
	switch parts := r.divergences(); {
	case len(parts) > 0:
		t.divergence("first divergence: ", parts[0])
		for _, other := range parts[1:] {
			t.blank()
			t.divergence("", other)
		}
	case r.Identical:
		t.line(bold, 0, "no differences")
	default:
		t.line(bold, 0, "the steps are the same")
	}
	t.table(r.counts())
	t.table(r.totals())
	if n := len(r.Record.List); n > 0 {
		t.heading("record")
		t.changes(1, &r.Record)
	}
	t.entries(r)
	return t.err
}

// style is how a line is marked.
type style int

const (
	plain style = iota
	bold
	green
	red
	yellow
	faint
)

var escapes = [...]string{bold: "\x1b[1m", green: "\x1b[32m", red: "\x1b[31m",
	yellow: "\x1b[33m", faint: "\x1b[2m"}

// styleOf is the colour of an Op, mark its sign.
func styleOf(o Op) style {
	return map[Op]style{Added: green, Removed: red, Changed: yellow}[o]
}

func mark(o Op) string {
	return map[Op]string{Added: "+", Removed: "-", Changed: "~"}[o]
}

// page writes lines until the writer fails.
type page struct {
	w      io.Writer
	colour bool
	err    error
}

// line writes one line, indented by levels of two characters, and cut to the width.
func (t *page) line(s style, level int, text string) {
	if t.err != nil {
		return
	}
	text = terminal.Cut(strings.Repeat("  ", level)+text, textWidth)
	if t.colour && s != plain {
		text = escapes[s] + text + "\x1b[0m"
	}
	_, t.err = io.WriteString(t.w, text+"\n")
}

func (t *page) blank() { t.line(plain, 0, "") }

func (t *page) heading(text string) {
	t.blank()
	t.line(bold, 0, text)
}

func (t *page) side(o Op, name string, s *Side) {
	words := []string{name, " run", s.Run, "at version", strconv.FormatUint(s.Version, 10)}
	for _, more := range []string{s.Status, s.Agent} {
		if more != "" {
			words = append(words, "", terminal.Clean(more))
		}
	}
	t.line(styleOf(o), 0, strings.Join(words, " "))
}

// divergence shows where two sequences part.
func (t *page) divergence(lead string, d *Divergence) {
	t.line(bold, 0, lead+d.title())
	if d.LastA != nil && d.LastB != nil {
		t.line(plain, 1, fmt.Sprintf("= %s   version %d | %d", d.LastA.describe(), d.LastA.Version,
			d.LastB.Version))
	}
	for _, next := range d.next() {
		text := mark(next.op) + " " + next.text
		if next.step != nil {
			text += fmt.Sprintf(" %s   version %d", next.step.describe(), next.step.Version)
		}
		t.line(styleOf(next.op), 1, text)
	}
	t.changes(2, &d.Changes)
	if d.State == nil {
		return
	}
	t.line(plain, 1, d.before())
	for i := range d.State.Entries {
		t.entry(2, &d.State.Entries[i], true)
	}
	if d.State.Omitted > 0 {
		t.line(faint, 2, fmt.Sprintf("and %d more", d.State.Omitted))
	}
}

// table shows rows under their heading, the first column to the left; nothing without rows.
func (t *page) table(table table) {
	if len(table.rows) == 0 {
		return
	}
	line := func(cells []string) string {
		text := fmt.Sprintf("%-14s", cells[0])
		for i, cell := range cells[1:] {
			width := 13
			if i >= 3 {
				width = 11
			}
			text += fmt.Sprintf("%*s", width, cell)
		}
		return text
	}
	t.heading(line(table.head))
	for _, row := range table.rows {
		t.line(plain, 0, line(row))
	}
}
