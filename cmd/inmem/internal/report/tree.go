package report

import (
	"fmt"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// maxNodes is how many steps a tree shows: beyond them nobody reads on.
const maxNodes = 2000

// tree draws the tree of a comparison as lists in lists.
type tree struct {
	root  *transcript.Branch
	total int
	left  int // steps that may still be shown
}

func newTree(c *transcript.Comparison) *tree {
	return &tree{root: c.Tree, total: len(c.Runs), left: maxNodes}
}

func (t *tree) node() page.Node {
	n := page.El("div", "class", "tree").With(page.El("ul").With(t.below(t.root)...))
	if t.left <= 0 {
		n = n.With(page.El("p", "class", "dim").Say(fmt.Sprintf(
			"There are more than %d steps; select fewer runs to see the rest.", maxNodes)))
	}
	return n
}

// below are the items of the list of what comes behind a branch. Steps that all runs take one after
// the other stand below each other; where runs part, what they did is a list in the last of these.
func (t *tree) below(b *transcript.Branch) (items []page.Node) {
	for len(b.Next) == 1 && b.Ended == 0 && t.left > 0 {
		b = b.Next[0]
		items = append(items, page.El("li").With(t.line(b)))
	}
	parted := t.parted(b, len(items) > 0)
	if len(items) == 0 || len(parted) == 0 {
		return append(items, parted...)
	}
	last := len(items) - 1
	items[last] = items[last].With(page.El("ul").With(parted...))
	return items
}

// parted are what runs did behind a branch at which they part. That all ended is said in the line
// of the branch itself, if it has one.
func (t *tree) parted(b *transcript.Branch, line bool) (items []page.Node) {
	if b.Ended > 0 && (len(b.Next) > 0 || !line) {
		ended := tally{b.EndedPassed, b.EndedFailed, b.Ended - b.EndedPassed - b.EndedFailed}
		items = append(items, page.El("li").With(
			t.row(ended, "", page.Span("dim", "no further call"))))
	}
	for _, n := range b.Next {
		if t.left <= 0 {
			break
		}
		item := page.El("li").With(t.line(n))
		if len(n.Next) > 0 {
			item = item.With(page.El("ul").With(t.below(n)...))
		}
		items = append(items, item)
	}
	return items
}

// line is one step.
func (t *tree) line(b *transcript.Branch) page.Node {
	t.left--
	what := page.El("span").With(step(b.Step))
	if b.Errors > 0 {
		what = what.With(text(" "), page.Span("bad", count(b.Errors, "failed call")))
	}
	if len(b.Next) == 0 {
		what = what.With(page.Span("dim", " and no further call"))
	}
	return t.row(tally{b.Passed, b.Failed, b.Runs - b.Passed - b.Failed}, percent(b.Share), what)
}

func (t *tree) row(n tally, share string, what page.Node) page.Node {
	figures := fmt.Sprintf("%d  (%d+ %d−)", n.all(), n.passed, n.failed)
	if share != "" {
		figures += "  " + share
	}
	return page.El("div", "class", "step").With(
		page.Spark(60, 10, n.String(), n.stack(0, 0, 60, 10, t.total)...),
		page.El("span", "class", "count").Say(figures), page.El("span").With(what))
}
