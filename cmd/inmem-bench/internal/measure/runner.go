package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"time"
)

// Runner measures a plan.
type Runner struct {
	// Repeats is how often each case is measured, Length how long the timed part of each repeat is.
	Repeats int
	Length  time.Duration
	// Dir is an existing directory for the databases; each trial gets an empty one below it.
	Dir string
	// Progress, if set, is told before each trial which one of how many it is.
	Progress func(Step)
}

// Step is one trial of a plan that is about to begin.
type Step struct {
	// Number counts from 0 to Of-1, Repeat from 0 to Repeats-1.
	Number, Of      int
	Repeat, Repeats int
	// Cases is the number of cases whose repeats are interleaved with this one's.
	Cases        int
	System, Name string
}

// Case is a workload of a system. Cases with the same name stand next to each other in a plan.
type Case struct {
	System System
	Workload
}

// Result is what all repeats of a case gave.
type Result struct {
	Case
	Samples []*Sample
}

// Plan puts the workloads of all systems into one list: in the order of the first system that
// names them, the systems side by side.
func Plan(systems []System, cfg Config) []Case {
	var plan []Case
	for _, s := range systems {
		for _, w := range s.Workloads(cfg) {
			at := len(plan)
			for i, c := range plan {
				if c.Name == w.Name {
					at = i + 1
				}
			}
			plan = slices.Insert(plan, at, Case{s, w})
		}
	}
	return plan
}

// Run measures all cases. The repeats are interleaved: each case once, then each once more; where
// neighbouring cases share a fixture, all their repeats come before the next fixture is made. Of
// those with the same name the order changes from repeat to repeat, so that none has always the
// warmer or the busier machine.
//
// When ctx ends, Run returns its cause soon and leaves nothing open. The first error ends the run:
// it names the case. With either come the results that were whole by then: of the cases that were
// being measured those repeats that all of them had.
func (r *Runner) Run(ctx context.Context, plan []Case) ([]Result, error) {
	results := make([]Result, len(plan))
	for i, c := range plan {
		results[i].Case = c
	}
	done, of := 0, 0
	for i := range plan {
		of += r.repeats(&plan[i])
	}
	for from, to := 0, 0; from < len(plan); from = to {
		for to = from; to < len(plan) && plan[to].fixtureName() == plan[from].fixtureName(); {
			to++
		}
		if whole, err := r.section(ctx, results[from:to], &done, of); err != nil {
			return append(results[:from], cutTo(results[from:to], whole)...), err
		}
	}
	return results, nil
}

// repeats is how often a case is measured.
func (r *Runner) repeats(c *Case) int {
	if c.Repeats > 0 {
		return min(c.Repeats, r.Repeats)
	}
	return r.Repeats
}

// cutTo drops the samples behind so many repeats, and results without any.
func cutTo(results []Result, repeats int) []Result {
	for i := range results {
		results[i].Samples = results[i].Samples[:min(repeats, len(results[i].Samples))]
	}
	return slices.DeleteFunc(results, func(r Result) bool { return len(r.Samples) == 0 })
}

// section measures neighbouring cases that have the same fixture, or none, and says how many
// repeats of all of them are whole.
func (r *Runner) section(ctx context.Context, cases []Result, done *int, of int) (whole int,
	err error) {
	f := fixtures{dir: r.Dir}
	defer func() {
		if e := f.close(); e != nil {
			err = errors.Join(err, e)
		}
	}()
	for repeat := range r.Repeats {
		for _, i := range order(cases, repeat) {
			c := &cases[i].Case
			if repeat >= r.repeats(c) {
				continue
			}
			if r.Progress != nil {
				r.Progress(Step{*done, of, repeat, r.Repeats, len(cases), c.System.Name, c.Name})
			}
			err := f.need(ctx, c)
			var sample *Sample
			if err == nil {
				sample, err = r.trial(ctx, c)
			}
			if ctx.Err() != nil {
				return repeat, context.Cause(ctx)
			}
			if err != nil {
				return repeat, fmt.Errorf("%s (%s), repeat %d: %w", c.Name, c.System.Name, repeat+1, err)
			}
			cases[i].Samples = append(cases[i].Samples, sample)
			*done++
		}
	}
	return r.Repeats, nil
}

// order lists the cases, those of one name turned round in every other repeat.
func order(plan []Result, repeat int) []int {
	var list []int
	for from := 0; from < len(plan); {
		to := from
		for to < len(plan) && plan[to].Name == plan[from].Name {
			list = append(list, to)
			to++
		}
		if repeat%2 == 1 {
			slices.Reverse(list[from:])
		}
		from = to
	}
	return list
}

// trial does one repeat of one case in a directory of its own, which is gone afterwards.
func (r *Runner) trial(ctx context.Context, c *Case) (s *Sample, err error) {
	dir := filepath.Join(r.Dir, "trial")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t, err := c.Setup(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("setup: %w", err)
	}
	if t.Close != nil {
		defer func() {
			if e := t.Close(); e != nil {
				err = errors.Join(err, fmt.Errorf("close: %w", e))
			}
		}()
	}
	labels := pprof.Labels("workload", c.Name, "system", c.System.Name)
	return t.measure(pprof.WithLabels(ctx, labels), &c.Workload, max(r.Length, c.Least))
}
