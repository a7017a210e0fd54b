// Package report shows what was measured: a progress bar, a table with a summary for people, JSON
// for programs, and Go benchmark lines for benchstat.
package report

import (
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/machine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// Report is everything that one invocation found out.
type Report struct {
	Machine machine.Machine
	Config  measure.Config
	// Command is the command line, Started and Elapsed when it ran and how long.
	Command []string
	Started time.Time
	Elapsed time.Duration
	// Repeats and Length are how often and how long each workload was measured.
	Repeats int
	Length  time.Duration
	Results []measure.Result
	// Ended says what ended the run before everything was measured; empty if nothing did.
	Ended string
}

// find returns the result of a workload: of the first system that is not a limit, or of the limit.
func (r *Report) find(name string, limit bool) *measure.Result {
	for i := range r.Results {
		if res := &r.Results[i]; res.Name == name && res.System.Limit == limit {
			return res
		}
	}
	return nil
}

// subjects lists the results that are not limits, in order.
func (r *Report) subjects() []*measure.Result {
	var list []*measure.Result
	for i := range r.Results {
		if !r.Results[i].System.Limit {
			list = append(list, &r.Results[i])
		}
	}
	return list
}
