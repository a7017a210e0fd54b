package transcript

import (
	"cmp"
	"math"
	"slices"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// grow makes the tree: every run is a way through it.
func (c *Comparison) grow() {
	c.Tree = &Branch{Share: share(len(c.Runs), len(c.Runs))}
	next := map[*Branch]map[Step]*Branch{}
	for i := range c.Runs {
		r := &c.Runs[i]
		at := c.Tree
		at.pass(i, r.status)
		for _, t := range r.path {
			to := next[at][t.step]
			if to == nil {
				to = &Branch{Step: t.step}
				if next[at] == nil {
					next[at] = map[Step]*Branch{}
				}
				next[at][t.step] = to
				at.Next = append(at.Next, to)
			}
			if at = to; t.failed {
				at.Errors++
			}
			at.pass(i, r.status)
		}
		at.Ended++
		at.ended = append(at.ended, i)
		switch r.status {
		case inmem.Completed:
			at.EndedPassed++
		case inmem.Failed:
			at.EndedFailed++
		}
	}
	c.Passed, c.Failed = c.Tree.Passed, c.Tree.Failed
	c.Tree.settle()
}

// pass counts a run that comes by.
func (b *Branch) pass(run int, status inmem.Status) {
	b.Runs++
	b.all = append(b.all, run)
	switch status {
	case inmem.Completed:
		b.Passed++
	case inmem.Failed:
		b.Failed++
	}
}

// settle orders what comes next, at every step, and works out the shares. Steps are bounded for
// each run, and so is the depth.
func (b *Branch) settle() {
	slices.SortFunc(b.Next, func(x, y *Branch) int {
		return cmp.Or(cmp.Compare(y.Runs, x.Runs), cmp.Compare(y.Passed, x.Passed),
			compareSteps(x.Step, y.Step))
	})
	for _, n := range b.Next {
		n.Share = share(n.Runs, b.Runs)
		n.settle()
	}
}

func compareSteps(a, b Step) int {
	return cmp.Or(strings.Compare(a.Tool, b.Tool), strings.Compare(a.Arguments, b.Arguments),
		strings.Compare(a.Digest, b.Digest))
}

// diverge finds the places below a branch at which failed runs leave the way of those that passed.
// After a place without any that passed there is none.
func (c *Comparison) diverge(b *Branch, after []Step) {
	if b.Passed == 0 {
		return
	}
	var d Divergence
	for _, n := range b.Next {
		if n.Passed > 0 {
			step := n.Step
			d.Passed = append(d.Passed, Choice{Step: &step, Runs: c.ids(n.all, inmem.Completed)})
		} else if n.Failed > 0 {
			step := n.Step
			d.Failed = append(d.Failed, Choice{Step: &step, Runs: c.ids(n.all, inmem.Failed)})
		}
	}
	if b.EndedPassed > 0 {
		d.Passed = append(d.Passed, Choice{Runs: c.ids(b.ended, inmem.Completed)})
		c.SameSteps = append(c.SameSteps, c.ids(b.ended, inmem.Failed)...)
	} else if b.EndedFailed > 0 {
		d.Failed = append(d.Failed, Choice{Runs: c.ids(b.ended, inmem.Failed)})
	}
	if len(d.Failed) > 0 {
		d.After = append([]Step{}, after...)
		c.Divergences = append(c.Divergences, d)
	}
	for _, n := range b.Next {
		c.diverge(n, append(after, n.Step))
	}
}

// ids are the ids of those of some runs that have a status.
func (c *Comparison) ids(runs []int, status inmem.Status) []string {
	ids := []string{}
	for _, i := range runs {
		if c.Runs[i].status == status {
			ids = append(ids, c.Runs[i].Run)
		}
	}
	return ids
}

func runsOf(choices []Choice) (n int) {
	for _, c := range choices {
		n += len(c.Runs)
	}
	return n
}

// maxTelling is how many steps Comparison.Telling has at most.
const maxTelling = 50

// tell finds the steps that passing runs take and failing ones do not, or the other way round.
func (c *Comparison) tell() {
	if c.Passed == 0 || c.Failed == 0 {
		return
	}
	counts := map[Step]*StepShare{}
	for i := range c.Runs {
		r := &c.Runs[i]
		met := map[Step]bool{}
		for _, t := range r.path {
			if met[t.step] {
				continue
			}
			met[t.step] = true
			s := counts[t.step]
			if s == nil {
				s = &StepShare{Step: t.step}
				counts[t.step] = s
			}
			switch r.status {
			case inmem.Completed:
				s.Passed++
			case inmem.Failed:
				s.Failed++
			}
		}
	}
	for _, s := range counts {
		s.PassedShare, s.FailedShare = share(s.Passed, c.Passed), share(s.Failed, c.Failed)
		if s.PassedShare != s.FailedShare {
			c.Telling = append(c.Telling, *s)
		}
	}
	slices.SortFunc(c.Telling, func(a, b StepShare) int {
		return cmp.Or(cmp.Compare(b.distance(), a.distance()), compareSteps(a.Step, b.Step))
	})
	c.Telling = c.Telling[:min(len(c.Telling), maxTelling)]
}

func (s *StepShare) distance() float64 { return math.Abs(s.PassedShare - s.FailedShare) }
