// Package bars holds the table of what in-mem is to reach, in one place, and judges results by it.
//
// The source is the project's design page on performance ("Bars"): a bar, and a first step to be
// passed on the way. Nearly all are ratios inside one run: to the best durable peer, to Pebble, to
// a limit. A second table says what in-mem may take beside time.
package bars

import "github.com/inmem-db/inmem/cmd/inmem-bench/internal/rows"

// Kind is what a figure is, and in which direction it is judged.
type Kind int

// The kinds. Those with a ratio use rates, paired by repeat.
const (
	// OfBest is the ratio to the best peer, OfPebble to the peer of that name, OfLimit to the limit
	// of the row: an unlocked Go map, or a raw log. At least.
	OfBest Kind = iota
	OfPebble
	OfLimit
	// Committed is the share of attempts that commit, in percent. At least.
	Committed
	// Allocations is the number of them per operation. At most.
	Allocations
	// Millis is the time of one operation, in milliseconds, Micros the median latency in
	// microseconds. At most.
	Millis
	Micros
	// Syncs is the 99th percentile of the latency, in median syncs of the raw log. At most.
	Syncs
	// Cost is the time of an operation beside that of the row Other of the same system. At most.
	Cost
	// Growth is what a view costs over a bare get, beside the same difference of the row Other. At
	// most.
	Growth
	// Figure is a metric of the workload, named by Other. At most.
	Figure
	// FigureOfPebble is the metric Other, a number of bytes, beside Pebble's. At most.
	FigureOfPebble
)

// Goal is one figure with what it has to reach. A bar or step below zero is none.
type Goal struct {
	Kind      Kind
	Bar, Step float64
	Other     string
}

// Row is one line of the table.
type Row struct {
	// Name is the workload's, Case the words of the table.
	Name, Case string
	Goals      []Goal
}

// none stands where a table has no bar, or no step.
const none = -1

func best(bar, step float64) Goal { return Goal{Kind: OfBest, Bar: bar, Step: step} }

func pebble(bar, step float64) Goal { return Goal{Kind: OfPebble, Bar: bar, Step: step} }

func ofPut(bar, step float64) Goal {
	return Goal{Kind: Cost, Bar: bar, Step: step, Other: "primitives/kv_put"}
}

func goals(g ...Goal) []Goal { return g }

// Table is the table of bars, in its order.
var Table = []Row{
	{"rows/get_hot", "get hot in a live run", goals(best(2.4, 1.2), ofMap, noAllocation)},
	{"rows/get_absent", "get absent in a live run", goals(best(2.4, 1.2), ofMap, noAllocation)},
	{"rows/get_uniform/10k", "get uniform 10K", goals(best(2.5, 1.2))},
	{"rows/get_uniform/10k_2g", "get uniform 10K, 2 goroutines", goals(best(3, 1.2))},
	{"rows/get_uniform/1m", "get uniform 1M, all in memory", goals(best(1.6, 1))},
	{"rows/put_overwrite", "put overwrite, batched", goals(best(2, none), pebble(none, .7))},
	{"rows/put_insert", "put insert, batched", goals(best(1.3, none), pebble(none, .7))},
	{"rows/txn_read10_write1/11", "txn read10+write1, 11 keys", goals(best(2.5, 1.2))},
	{"rows/txn_read10_write1/1m", "txn read10+write1, 1M keys", goals(best(2.5, 1.2))},
	{"rows/txn_read100_write1/101", "txn read100+write1, 101 keys", goals(best(1.8, 1.2))},
	{"rows/txn_read100_write1/1m", "txn read100+write1, 1M keys", goals(best(1.8, 1.2))},
	{"rows/multi_put/10", "multi_put 10", goals(best(1.9, .8))},
	{"rows/read_modify_write", "read-modify-write", goals(best(2, .8))},
	{"rows/cas", "CAS", goals(best(2, .8))},
	{"rows/same_key/4", "same key, 4 goroutines", goals(best(1, .5),
		Goal{Kind: Committed, Bar: 95, Step: none})},
	{"rows/disjoint_keys/8", "disjoint keys, 8 goroutines", goals(best(2, 1))},
	{"rows/strict/1", "strict, 1 committer", goals(Goal{Kind: OfLimit, Bar: .9, Step: .45})},
	{"rows/strict/8", "strict, 8 committers", goals(best(1.2, none), pebble(none, .75), tenSyncs)},
	{"rows/strict/64", "strict, 64 committers", goals(best(1.2, none), pebble(none, .75),
		tenSyncs)},
	{"rows/strict/256", "strict, 256 committers", goals(best(1.2, none), pebble(none, .75),
		tenSyncs)},
	{"rows/begin_read/1k", "begin + 1 read, 1K keys", goals(best(1.1, none))},
	{"rows/begin_read/1m", "begin + 1 read, 1M keys", goals(best(1.5, none),
		Goal{Kind: Growth, Bar: 1.5, Step: 1.5, Other: "1k"})},
	{"rows/begin_read/10m", "begin + 1 read, 10M keys", goals(
		Goal{Kind: Growth, Bar: 1.5, Step: 1.5, Other: "1k"})},
	{"rows/scan_100/10k", "prefix scan of 100, 10K keys", goals(best(1, .5))},
	{"rows/scan_100/1m", "prefix scan of 100, 1M keys", goals(best(1, .5))},
	{"rows/scan_full/10k", "full scan, 10K keys", goals(best(1, .5))},
	{"rows/scan_full/1m", "full scan, 1M keys", goals(best(1, .5))},
	{"rows/put_overwrite_30s", "put overwrite, batched, 30 s", goals(best(2, none),
		pebble(none, .7))},
	{"rows/put_insert_30s", "put insert, batched, 30 s", goals(best(1.3, none),
		pebble(none, .7))},
	{"rows/load/1m", "bulk load 1M", goals(best(1.25, none), pebble(none, .8))},
	{"rows/open_closed/1m", "open after close, 1M keys", goals(
		Goal{Kind: Millis, Bar: 30, Step: 100})},
	{"rows/open_killed/1m", "open after kill -9, 1M keys", goals(
		Goal{Kind: Millis, Bar: 500, Step: 1000})},
	{"primitives/event_append", "event append", goals(ofPut(1.6, 3))},
	{"primitives/cell_cas", "cell CAS", goals(ofPut(1.3, 2))},
	{"primitives/trace_minimal", "trace record", goals(ofPut(4, 8))},
	{"history/fork/1k", "fork into a namespace, 1K keys", goals(forkTime)},
	{"curves/keys/fork/10", "fork, 10 keys", goals(forkTime)},
	{"curves/keys/fork/1m", "fork, 1M keys", goals(ofFork)},
	{"curves/keys/fork/10m", "fork, 10M keys", goals(forkTime, ofFork)},
	{"curves/forks/fork/10k", "fork, 10,000 live forks", goals(forkTime)},
	{"rows/replay/100k", "replay with values", goals(Goal{Kind: OfLimit, Bar: .5, Step: .15})},
	{"curves/keys/replay_1k/1m", "replay, 1,000 times beside it", goals(
		Goal{Kind: Cost, Bar: 1.3, Step: none, Other: "curves/keys/replay_1k/10"})},
	{"rows/beyond_memory/20x", "dataset 20x the memory budget", goals(pebble(1, none),
		Goal{Kind: Figure, Other: rows.HeapMB, Bar: beyondLive, Step: none},
		Goal{Kind: Figure, Other: rows.ResidentMB, Bar: 2 * beyondLive, Step: none})},
	{"rows/memory/1m", "memory and GC, 1M keys", goals(perKey, collector, duringGC)},
	{"rows/memory/10m", "memory and GC, 10M keys", goals(perKey, collector, duringGC)},
	{"rows/written/1", "bytes written, single puts", goals(
		Goal{Kind: FigureOfPebble, Other: rows.WrittenBytes, Bar: 1.6, Step: 2})},
	{"rows/written/10", "bytes written, commits of ten", goals(
		Goal{Kind: FigureOfPebble, Other: rows.WrittenBytes, Bar: 1.25, Step: 2})},
	{"ycsb/a/1", "YCSB A, 1 goroutine", goals(best(2, none), pebble(none, 1))},
	{"ycsb/a/4", "YCSB A, 4 goroutines", goals(best(2, none), pebble(none, 1))},
	{"ycsb/b/1", "YCSB B, 1 goroutine", goals(best(2, none), pebble(none, 1))},
	{"ycsb/b/4", "YCSB B, 4 goroutines", goals(best(2, none), pebble(none, 1))},
	{"ycsb/c/1", "YCSB C, 1 goroutine", goals(best(1.1, none), pebble(none, 1))},
	{"ycsb/c/4", "YCSB C, 4 goroutines", goals(best(1.1, none), pebble(none, 1))},
	{"ycsb/d/1", "YCSB D, 1 goroutine", goals(best(1.3, none), pebble(none, 1))},
	{"ycsb/d/4", "YCSB D, 4 goroutines", goals(best(1.3, none), pebble(none, 1))},
	{"ycsb/e/1", "YCSB E, 1 goroutine", goals(best(1.3, none), pebble(none, 1))},
	{"ycsb/e/4", "YCSB E, 4 goroutines", goals(best(1.3, none), pebble(none, 1))},
	{"ycsb/f/1", "YCSB F, 1 goroutine", goals(best(2, none), pebble(none, 1))},
	{"ycsb/f/4", "YCSB F, 4 goroutines", goals(best(2, none), pebble(none, 1))},
}

var (
	ofMap        = Goal{Kind: OfLimit, Bar: .45, Step: none}
	noAllocation = Goal{Kind: Allocations, Bar: 0, Step: none}
	tenSyncs     = Goal{Kind: Syncs, Bar: 10, Step: none}
	forkTime     = Goal{Kind: Micros, Bar: 20, Step: 1000}
	ofFork       = Goal{Kind: Cost, Bar: 1.5, Step: none, Other: "curves/keys/fork/10"}
	perKey       = Goal{Kind: Figure, Other: rows.BytesPerKey, Bar: 100, Step: 150}
	collector    = Goal{Kind: Figure, Other: rows.CollectorCPU, Bar: 10, Step: none}
	duringGC     = Goal{Kind: Figure, Other: rows.GetDuringGC, Bar: 1.5, Step: none}
)

// beyondLive is what may be live with more data than memory, in MB: the budget, Pebble's cache and
// 60 MB.
const beyondLive = (64<<20+48<<20)/1e6 + 60
