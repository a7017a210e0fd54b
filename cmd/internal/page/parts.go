package page

// Column is one column of a table.
type Column struct {
	// Title is its heading; Number stands its cells on the right.
	Title  string
	Number Kind

	_ struct{}
}

// Kind says what the cells of a column are.
type Kind uint8

const (
	// Words stand on the left.
	Words Kind = iota
	// Numbers stand on the right.
	Numbers
)

// Cols makes columns of titles; those that begin with "#" are of numbers.
func Cols(titles ...string) []Column {
	all := make([]Column, len(titles))
	for i, title := range titles {
		if len(title) > 0 && title[0] == '#' {
			all[i] = Column{Title: title[1:], Number: Numbers}
			continue
		}
		all[i] = Column{Title: title}
	}
	return all
}

// Table is a table; the first cell of a row is its heading. A cell may hold anything.
func Table(caption string, columns []Column, rows [][]Node) Node {
	head := El("tr")
	for _, c := range columns {
		head = head.With(El("th", append(class(c), "scope", "col")...).Say(c.Title))
	}
	body := make([]Node, len(rows))
	for i, row := range rows {
		cells := make([]Node, 0, len(row))
		for j, cell := range row {
			switch {
			case j == 0:
				cells = append(cells, El("th", append(class(columns[j]), "scope", "row")...).With(cell))
			case j < len(columns):
				cells = append(cells, El("td", class(columns[j])...).With(cell))
			}
		}
		body[i] = El("tr").With(cells...)
	}
	table := El("table")
	if caption != "" {
		table = table.With(El("caption").Say(caption))
	}
	return El("div", "class", "wide").With(
		table.With(El("thead").With(head), El("tbody").With(body...)))
}

func class(c Column) []string {
	if c.Number == Numbers {
		return []string{"class", "num"}
	}
	return nil
}

// Code is text as it was: an id, a call with its arguments.
func Code(text string) Node { return El("code").Say(text) }

// Span is text of a class: dim, good, bad.
func Span(class, text string) Node { return El("span", "class", class).Say(text) }

// Plot is a picture of a size, in pixels, with a text for those who do not see it.
func Plot(width, height float64, says string, parts ...Node) Node {
	return El("figure").With(picture(width, height, says, parts...))
}

// Spark is a small picture inside a line.
func Spark(width, height float64, says string, parts ...Node) Node {
	return picture(width, height, says, parts...)
}

func picture(width, height float64, says string, parts ...Node) Node {
	return El("svg", "xmlns", "http://www.w3.org/2000/svg", "role", "img",
		"width", Num(width), "height", Num(height),
		"viewBox", "0 0 "+Num(width)+" "+Num(height), "aria-label", says).With(parts...)
}

// Rect is a rectangle of a class.
func Rect(class string, x, y, width, height float64) Node {
	return El("rect", "class", class, "x", Num(x), "y", Num(y), "width", Num(width),
		"height", Num(height))
}

// Tip is an element with a text that shows when it is pointed at.
func Tip(n Node, text string) Node { return n.With(El("title").Say(text)) }

// Label is text in a picture; anchor is start, middle or end.
func Label(class string, x, y float64, anchor, text string) Node {
	return El("text", "class", class, "x", Num(x), "y", Num(y), "text-anchor", anchor).Say(text)
}

// Line is a thin line.
func Line(x1, y1, x2, y2 float64) Node {
	return El("line", "class", "rule", "x1", Num(x1), "y1", Num(y1), "x2", Num(x2), "y2", Num(y2))
}

// Failed is a rectangle for what failed: in its colour, and hatched.
func Failed(x, y, width, height float64) []Node {
	return []Node{Rect("fail", x, y, width, height), Rect("hatch", x, y, width, height)}
}

// Key explains the colours of a plot.
func Key(entries ...KeyEntry) Node {
	list := El("ul", "class", "key")
	for _, e := range entries {
		parts := []Node{Rect(e.Class, 0, 0, 12, 12)}
		if e.Class == "fail" {
			parts = Failed(0, 0, 12, 12)
		}
		sample := El("svg", "width", "12", "height", "12", "aria-hidden", "true").With(parts...)
		list = list.With(El("li").With(sample, Text(e.Text)))
	}
	return list
}

// KeyEntry is one colour, by its class, with what it means.
type KeyEntry struct {
	Class, Text string

	_ struct{}
}

// Hues is how many classes h0, h1... there are to tell things apart by colour.
const Hues = 12

// defs holds what the pictures share: the hatching of what failed.
func defs() Node {
	return El("svg", "class", "defs", "aria-hidden", "true").With(El("defs").With(
		El("pattern", "id", "hatch", "width", "5", "height", "5", "patternUnits", "userSpaceOnUse",
			"patternTransform", "rotate(45)").With(
			El("line", "x1", "0", "y1", "0", "x2", "0", "y2", "5",
				"style", "stroke:var(--hatch);stroke-width:1.6;stroke-opacity:.55"))))
}
