package show

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/inmem-db/inmem/internal/terminal"
)

// Align says on which side of its column a cell stands.
type Align uint8

const (
	Left  Align = iota // words
	Right              // numbers
)

// Column is one column of a Table.
type Column struct {
	// Title is its heading.
	Title string
	// Align is where its cells stand.
	Align Align
	// Flexible columns give way when a table would be wider than Width: the widest first, down to
	// the width of its title. A table without one is as wide as it is.
	Flexible bool
	// Paint, if set, decorates a padded cell. The style is that of the table.
	Paint func(s Style, cell string) string

	_ struct{}
}

// Table lays out cells in columns, two blanks apart. Add the rows, then write it once. The zero
// value has no columns.
type Table struct {
	// Columns are the columns.
	Columns []Column
	// Style decorates the headings, and what the columns paint.
	Style Style
	// Indent is how many blanks stand before every line.
	Indent int

	rows [][]string

	_ struct{}
}

// Row adds a row: a cell for each column; those that are missing are empty. Cells are cleaned, so
// that none breaks a line.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.Columns))
	for i := range min(len(cells), len(row)) {
		row[i] = terminal.Clean(cells[i])
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Write writes the table with its headings; nothing if there are no rows. Errors: those of w.
func (t *Table) Write(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	widths := t.widths()
	var b strings.Builder
	titles := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = c.Title
	}
	t.line(&b, titles, widths, func(_ int, cell string) string { return t.Style.Bold(cell) })
	for _, row := range t.rows {
		t.line(&b, row, widths, func(i int, cell string) string {
			if paint := t.Columns[i].Paint; paint != nil && t.Style.Color {
				return paint(t.Style, cell)
			}
			return cell
		})
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) line(b *strings.Builder, row []string, widths []int,
	paint func(i int, cell string) string) {
	last := len(row) - 1
	for last > 0 && row[last] == "" {
		last-- // no blanks at the end of a line
	}
	b.WriteString(strings.Repeat(" ", t.Indent))
	for i, cell := range row[:last+1] {
		if i > 0 {
			b.WriteString("  ")
		}
		cell = terminal.Cut(cell, widths[i])
		switch {
		case t.Columns[i].Align == Right:
			cell = PadFront(cell, widths[i])
		case i < last:
			cell = Pad(cell, widths[i])
		}
		b.WriteString(paint(i, cell))
	}
	b.WriteByte('\n')
}

// widths are those of the widest cells, less what the flexible columns give up.
func (t *Table) widths() []int {
	widths := make([]int, len(t.Columns))
	total := t.Indent + 2*(len(widths)-1)
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c.Title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		total += widths[i]
	}
	for ; total > Width; total-- {
		widest := -1
		for i, c := range t.Columns {
			if c.Flexible && widths[i] > max(4, utf8.RuneCountInString(c.Title)) &&
				(widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}
