package page

import (
	"io"
	"strconv"
	"strings"
)

// Node is an element or a text.
type Node struct {
	name       string // empty for a text
	text       string
	attributes []string // names and values in turns
	children   []Node
}

// El is an element with attributes: names and values in turns. Names are those of HTML and SVG, and
// never come from data. A name without a value is a programmer's error, and gets an empty one.
func El(name string, attributes ...string) Node {
	if len(attributes)%2 != 0 {
		attributes = append(attributes, "")
	}
	return Node{name: name, attributes: attributes}
}

// Text is a text. It is escaped when it is written.
func Text(text string) Node { return Node{text: text} }

// With is the element with further children. The node itself stays as it is.
func (n Node) With(children ...Node) Node {
	all := make([]Node, 0, len(n.children)+len(children))
	n.children = append(append(all, n.children...), children...)
	return n
}

// Say is the element with a text as its further child.
func (n Node) Say(text string) Node { return n.With(Text(text)) }

// void are the elements that have no end.
var void = map[string]bool{"meta": true, "br": true, "hr": true}

// blocks are the elements that begin a line of their own, so that a page can be read as text.
var blocks = map[string]bool{
	"html": true, "head": true, "body": true, "main": true, "header": true, "section": true,
	"h1": true, "h2": true, "h3": true, "p": true, "table": true, "tr": true, "ul": true, "ol": true,
	"li": true, "svg": true, "g": true, "meta": true, "style": true, "title": true, "dl": true,
	"div": true, "figure": true, "footer": true, "caption": true, "thead": true, "tbody": true,
}

// write writes a node and what is in it.
func (n Node) write(b *strings.Builder) {
	if n.name == "" {
		b.WriteString(escape(n.text))
		return
	}
	if blocks[n.name] && b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString("<" + n.name)
	for i := 0; i < len(n.attributes); i += 2 {
		b.WriteString(" " + n.attributes[i] + `="` + escape(n.attributes[i+1]) + `"`)
	}
	b.WriteByte('>')
	if void[n.name] {
		return
	}
	for _, c := range n.children {
		if n.name == "style" {
			b.WriteString(c.text) // ours, and no data: see frame
			continue
		}
		c.write(b)
	}
	b.WriteString("</" + n.name + ">")
}

// escape makes text safe as content and as an attribute. What no page may hold is shown as what
// cannot be shown.
func escape(text string) string {
	return escaper.Replace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd")))
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;",
	"'", "&#39;")

// Num writes a coordinate: with at most two decimals, the same on every machine.
func Num(v float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Page is one page.
type Page struct {
	// Title is what the page is about, Lead one or two sentences below it.
	Title, Lead string
	// Facts are the few figures at its top.
	Facts []Fact
	// Sections are the rest.
	Sections []Section

	_ struct{}
}

// Fact is one figure with its name.
type Fact struct {
	Name, Value string

	_ struct{}
}

// Section is a part of a page under a heading.
type Section struct {
	// Title is the heading, Lead what is to be seen.
	Title, Lead string
	// Body is the content.
	Body []Node

	_ struct{}
}

// Write writes the page, the same bytes for the same content. Errors: those of w.
func (p *Page) Write(w io.Writer) error {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n")
	p.frame().write(&b)
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// policy forbids the page everything but its own style.
const policy = "default-src 'none'; style-src 'unsafe-inline'"

func (p *Page) frame() Node {
	head := El("head").With(
		El("meta", "charset", "utf-8"),
		El("meta", "http-equiv", "Content-Security-Policy", "content", policy),
		El("meta", "name", "viewport", "content", "width=device-width, initial-scale=1"),
		El("meta", "name", "color-scheme", "content", "light dark"),
		El("title").Say(p.Title+" · in-mem"),
		El("style").Say(style))
	top := El("header").With(El("h1").Say(p.Title))
	if p.Lead != "" {
		top = top.With(El("p", "class", "lead").Say(p.Lead))
	}
	if len(p.Facts) > 0 {
		facts := El("dl", "class", "facts")
		for _, f := range p.Facts {
			facts = facts.With(El("div").With(El("dt").Say(f.Name), El("dd").Say(f.Value)))
		}
		top = top.With(facts)
	}
	main := El("main")
	for _, s := range p.Sections {
		section := El("section").With(El("h2").Say(s.Title))
		if s.Lead != "" {
			section = section.With(El("p").Say(s.Lead))
		}
		main = main.With(section.With(s.Body...))
	}
	return El("html", "lang", "en").With(head, El("body").With(defs(), top, main))
}
