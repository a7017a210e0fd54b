package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// headlines are the workloads that the summary speaks of, if they were measured.
var headlines = []struct{ name, says string }{
	{"engine_get/hot_key", "get one hot key"},
	{"engine_get/uniform", "get a random key"},
	{"engine_get/miss", "get an absent key"},
	{"engine_key_scaling/get_rotating/100k", "get one of 100,000"},
	{"engine_key_scaling/get_rotating/1m", "get one of 1,000,000"},
	{"engine_put/insert", "put a new key"},
	{"engine_put/overwrite_uniform", "overwrite a key"},
	{"txn_commit/multi_put/10", "txn of 10 puts"},
	{"txn_commit/read_modify_write", "txn get and put"},
	{"txn_commit/readN_write1/10", "txn read 10 write 1"},
	{"txn_cas/success_sequential", "compare-and-set"},
	{"snapshot/single_read", "snapshot and one get"},
	{"conflict/disjoint_keys/4", "put, 4 goroutines"},
	{"conflict/same_key/4", "same key, 4 at once"},
	{"durability/strict_put/1", "strict put, alone"},
	{"durability/strict_put/8", "strict put, 8 at once"},
	{"durability/strict_put/64", "strict put, 64 at once"},
}

// Summary writes what was measured, where and how, and the headline figures.
func (r *Report) Summary(w io.Writer, s Style) error {
	var b strings.Builder
	b.WriteString(s.Bold("Summary") + "\n")
	for _, line := range r.lines() {
		if line[1] != "" {
			fmt.Fprintf(&b, "  %-11s %s\n", line[0], wrap(line[1], Width, 14))
		}
	}
	r.headlines(&b, s)
	if r.Ended == "" {
		b.WriteString("\nAll results were checked and right.")
	} else {
		fmt.Fprintf(&b, "\nNot everything was measured: %s. What is shown was checked and right.",
			r.Ended)
	}
	fmt.Fprintf(&b, " It took %.0f s.\n", r.Elapsed.Seconds())
	return writeTrimmed(w, b.String())
}

// headlines writes the figures that people ask for first, if any of them was measured.
func (r *Report) headlines(b *strings.Builder, s Style) {
	header := s.Bold(fmt.Sprintf("  %-22s %9s %8s %8s  compared", "operation", "per s", "p50", "p99"))
	for _, h := range headlines {
		res := r.find(h.name, false)
		if res == nil {
			continue
		}
		if header != "" {
			fmt.Fprintf(b, "\n%s\n", header)
			header = ""
		}
		l := res.Latency()
		fmt.Fprintf(b, "  %-22s %9s %8s %8s  %s\n", h.says, Rate(res.Rate().Median),
			Duration(l.Quantile(.5)), Duration(l.Quantile(.99)), r.compared(res))
	}
}

// lines are what a figure means nothing without; a line without text has nothing to say.
func (r *Report) lines() [][2]string {
	return [][2]string{
		{"measured", r.measured()},
		{"durability", durability(r.Config.Mode, r.anyOther())},
		{"machine", r.machine()},
		{"method", r.method()},
		{"limits", r.limits()},
		{"caution", r.caution()},
		{"systems", r.rivals()},
	}
}

// rivals says what the peers are, and what each does for durability.
func (r *Report) rivals() string {
	if !r.HasPeers() {
		return ""
	}
	used := map[string]bool{}
	for i := range r.Results {
		used[r.Results[i].Mode] = true
	}
	var list []string
	for _, s := range r.systems() {
		if s.Limit {
			continue
		}
		text := s.Name + " " + s.Version
		for _, mode := range []string{"batched", "strict"} {
			if says := s.Durability[mode]; says != "" && used[mode] {
				text += ", " + mode + ": " + says
			}
		}
		list = append(list, text)
	}
	return strings.Join(list, ". ")
}

// measured says on which data.
func (r *Report) measured() string {
	values := "int64 values"
	if r.Config.ValueSize > 0 {
		values = fmt.Sprintf("values of %s bytes", Grouped(r.Config.ValueSize))
	}
	var parts []string
	original, extra := 0, map[string]bool{}
	for _, res := range r.subjects() {
		group, _, _ := strings.Cut(res.Name, "/")
		if extra[group] = true; extraData[group] == "" {
			original++
			extra[group] = false
		}
	}
	if original > 0 {
		parts = append(parts, fmt.Sprintf("in-mem through its public API, %d cases; keys like "+
			"key_000042, %s, %s keys in the larger databases, memory budget %s; one goroutine unless "+
			"the name says more", original, values, Grouped(r.Config.Keys), Size(r.Config.Memory)))
	}
	for _, group := range []string{"vector", "rows", "curves", "footprint", "ycsb"} {
		if extra[group] {
			parts = append(parts, extraData[group])
		}
	}
	return strings.Join(parts, "; ")
}

// extraData is the data of the groups that do not follow the flags.
var extraData = map[string]string{
	"vector": "vector: clustered sets made from the seed, or files, rows by dimensions and number; " +
		"searches for the 10 nearest, recall@10 by exact answers; one goroutine",
	"rows": "rows: keys of 40 bytes, values of 100, every system in one run of the same operations; " +
		"caches and buffers of each together at most 1 GiB, all data fits; one goroutine unless the " +
		"name says more",
	"curves": "curves: keys of some 17 bytes, values of 100, all of it in memory; a million keys in " +
		"all runs together where runs are counted, 10,000 where forks or goroutines are",
	"footprint": "footprint: keys of 40 bytes, values of 100, memory budget 512 MiB; heap and " +
		"stacks after a collection, allocations of the whole process",
	"ycsb": "ycsb: a million records of 1,000 bytes, zipfian, caches and buffers at most 4 GB; the " +
		"number in the name is that of the goroutines",
}

// anyOther says that some workload ran in another mode than the configured one.
func (r *Report) anyOther() bool {
	for _, res := range r.subjects() {
		if res.Mode != "" && res.Mode != r.Config.Mode {
			return true
		}
	}
	return false
}

// durability says what the mode promises, in the words of the API.
func durability(mode string, others bool) string {
	text := map[string]string{
		"strict":  "every commit is on disk before it returns",
		"batched": "a commit returns before it is on disk, which follows within 100 ms or 1,000 commits",
		"async":   "a commit returns before it is on disk, which follows within a second",
		"none":    "nothing is ever written to disk",
	}[mode]
	text = mode + ": " + text
	if others {
		text += "; where a workload's name says another mode, that one holds (strict: every commit is " +
			"on disk before it returns)"
	}
	return text
}

func (r *Report) machine() string {
	m := r.Machine
	text := fmt.Sprintf("%s, %d cores, GOMAXPROCS %d, %s/%s %s, %s", m.CPU, m.Cores, m.MaxProcs,
		m.OS, m.Arch, m.Kernel, m.Go)
	if m.Filesystem != "" {
		text += ", databases on " + m.Filesystem
	}
	if m.Load != "" {
		text += ", load at the start " + m.Load
	}
	return text
}

func (r *Report) method() string {
	return fmt.Sprintf("seed %#x; %d repeats of %s per workload, interleaved, each on a new "+
		"database; per s: median of the repeats, ± half the distance of the extremes; p50, p99: over "+
		"all repeats, of operations faster than 2 µs a sample; allocs: per operation, the harness and "+
		"background work included", r.Config.Seed, r.Repeats, r.Length.Round(time.Millisecond))
}

// limits explains what the results are compared with.
func (r *Report) limits() string {
	var list []string
	for _, name := range []string{"go-map", "raw-sync", "plain-scan"} {
		for i := range r.Results {
			if r.Results[i].System.Name == name {
				list = append(list, limitAbout[name])
				break
			}
		}
	}
	return strings.Join(list, "; ")
}

var limitAbout = map[string]string{
	"go-map": "go-map is a Go map without a lock, read by one goroutine in the same way",
	"raw-sync": "raw-sync is a log of that much user data, written and synced record by record by " +
		"one goroutine (fdatasync where there is one); several committers beat it by sharing syncs",
	"plain-scan": "plain-scan is Pebble alone that reads the same entries of the same files",
}

// caution says what makes the figures worth less than they seem.
func (r *Report) caution() string {
	var list []string
	if r.Ended != "" {
		list = append(list, "the run ended early, results are missing: "+r.Ended)
	}
	if r.Machine.Busy {
		list = append(list, "other processes were using the machine: trust ratios more than times")
	}
	if r.Machine.InMemory {
		list = append(list, "the databases lie in a file system in memory: durable means nothing there, "+
			"choose a disk with -dir")
	}
	if r.Repeats < 3 {
		list = append(list, "with fewer than 3 repeats a median says little")
	}
	return strings.Join(list, "; ")
}

// compared puts a result beside its limit, or gives its further figures.
func (r *Report) compared(res *measure.Result) string {
	var parts []string
	for _, m := range res.Metrics() {
		parts = append(parts, figure(m))
	}
	if ratio, name, ok := res.Ratio(r.Results); ok {
		if limit := r.find(res.Name, true); limit != nil {
			parts = append(parts, fmt.Sprintf("%.2f of %s (%s)", ratio.Median, limitWords(name),
				Rate(limit.Rate().Median)))
		}
	}
	return cut(strings.Join(parts, ", "), Width-54)
}

// limitWords names a limit for people.
func limitWords(name string) string {
	switch name {
	case "go-map":
		return "a Go map"
	case "raw-sync":
		return "a raw log"
	}
	return name
}
