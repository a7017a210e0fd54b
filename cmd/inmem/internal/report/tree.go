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
	n := page.El("div", "class", "tree").With(t.below(t.root))
	if t.left <= 0 {
		n = n.With(page.El("p", "class", "dim").Say(fmt.Sprintf(
			"There are more than %d steps; select fewer runs to see the rest.", maxNodes)))
	}
	return n
}

// below is the list of what comes behind a branch. Steps that all runs take one after the other
// stand below each other.
func (t *tree) below(b *transcript.Branch) page.Node {
	list := page.El("ul")
	for len(b.Next) == 1 && b.Ended == 0 && t.left > 0 {
		b = b.Next[0]
		list = list.With(page.El("li").With(t.line(b)))
	}
	if b.Ended > 0 {
		ended := tally{b.EndedPassed, b.EndedFailed, b.Ended - b.EndedPassed - b.EndedFailed}
		list = list.With(page.El("li").With(t.row(ended, "", page.Span("dim", "no further call"))))
	}
	for _, n := range b.Next {
		if t.left <= 0 {
			break
		}
		item := page.El("li").With(t.line(n))
		if len(n.Next) > 0 || n.Ended > 0 {
			item = item.With(t.below(n))
		}
		list = list.With(item)
	}
	return list
}

// line is one step.
func (t *tree) line(b *transcript.Branch) page.Node {
	t.left--
	what := step(b.Step)
	if b.Errors > 0 {
		what = page.El("span").With(what, text(" "), page.Span("bad", count(b.Errors,
			"failed call")))
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
