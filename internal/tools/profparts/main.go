// Command profparts says where the time goes: it reads a CPU profile of inmem-bench and prints, for
// each workload in it, the shares of the layers as a Markdown table.
//
//	inmem-bench -workloads rows/get_hot,rows/put_insert -cpuprofile cpu.prof
//	profparts cpu.prof
//
// Samples belong to a workload by the labels that inmem-bench sets; what runs in the background
// (flushes, compactions, the garbage collector) has none and is not counted. A sample counts for
// the first layer of the list below that has a function on its stack.
package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// layer is a part of the system, known by words in the names of its functions.
type layer struct {
	name  string
	words []string
	// near: only the innermost functions of a stack count, for what others call on their way.
	near bool
}

// nearby is how many of the innermost functions layers with near look at.
const nearby = 6

var layers = []layer{
	{name: "allocation", words: []string{"runtime.mallocgc", "runtime.growslice"}},
	{name: "Pebble", words: []string{"cockroachdb/pebble"}},
	{name: "memtable", words: []string{"internal/memtable"}},
	{name: "codec", words: []string{"pkg/codec"}},
	{name: "clock", words: []string{"nanotime", "runtimeNow", "time.Now", "risingClock"}, near: true},
	{name: "waiting", words: []string{"runtime.futex", "runtime.gopark", "runtime.schedule",
		"sync.(*Mutex)", "internal/sync.(*Mutex)"}, near: true},
	{name: "engine", words: []string{"internal/embedded"}},
	{name: "transaction", words: []string{"pkg/txn"}},
	{name: "primitive", words: []string{"pkg/primitives", "pkg/db"}},
	{name: "harness", words: []string{"cmd/inmem-bench"}},
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "profparts:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: profparts PROFILE, found %d arguments", len(args))
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return report(w, p)
}

// share is what one workload spent, by layer.
type share struct {
	workload string
	total    int64
	parts    map[string]int64
}

// report prints the table, workloads in the order of their names.
func report(w io.Writer, p *profile.Profile) error {
	shares := map[string]*share{}
	for _, s := range p.Sample {
		name := s.Label["workload"]
		if len(name) == 0 || !slices.Equal(s.Label["system"], []string{"inmem"}) {
			continue
		}
		sh := shares[name[0]]
		if sh == nil {
			sh = &share{workload: name[0], parts: map[string]int64{}}
			shares[name[0]] = sh
		}
		v := s.Value[len(s.Value)-1]
		sh.total += v
		sh.parts[layerOf(s)] += v
	}
	if len(shares) == 0 {
		return fmt.Errorf("no sample has the labels workload and system=inmem")
	}
	sorted := make([]*share, 0, len(shares))
	for _, sh := range shares {
		sorted = append(sorted, sh)
	}
	slices.SortFunc(sorted, func(a, b *share) int { return cmp.Compare(a.workload, b.workload) })
	fmt.Fprintln(w, "| Workload | CPU seconds | Shares |")
	fmt.Fprintln(w, "|---|---|---|")
	for _, sh := range sorted {
		fmt.Fprintf(w, "| %s | %.2f | %s |\n", sh.workload, float64(sh.total)/1e9, sh.text())
	}
	return nil
}

// text names the layers with at least one percent, the largest first.
func (sh *share) text() string {
	names := make([]string, 0, len(sh.parts))
	for name := range sh.parts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(sh.parts[b], sh.parts[a]), cmp.Compare(a, b))
	})
	var out []string
	for _, name := range names {
		if percent := 100 * sh.parts[name] / max(1, sh.total); percent > 0 {
			out = append(out, fmt.Sprintf("%s %d %%", name, percent))
		}
	}
	return strings.Join(out, ", ")
}

// layerOf is the layer that a sample counts for.
func layerOf(s *profile.Sample) string {
	stack := functions(s)
	for _, l := range layers {
		frames := stack
		if l.near {
			frames = stack[:min(nearby, len(stack))]
		}
		for _, f := range frames {
			if slices.ContainsFunc(l.words, func(w string) bool { return strings.Contains(f, w) }) {
				return l.name
			}
		}
	}
	return "runtime"
}

// functions are the names on a sample's stack, innermost first, inlined ones included.
func functions(s *profile.Sample) []string {
	var names []string
	for _, loc := range s.Location {
		for _, line := range loc.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	return names
}
