package trace

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/inmem-db/inmem/internal/terminal"
)

const (
	// width is the longest line that Fprint writes, in characters.
	width = 100
	// widestLabel is the column that durations never lie behind, deepest the level below which
	// lines are no longer indented.
	widestLabel = 60
	deepest     = 16
)

// line is one line of a rendered tree.
type line struct {
	label string // with its indentation
	took  string
	span  *Span
}

// Fprint writes trees as text, one line per span: type and name, duration, tokens, cost, error.
// Equal trees give equal text. A line has at most 100 characters; what is too long is cut, and ends
// in "…". What cannot be printed is escaped, so that a name never breaks a line. Levels below the
// sixteenth are no longer indented but numbered.
//
// Errors: those of w.
func Fprint(w io.Writer, trees ...*Node) error {
	lines := layout(trees)
	labels, times := 0, 0
	for _, l := range lines {
		labels = max(labels, utf8.RuneCountInString(l.label))
		times = max(times, utf8.RuneCountInString(l.took))
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(w, l.text(labels, times)); err != nil {
			return err
		}
	}
	return nil
}

// String is the tree as Fprint writes it.
func (n *Node) String() string {
	var b strings.Builder
	_ = Fprint(&b, n) // a Builder takes everything
	return b.String()
}

// layout lists the lines of all trees. It keeps a stack of its own: chains may be long.
func layout(trees []*Node) []line {
	type visit struct {
		node   *Node
		level  int
		indent string // of the line itself, with its branch
		below  string // of the lines under it
	}
	var lines []line
	var stack []visit
	push := func(nodes []*Node, level int, indent string) {
		for i := len(nodes) - 1; i >= 0; i-- {
			v := visit{node: nodes[i], level: level, indent: indent, below: indent}
			switch {
			case level == 0 || level > deepest:
			case i == len(nodes)-1:
				v.indent, v.below = indent+"└─ ", indent+"   "
			default:
				v.indent, v.below = indent+"├─ ", indent+"│  "
			}
			stack = append(stack, v)
		}
	}
	push(trees, 0, "")
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		label := string(v.node.Span.Type)
		if v.node.Span.Name != "" {
			label += " " + v.node.Span.Name
		}
		if v.level > deepest {
			label = fmt.Sprintf("[%d] %s", v.level, label)
		}
		took := "open"
		if !v.node.Span.IsOpen() {
			took = round(v.node.Span.Duration()).String()
		}
		lines = append(lines, line{
			label: terminal.Cut(v.indent+terminal.Clean(label), widestLabel), took: took, span: &v.node.Span,
		})
		push(v.node.Children, v.level+1, v.below)
	}
	return lines
}

// text is the whole line, with label and duration padded to their columns.
func (l *line) text(labels, times int) string {
	pad := labels - utf8.RuneCountInString(l.label)
	text := fmt.Sprintf("%s%*s  %*s", l.label, pad, "", times, l.took)
	if in, out := l.span.InputTokens, l.span.OutputTokens; in != 0 || out != 0 {
		text += fmt.Sprintf("  %d+%d tokens", in, out)
	}
	if l.span.Cost != 0 {
		text += "  " + l.span.Cost.String()
	}
	if l.span.ErrorType != "" || l.span.Error != "" {
		what := l.span.ErrorType
		if what != "" && l.span.Error != "" {
			what += ": "
		}
		text += "  failed: " + terminal.Clean(what+l.span.Error)
	}
	return terminal.Cut(text, width)
}

// round leaves three digits of a duration, whole seconds of a long one.
func round(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d >= 1000*unit && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit)
}
