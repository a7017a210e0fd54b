package transcript

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// StepMatch says when two runs took the same step.
type StepMatch uint8

const (
	// ByArguments: they called the same tool with equal arguments.
	ByArguments StepMatch = iota
	// ByTool: they called the same tool.
	ByTool
)

// CompareOptions configure Compare. The zero value has the defaults.
type CompareOptions struct {
	// Match says when two runs took the same step.
	Match StepMatch
	// Ignore names tools whose calls are no steps: those that change nothing and tell nothing.
	Ignore []string
	// MaxSteps is how many steps of a run are looked at; default 1000.
	MaxSteps int

	_ struct{}
}

// Step is one tool call, as far as runs have it in common.
type Step struct {
	// Tool is the name of the tool; Digest the first 12 hex digits of the SHA-256 of the arguments in
	// the encoding of values, empty when only tools are compared.
	Tool   string `json:"tool"`
	Digest string `json:"digest,omitempty"`
	// Arguments are the arguments as JSON, cut to 200 bytes.
	Arguments string `json:"arguments,omitempty"`

	_ struct{}
}

// String is the tool with its arguments.
func (s Step) String() string {
	if s.Arguments == "" {
		return s.Tool
	}
	return s.Tool + " " + s.Arguments
}

// Branch is a step in the tree of a Comparison: all runs in it took the same steps up to here.
type Branch struct {
	// Step is the step that leads here; empty at the root.
	Step Step `json:"step"`
	// Runs are how many came here; Passed and Failed how many of them are completed, and failed.
	Runs   int `json:"runs"`
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	// Share is the share of those that came to the step before.
	Share float64 `json:"share"`
	// Errors is in how many of the runs this call failed.
	Errors int `json:"errors"`
	// Ended are the runs that made no further call, EndedPassed and EndedFailed how they ended.
	Ended       int `json:"ended"`
	EndedPassed int `json:"ended_passed"`
	EndedFailed int `json:"ended_failed"`
	// Next are the steps that were taken from here, that of most runs first.
	Next []*Branch `json:"next,omitempty"`

	ended []int // the runs, by their place in Comparison.Runs
	all   []int

	_ struct{}
}

// Comparison says what several runs did in common, and where they parted.
type Comparison struct {
	// Runs are those that were compared, by task, trial and id; Passed and Failed how many of them
	// are completed, and failed.
	Runs   []ComparedRun `json:"runs"`
	Passed int           `json:"passed"`
	Failed int           `json:"failed"`
	// Tree is what they did, from the beginning.
	Tree *Branch `json:"tree"`
	// Divergences are the places at which failed runs left the way of runs that passed, those of most
	// failed runs first. Every failed run leaves it once, unless it is in SameSteps: it took exactly
	// the steps of one that passed. Both are empty if none passed.
	Divergences []Divergence `json:"divergences"`
	SameSteps   []string     `json:"same_steps,omitempty"`
	// Telling are the steps that tell passing from failing runs, wherever they were taken: those
	// whose shares differ most first, at most 50. Empty unless some passed and some failed.
	Telling []StepShare `json:"telling"`

	_ struct{}
}

// ComparedRun is one of the runs of a Comparison.
type ComparedRun struct {
	// Run is the id of the run, Task and Trial what it attempted, Status that of the run.
	Run    string `json:"run"`
	Task   string `json:"task,omitempty"`
	Trial  string `json:"trial,omitempty"`
	Status string `json:"status"`
	// Steps is how many steps of it were compared.
	Steps int `json:"steps"`

	status inmem.Status
	path   []taken

	_ struct{}
}

// Path yields the steps of the run in the order in which it took them, and whether the call failed:
// those that Compare looked at.
func (r *ComparedRun) Path() iter.Seq2[Step, bool] {
	return func(yield func(Step, bool) bool) {
		for _, t := range r.path {
			if !yield(t.step, t.failed) {
				return
			}
		}
	}
}

// taken is a step of one run.
type taken struct {
	step   Step
	failed bool
}

// Divergence is a place at which failed runs left the way of runs that passed.
type Divergence struct {
	// After are the steps that they had in common.
	After []Step `json:"after"`
	// Failed is what the failed runs did next that none of those which passed did there, Passed what
	// those did.
	Failed []Choice `json:"failed"`
	Passed []Choice `json:"passed"`

	_ struct{}
}

// Choice is what some runs did next.
type Choice struct {
	// Step is the step; nil if they ended there.
	Step *Step `json:"step"`
	// Runs are the ids of the runs, in the order of Comparison.Runs.
	Runs []string `json:"runs"`

	_ struct{}
}

// StepShare is how many runs took a step, wherever they did.
type StepShare struct {
	Step Step `json:"step"`
	// Passed and Failed are how many of the runs that passed, and that failed, took it; PassedShare
	// and FailedShare are their shares of all that passed, and that failed.
	Passed      int     `json:"passed"`
	Failed      int     `json:"failed"`
	PassedShare float64 `json:"passed_share"`
	FailedShare float64 `json:"failed_share"`

	_ struct{}
}

// Compare puts the tool calls of the selected runs beside each other: usually the trials of one
// task. A run passed if it is completed, and failed if it is failed; others are in the tree, but in
// no count of either. The same runs give the same result. See Tasks for the query and errors;
// inmem.ErrInvalidArgument also for negative options.
//
// Cost: it reads the tool calls of the runs; memory for a step of each of them.
func Compare(ctx context.Context, d *inmem.DB, q inmem.RunQuery, o CompareOptions,
) (*Comparison, error) {
	if o.MaxSteps < 0 || o.Match > ByTool {
		return nil, fmt.Errorf("compare runs: %w: at most %d steps, match %d",
			inmem.ErrInvalidArgument, o.MaxSteps, o.Match)
	}
	if o.MaxSteps == 0 {
		o.MaxSteps = 1000
	}
	c := &Comparison{Runs: []ComparedRun{}, Divergences: []Divergence{}, Telling: []StepShare{}}
	err := eachRun(ctx, d, q, func(info *inmem.RunInfo, run *inmem.Run) error {
		r := ComparedRun{Run: info.ID, Status: info.Status.String(), status: info.Status}
		r.Task, r.Trial = TaskOf(info)
		if err := r.read(ctx, run, &o); err != nil {
			return err
		}
		c.Runs = append(c.Runs, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare runs: %w", err)
	}
	slices.SortFunc(c.Runs, func(a, b ComparedRun) int {
		return cmp.Or(compareWords(a.Task, b.Task), compareWords(a.Trial, b.Trial),
			strings.Compare(a.Run, b.Run))
	})
	c.grow()
	c.diverge(c.Tree, nil)
	slices.SortStableFunc(c.Divergences, func(a, b Divergence) int {
		return cmp.Or(cmp.Compare(runsOf(b.Failed), runsOf(a.Failed)),
			cmp.Compare(len(a.After), len(b.After)))
	})
	c.tell()
	return c, nil
}

// maxArguments is the most bytes of arguments that a step shows.
const maxArguments = 200

// read takes the steps of a run, in the order of their start.
func (r *ComparedRun) read(ctx context.Context, run *inmem.Run, o *CompareOptions) error {
	filter := inmem.SpanFilter{Type: inmem.SpanToolCall}
	for s, err := range run.Traces().List(ctx, filter) {
		if err != nil {
			return err
		}
		if slices.Contains(o.Ignore, s.Name) {
			continue
		}
		if r.Steps == o.MaxSteps {
			break
		}
		step := Step{Tool: strings.Clone(s.Name)}
		if arguments, ok := s.Attributes.Lookup(attrArguments); ok && o.Match == ByArguments {
			encoded, err := codec.AppendValue(nil, arguments)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(encoded)
			step.Digest = hex.EncodeToString(sum[:6])
			step.Arguments = clipTo(arguments.String(), maxArguments)
		}
		r.Steps++
		r.path = append(r.path, taken{step, s.Failed()})
	}
	return nil
}
