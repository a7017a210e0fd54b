package transcript

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteText writes the comparison for people: the tree, the divergences, and the steps that tell
// most. Steps that all runs of a branch take one after the other stand below each other; a level
// goes in where runs part. Errors: those of w.
func (c *Comparison) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("%d runs, %d passed, %d failed", len(c.Runs), c.Passed, c.Failed)
	p.branch(c.Tree, "", len(c.Runs))
	for i := range c.Divergences {
		p.divergence(&c.Divergences[i])
	}
	if len(c.SameSteps) > 0 {
		p.line("\nfailed with the steps of a run that passed: %s", strings.Join(c.SameSteps, ", "))
	}
	if len(c.Telling) > 0 {
		p.line("\nsteps that tell      passed  failed")
	}
	for i, s := range c.Telling {
		if i == maxLines {
			p.line("  and %d more", len(c.Telling)-i)
			break
		}
		lead := fmt.Sprintf("  %21d/%-3d %3d/%-3d ", s.Passed, c.Passed, s.Failed, c.Failed)
		p.line("%s%s", lead, oneLine(s.Step, lead))
	}
	return p.err
}

// maxLines is how many telling steps the text shows.
const maxLines = 10

// printer remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// branch writes what comes behind a branch.
func (p *printer) branch(b *Branch, indent string, total int) {
	for len(b.Next) == 1 && b.Ended == 0 {
		b = b.Next[0]
		p.line("%s", b.text(indent, total))
	}
	rest := len(b.Next)
	if b.Ended > 0 {
		mark := "├─ "
		if rest == 0 {
			mark = "└─ "
		}
		p.line("%s%s%s ended: %s", indent, mark, bar(b.Ended, total),
			counts(b.Ended, b.EndedPassed, b.EndedFailed))
	}
	for _, n := range b.Next {
		mark, deeper := "├─ ", "│  "
		if rest--; rest == 0 {
			mark, deeper = "└─ ", "   "
		}
		p.line("%s", n.text(indent+mark, total))
		p.branch(n, indent+deeper, total)
	}
}

// text is a branch as one line that begins with lead.
func (b *Branch) text(lead string, total int) string {
	lead += fmt.Sprintf("%s %3.0f%% %s  ", bar(b.Runs, total), 100*b.Share,
		counts(b.Runs, b.Passed, b.Failed))
	errors := ""
	if b.Errors > 0 {
		errors = fmt.Sprintf("  [%d failed calls]", b.Errors)
	}
	return lead + oneLine(b.Step, lead+errors) + errors
}

// bar shows a part of a whole in five blocks, and a part that is not nothing in at least one.
func bar(part, whole int) string {
	filled := max(min(part, 1), (10*part+whole)/max(2*whole, 1))
	return strings.Repeat("█", filled) + strings.Repeat("░", 5-filled)
}

func counts(runs, passed, failed int) string {
	return fmt.Sprintf("%d (%d+ %d-)", runs, passed, failed)
}

// The lines are at most maxColumns wide, but a step has at least leastStep characters of them: deep
// in a tree lines are wider.
const (
	maxColumns = 100
	leastStep  = 30
)

// oneLine shows a step in what the rest of a line leaves. Of what is cut the digest tells whether
// it is the same.
func oneLine(s Step, rest string) string {
	text := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s.String()))
	room := max(maxColumns-utf8.RuneCountInString(rest), leastStep)
	if len(text) > room || strings.HasSuffix(s.Arguments, "…") {
		return fmt.Sprintf("%s… #%.6s", string(text[:min(len(text), room)-9]), s.Digest)
	}
	return string(text)
}

func (p *printer) divergence(d *Divergence) {
	where := "at the first step"
	if n := len(d.After); n > 0 {
		where = fmt.Sprintf("after step %d, ", n)
		where += oneLine(d.After[n-1], where)
	}
	p.line("\n%s", where)
	for _, side := range []struct {
		name    string
		choices []Choice
	}{{"failed", d.Failed}, {"passed", d.Passed}} {
		for _, c := range side.choices {
			did, lead := "ended", fmt.Sprintf("  %d %s: ", len(c.Runs), side.name)
			if c.Step != nil {
				did = oneLine(*c.Step, lead)
			}
			p.line("%s%s", lead, did)
		}
	}
}
