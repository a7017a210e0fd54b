package page

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sample is a page with everything on it, and a text in every place that takes one.
func sample(text string) *Page {
	return &Page{Title: text, Lead: text, Facts: []Fact{{Name: text, Value: text}},
		Sections: []Section{{Title: text, Lead: text, Body: []Node{
			Table(text, Cols(text, "#"+text), [][]Node{{Text(text), Code(text)}}),
			Plot(100, 50, text, Tip(Rect("bar", 1, 2, 3, 4), text), Label("dim", 1, 2, "end", text),
				Line(0, 0, 1, 1), El("g").With(Failed(1, 2, 3, 4)...)),
			Key(KeyEntry{Class: "fail", Text: text}, KeyEntry{Class: "h1", Text: text}),
			Span("bad", text), El("div", "title", text), Spark(10, 10, text)}}}}
}

func write(t require.TestingT, p *Page) string {
	var b bytes.Buffer
	require.NoError(t, p.Write(&b))
	return b.String()
}

// tag is a begin or an end of an element. What is escaped has no "<" and no quotes.
var tag = regexp.MustCompile(`<(/?)([a-zA-Z0-9]+)((?: [a-zA-Z0-9-]+="[^"<>]*")*)>`)

// wellFormed checks that everything that looks like markup is ours: elements that are closed in
// their order, and returns the text between them.
func wellFormed(t require.TestingT, page string) (text string) {
	const doctype = "<!DOCTYPE html>\n"
	require.True(t, strings.HasPrefix(page, doctype))
	page = strings.Replace(page[len(doctype):], style, "", 1)
	var open []string
	at := 0
	for _, m := range tag.FindAllStringSubmatchIndex(page, -1) {
		text += page[at:m[0]]
		at = m[1]
		name := page[m[4]:m[5]]
		switch {
		case m[2] < m[3]: // an end
			require.NotEmpty(t, open)
			require.Equal(t, open[len(open)-1], name)
			open = open[:len(open)-1]
		case !void[name]:
			open = append(open, name)
		}
	}
	require.Empty(t, open)
	text += page[at:]
	require.NotContains(t, text, "<")
	require.NotContains(t, text, ">")
	return text
}

// Whatever stands in a database, a page has the same elements: nothing becomes markup.
func TestTextNeverBecomesMarkup(t *testing.T) {
	shape := func(page string) (names []string) {
		for _, m := range tag.FindAllStringSubmatch(page, -1) {
			names = append(names, m[1]+m[2])
		}
		return names
	}
	plain := shape(write(t, sample("plain")))
	hostile := []string{`<script>alert(1)</script>`, `"><img src=x onerror=y>`, `' onload='`,
		"</style><b>", "]]>", "&lt;", "\x00\x1b[31m\xff", "</title>", "<!--", "${{x}}"}
	for _, text := range hostile {
		page := write(t, sample(text))
		wellFormed(t, page)
		require.Equal(t, plain, shape(page), text)
		require.NotContains(t, page, "<script")
	}
	rapid.Check(t, func(r *rapid.T) {
		text := "x" + rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile)).Draw(r, "text")
		page := write(r, sample(text))
		wellFormed(r, page)
		require.Equal(r, plain, shape(page))
	})
}

// A page needs nothing but itself, and says so to the browser.
func TestPageIsSelfContained(t *testing.T) {
	page := write(t, sample("plain"))
	require.Contains(t, page, `content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;"`)
	require.NotRegexp(t, `(?i)<script|<link|<img|<iframe|src=|href=|@import|@font-face`, page)
	for _, m := range regexp.MustCompile(`url\(([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		require.Equal(t, "#hatch", m[1])
	}
	require.Equal(t, []string{"http://www.w3.org/2000/svg"},
		unique(regexp.MustCompile(`https?://[^"' <]*`).FindAllString(page, -1)))
}

func unique(all []string) (kept []string) {
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// For those who do not see: a language, headings in order, a text for every picture, heads for rows
// and columns. For those who do: both grounds have all the colours.
func TestPageIsAccessible(t *testing.T) {
	page := write(t, sample("plain"))
	require.Contains(t, page, `<html lang="en">`)
	for _, svg := range regexp.MustCompile(`<svg[^>]*>`).FindAllString(page, -1) {
		require.Regexp(t, `aria-label="[^"]+"|aria-hidden="true"`, svg)
	}
	require.Contains(t, page, `scope="row"`)
	require.Contains(t, page, `scope="col"`)
	colors := func(from, to string) []string {
		_, rest, _ := strings.Cut(style, from)
		part, _, _ := strings.Cut(rest, to)
		return regexp.MustCompile(`--[a-z0-9]+:`).FindAllString(part, -1)
	}
	require.ElementsMatch(t, colors(":root", "}"), colors("prefers-color-scheme: dark", "} }"))
}

// The same content is the same bytes, and a node is not changed by what is made of it.
func TestPageIsDeterministic(t *testing.T) {
	require.Equal(t, write(t, sample("a")), write(t, sample("a")))
	list := El("ul").With(El("li"))
	_ = list.With(El("li").Say("x"))
	require.Len(t, list.With(El("li")).children, 2)
	require.Len(t, list.children, 1)
	for v, want := range map[float64]string{0: "0", 1.5: "1.5", 2: "2", 1.0 / 3: "0.33", 100: "100"} {
		require.Equal(t, want, Num(v))
	}
}

func TestWriteTellsErrors(t *testing.T) {
	full := errors.New("the disk is full")
	require.ErrorIs(t, sample("a").Write(broken{full}), full)
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }
