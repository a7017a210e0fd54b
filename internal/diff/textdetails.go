package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/codec"
)

// entries shows the differences, under a heading for each primitive.
func (t *page) entries(r *Report) {
	var last Primitive
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Primitive != last {
			t.section(r, e.Primitive)
			last = e.Primitive
		}
		t.entry(1, e, false)
	}
	if r.Omitted > 0 {
		t.blank()
		t.line(faint, 0, fmt.Sprintf("and %d more differences", r.Omitted))
	}
}

// section is the heading of a primitive.
func (t *page) section(r *Report, p Primitive) {
	t.heading(nouns[p][1])
	if r.windowed(p) {
		t.line(faint, 1, "("+noteWindowed+")")
	}
}

// entry shows one difference; of keys and cells that stand among others it says what they are.
func (t *page) entry(level int, e *Entry, named bool) {
	head := mark(e.Op) + " " + e.head(named)
	// A single change of the whole value fits on the line of its key.
	if c := e.Changes.List; len(c) == 1 && c[0].Path == "" && c[0].From == "" {
		if text := head + "  " + inline(&c[0]); utf8.RuneCountInString(text)+2*level <= textWidth {
			t.line(styleOf(e.Op), level, text)
			return
		}
	}
	t.line(styleOf(e.Op), level, head)
	t.changes(level+2, &e.Changes)
}

// changes shows what differs inside a value.
func (t *page) changes(level int, c *Changes) {
	for i := range c.List {
		t.change(level, &c.List[i])
	}
	if c.More > 0 {
		t.line(faint, level, fmt.Sprintf("and %d more inside", c.More))
	}
	if c.Coarse {
		t.line(faint, level, "("+noteCoarse+")")
	}
}

// change shows one difference: on one line if it fits, else one line for each side.
func (t *page) change(level int, c *Change) {
	head := mark(c.Op) + " "
	if c.From != "" {
		head += terminal.Clean(c.From) + " → "
	}
	if c.Path != "" {
		head += terminal.Clean(c.Path) + "  "
	}
	if text := head + inline(c); utf8.RuneCountInString(text)+2*level <= textWidth {
		t.line(styleOf(c.Op), level, text)
		return
	}
	if c.Op != Changed {
		t.whole(level, head, c)
		return
	}
	if c.Path != "" {
		t.line(yellow, level, strings.TrimRight(head, " "))
		level++
	}
	before, after := shown(c.Old, c.OldSize), shown(c.New, c.NewSize)
	before, after = fromDifference(before, after)
	t.line(red, level, "- "+before)
	t.line(green, level, "+ "+after)
}

// maxFields is how many entries of a Map are shown one by one.
const maxFields = 8

// whole shows what was added or removed and does not fit on one line: a Map entry by entry.
func (t *page) whole(level int, head string, c *Change) {
	fields := c.fields()
	if len(fields) == 0 {
		t.line(styleOf(c.Op), level, head+inline(c))
		return
	}
	for i := range fields {
		if i == maxFields {
			t.line(faint, level, fmt.Sprintf("and %d more entries", len(fields)-maxFields))
			return
		}
		f := &fields[i]
		t.line(styleOf(f.Op), level, mark(f.Op)+" "+terminal.Clean(f.Path)+"  "+inline(f))
	}
}

// fields are a Map that was added or removed entry by entry; nothing for anything else.
func (c *Change) fields() []Change {
	v := c.New
	if c.Op == Removed {
		v = c.Old
	}
	if v == nil || c.Op == Changed {
		return nil
	}
	var list []Change
	inner, path := descend(*v)
	for key, e := range inner.Entries() {
		f := Change{Path: c.Path + path + string(appendPointer(nil, key)), Op: c.Op}
		if c.Op == Removed {
			f.Old = &e
		} else {
			f.New = &e
		}
		list = append(list, f)
	}
	return list
}

// descend goes down as long as a Map has nothing but one Map in it.
func descend(v codec.Value) (inner codec.Value, path string) {
	for v.Kind() == codec.KindMap && v.Len() == 1 {
		for key, e := range v.Entries() {
			if e.Kind() != codec.KindMap {
				return v, path
			}
			v, path = e, path+string(appendPointer(nil, key))
		}
	}
	return v, path
}

// inline shows the values of a change.
func inline(c *Change) string {
	switch c.Op {
	case Added:
		return shown(c.New, c.NewSize)
	case Removed:
		return shown(c.Old, c.OldSize)
	}
	return shown(c.Old, c.OldSize) + " → " + shown(c.New, c.NewSize)
}

// shown is a value as JSON, or its size if it was too large to be kept.
func shown(v *codec.Value, size int) string {
	if v == nil {
		return fmt.Sprintf("(%d bytes)", size)
	}
	return terminal.Clean(v.String())
}

// fromDifference leaves out what two long texts have in common at their beginning, but for some
// characters that tell where one is.
func fromDifference(a, b string) (x, y string) {
	const context, worthwhile = 20, 40
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	if n < worthwhile {
		return a, b
	}
	at := n - context
	for at > 0 && !utf8.RuneStart(a[at]) {
		at--
	}
	return "…" + a[at:], "…" + b[at:]
}
