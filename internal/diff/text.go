package diff

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
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
	switch {
	case r.First != nil:
		t.divergence("first divergence: ", r.First)
		t.other(r)
	case r.Identical:
		t.line(bold, 0, "no differences")
	default:
		t.line(bold, 0, "the steps are the same")
	}
	t.counts(r)
	t.totals(r)
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
	text = cut(strings.Repeat("  ", level)+text, textWidth)
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
			words = append(words, "", printable(more))
		}
	}
	t.line(styleOf(o), 0, strings.Join(words, " "))
}

// nouns are what primitives hold: one, and several.
var nouns = map[Primitive][2]string{
	KV: {"key", "keys"}, Extensions: {"extension key", "extension keys"},
	Cells: {"cell", "cells"}, Machines: {"machine", "machines"},
	Events: {"event", "events"}, Traces: {"span", "spans"},
}

// several is a number with its noun.
func several(n uint64, p Primitive) string {
	if n == 1 {
		return "1 " + nouns[p][0]
	}
	return fmt.Sprintf("%d %s", n, nouns[p][1])
}

// divergence shows where two sequences part.
func (t *page) divergence(title string, d *Divergence) {
	where := fmt.Sprintf("%sthe %s part after %s in common", title, nouns[d.Primitive][1],
		several(d.Position, d.Primitive))
	if d.Position == 0 {
		where = fmt.Sprintf("%sthe %s differ from the first one on", title, nouns[d.Primitive][1])
	}
	t.line(bold, 0, where)
	if d.LastA != nil && d.LastB != nil {
		t.line(plain, 1, fmt.Sprintf("= %s   version %d | %d", d.LastA.describe(), d.LastA.Version,
			d.LastB.Version))
	}
	for _, next := range []struct {
		op   Op
		side string
		step *Step
	}{{Removed, "a", d.NextA}, {Added, "b", d.NextB}} {
		if next.step == nil {
			end := " ends here"
			if d.Position == 0 {
				end = " has none"
			}
			t.line(styleOf(next.op), 1, mark(next.op)+" "+next.side+end)
			continue
		}
		t.line(styleOf(next.op), 1, fmt.Sprintf("%s %s goes on with %s   version %d", mark(next.op),
			next.side, next.step.describe(), next.step.Version))
	}
	t.changes(2, &d.Changes)
	t.before(d)
}

// other shows where the other of the two sequences parts: of the words that were said and of the
// tools that were called both are of interest, whichever came first.
func (t *page) other(r *Report) {
	other := r.Spans.Divergence
	if r.First.Primitive == Traces {
		other = r.Events.Divergence
	}
	// The very same moment need not be told twice.
	if other != nil && (other.VersionA != r.First.VersionA || other.VersionB != r.First.VersionB) {
		t.blank()
		t.divergence("", other)
	}
}

// before shows the state just before a divergence.
func (t *page) before(d *Divergence) {
	if d.State == nil {
		return
	}
	at := fmt.Sprintf("just before, a at version %d and b at version %d: ", d.VersionA, d.VersionB)
	if d.State.Differences() == 0 {
		t.line(plain, 1, at+"keys and cells are the same")
		return
	}
	var parts []string
	for _, p := range []Primitive{KV, Extensions, Cells, Machines} {
		if n := d.State.Of(p).Differences(); n > 0 {
			parts = append(parts, several(n, p))
		}
	}
	verb := " differ"
	if d.State.Differences() == 1 {
		verb = " differs"
	}
	t.line(plain, 1, at+strings.Join(parts, ", ")+verb)
	for i := range d.State.Entries {
		t.entry(2, &d.State.Entries[i], true)
	}
	if d.State.Omitted > 0 {
		t.line(faint, 2, fmt.Sprintf("and %d more", d.State.Omitted))
	}
}

// counts shows how many of each there are and differ.
func (t *page) counts(r *Report) {
	var rows []string
	for _, p := range []Primitive{KV, Extensions, Cells, Machines, Events, Traces} {
		c := r.countsOf(p)
		if c.A+c.B == 0 && !c.Shared {
			continue
		}
		and := "" // there is more
		if c.Shared {
			and = "+"
		}
		rows = append(rows, fmt.Sprintf("%-14s %12s %12s %10s %10d %10d %10d", nouns[p][1],
			fmt.Sprint(c.A, and), fmt.Sprint(c.B, and), fmt.Sprint(c.Same, and), c.Added, c.Removed,
			c.Changed))
	}
	t.table(fmt.Sprintf("%-14s %12s %12s %10s %10s %10s %10s", "", "a", "b", "same", "added",
		"removed", "changed"), rows)
}

// table shows rows under their heading; nothing without rows.
func (t *page) table(heading string, rows []string) {
	if len(rows) == 0 {
		return
	}
	t.heading(heading)
	for _, row := range rows {
		t.line(plain, 0, row)
	}
}

// countsOf are the counts of any primitive.
func (r *Report) countsOf(p Primitive) *Counts {
	switch p {
	case Events:
		return &r.Events.Counts
	case Traces:
		return &r.Spans.Counts
	}
	return r.State.Of(p)
}

// totals shows what the sides came to.
func (t *page) totals(r *Report) {
	a, b, delta := r.A.Totals, r.B.Totals, r.Delta()
	var rows []string
	for _, row := range []struct {
		name string
		show func(Totals) string
	}{
		{"commits", func(t Totals) string { return strconv.FormatInt(t.Commits, 10) }},
		{"input tokens", func(t Totals) string { return strconv.FormatInt(t.InputTokens, 10) }},
		{"output tokens", func(t Totals) string { return strconv.FormatInt(t.OutputTokens, 10) }},
		{"cost", func(t Totals) string { return dollars(t.Cost) }},
		{"failed spans", func(t Totals) string { return strconv.FormatInt(t.Errors, 10) }},
		{"duration", func(t Totals) string { return rounded(t.Duration).String() }},
	} {
		x, y, z := row.show(a), row.show(b), row.show(delta)
		if zero := row.show(Totals{}); x == zero && y == zero {
			continue
		} else if z != zero && !strings.HasPrefix(z, "-") {
			z = "+" + z
		}
		rows = append(rows, fmt.Sprintf("%-14s %12s %12s %12s", row.name, x, y, z))
	}
	t.table(fmt.Sprintf("%-14s %12s %12s %12s", "", "a", "b", "b - a"), rows)
}

// dollars shows an amount in billionths of a dollar, with at least two decimals.
func dollars(n int64) string {
	sign, u := "", uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	decimals := strings.TrimRight(fmt.Sprintf("%09d", u%1e9), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return fmt.Sprintf("%s$%d.%s", sign, u/1e9, decimals)
}

// rounded leaves three digits of a duration, whole seconds of a long one.
func rounded(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d.Abs() >= 1000*unit && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit)
}
