package footprint_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/footprint"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/internal/invariants"
)

// run measures the workloads whose names begin so, each for a moment.
func run(t *testing.T, prefix string) []measure.Result {
	t.Helper()
	all := footprint.Workloads(measure.Config{Mode: "batched", Seed: measure.DefaultSeed})
	all = slices.DeleteFunc(all, func(w measure.Workload) bool {
		return !strings.HasPrefix(w.Name, footprint.Group+"/"+prefix)
	})
	var plan []measure.Case
	for _, w := range all {
		plan = append(plan, measure.Case{System: measure.System{Name: "inmem"}, Workload: w})
	}
	r := measure.Runner{Repeats: 1, Length: 5 * time.Millisecond, Dir: t.TempDir()}
	results, err := r.Run(context.Background(), plan)
	require.NoError(t, err)
	require.NotEmpty(t, results)
	return results
}

// hold says that everything in the table of the footprint that begins so is within its bound. A
// collection or a compaction at the wrong moment is forgiven twice.
func hold(t *testing.T, prefix string) {
	t.Helper()
	if invariants.Enabled || invariants.Race {
		t.Skip("the race detector and the assertions allocate themselves: ordinary builds count")
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the bounds are those of machines with words of 64 bits")
	}
	var missed error
	for range 3 {
		missed = nil
		seen := 0
		for _, v := range bars.Judge(bars.Footprint, run(t, prefix)) {
			seen++
			t.Logf("%s: %s, %s", v.Row.Name, v.Text, v.Goal.Limit(v.Goal.Bar))
			if v.Bar() != bars.Met {
				missed = errors.Join(missed, errors.New(v.Row.Name+": "+v.Text))
			}
		}
		require.NotZero(t, seen)
		if missed == nil {
			return
		}
	}
	require.NoError(t, missed)
}

// The allocations of every operation are within what the table says.
func TestAllocationsOfOperations(t *testing.T) { hold(t, "allocs/") }

// What is held open takes no more than the table says: memory, and goroutines.
func TestMemoryOfOpenThings(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: fills databases for some seconds; go test ./... runs it")
	}
	hold(t, "memory/")
}

// An open database has as many goroutines and descriptors as the table says, and leaves none.
func TestDatabaseAtRest(t *testing.T) { hold(t, "database/") }

// A program that uses the library is no larger than the table says.
func TestSizeOfASmallProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: compiles and links a program; go test ./... runs it")
	}
	hold(t, "binary/minimal_stripped")
}

// Every workload has its bound.
func TestEveryWorkloadIsInTheTable(t *testing.T) {
	var names, bound []string
	for _, w := range footprint.Workloads(measure.Config{}) {
		names = append(names, w.Name)
		require.True(t, w.Extra)
		require.LessOrEqual(t, len(w.About), 80, w.Name)
	}
	for _, row := range bars.Footprint {
		bound = append(bound, row.Name)
	}
	require.Equal(t, names, bound)
}
