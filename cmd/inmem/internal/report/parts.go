package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/inmem-db/inmem/cmd/internal/page"
	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// text and number are cells.
func text(s string) page.Node { return page.Text(s) }

func number[T ~int | ~int64](n T) page.Node { return page.Text(show.Grouped(n)) }

// amount is a number that is often not told: a dash stands for none.
func amount[T ~int | ~int64](n T) page.Node {
	if n == 0 {
		return page.Span("dim", "–")
	}
	return number(n)
}

func cost(c inmem.Cost) page.Node {
	if c == 0 {
		return page.Span("dim", "–")
	}
	return page.Text(c.String())
}

func took(d time.Duration) page.Node {
	if d == 0 {
		return page.Span("dim", "–")
	}
	return page.Text(show.Duration(d))
}

// percent writes a share; one that is neither nothing nor all is never written as if it were.
func percent(share float64) string {
	p := math.Round(100 * share)
	switch {
	case p == 0 && share > 0:
		return "<1 %"
	case p == 100 && share < 1:
		return ">99 %"
	}
	return strconv.Itoa(int(p)) + " %"
}

func fact(name, value string) page.Fact { return page.Fact{Name: name, Value: value} }

// status writes how a run ended, not by colour alone.
func status(name string) page.Node {
	switch name {
	case inmem.Completed.String():
		return page.Span("good", "+ "+name)
	case inmem.Failed.String():
		return page.Span("bad", "− "+name)
	}
	return page.Text(name)
}

// tally is how many runs passed, failed, or neither.
type tally struct{ passed, failed, other int }

func (t tally) all() int { return t.passed + t.failed + t.other }

func (t tally) String() string {
	s := fmt.Sprintf("%d passed, %d failed", t.passed, t.failed)
	if t.other > 0 {
		s += fmt.Sprintf(", %d other", t.other)
	}
	return s
}

// stack draws a tally as a bar, of which the width stands for whole.
func (t tally) stack(x, y, width, height float64, whole int) []page.Node {
	parts := []page.Node{page.Rect("track", x, y, width, height)}
	unit := width / float64(max(whole, 1))
	for _, p := range []struct {
		n     int
		class string
	}{{t.passed, "pass"}, {t.failed, "fail"}, {t.other, "other"}} {
		if p.n == 0 {
			continue
		}
		w := float64(p.n) * unit
		if p.class == "fail" {
			parts = append(parts, page.Failed(x, y, w, height)...)
		} else {
			parts = append(parts, page.Rect(p.class, x, y, w, height))
		}
		x += w
	}
	return parts
}

// outcomes is the key of everything that shows how runs ended.
func outcomes(other int) page.Node {
	entries := []page.KeyEntry{{Class: "pass", Text: "passed"}, {Class: "fail", Text: "failed"}}
	if other > 0 {
		entries = append(entries, page.KeyEntry{Class: "other", Text: "neither"})
	}
	return page.Key(entries...)
}

// named is a task, or what stands for those that tell none.
func named(task string) string {
	if task == "" {
		return "(none)"
	}
	return task
}

// count writes a number with its noun.
func count(n int, noun string) string { return show.Count(n, noun) }

// short is the beginning of the id of a run, enough to name it on a command line nearly always.
func short(id string) string { return id[:min(len(id), 8)] }
