package bars

import "github.com/inmem-db/inmem/cmd/inmem-bench/internal/footprint"

func figure(name string, most float64) Goal {
	return Goal{Kind: Figure, Other: name, Bar: most, Step: none}
}

func allocations(most float64) Goal { return Goal{Kind: Allocations, Bar: most, Step: none} }

// Footprint is the table of what in-mem may take beside time. The bounds lie somewhat above what
// was measured when they were written, on linux/amd64: they tell of growth that nobody wanted.
// Times have none here; those of a million keys stand in Table.
var Footprint = []Row{
	// With what every database has besides: the queue to the store alone may hold a mebibyte.
	{"footprint/memory/key", "key of 40 bytes with 100", goals(figure(footprint.BytesEach, 400))},
	{"footprint/memory/begun_run", "run, begun", goals(figure(footprint.BytesEach, 3500))},
	{"footprint/memory/found_run", "handle of a run", goals(figure(footprint.BytesEach, 200))},
	{"footprint/memory/view", "open view", goals(figure(footprint.BytesEach, 320),
		figure(footprint.GoroutinesEach, 0))},
	{"footprint/memory/transaction", "open transaction", goals(
		figure(footprint.BytesEach, 6000), figure(footprint.GoroutinesEach, 0))},
	{"footprint/memory/watch", "waiting watch", goals(
		figure(footprint.BytesEach, 12_000), figure(footprint.GoroutinesEach, 1))},
	{"footprint/memory/fork", "fork of a run", goals(figure(footprint.BytesEach, 4500))},
	{"footprint/database/new", "new database, open", goals(
		figure(footprint.Goroutines, 12), figure(footprint.Descriptors, 10),
		figure(footprint.HeapKB, 2000))},
	{"footprint/database/10k", "database of 10,000 keys, open", goals(
		figure(footprint.Goroutines, 12), figure(footprint.Descriptors, 12),
		figure(footprint.HeapKB, 5000))},
	{"footprint/binary/inmem", "binary of inmem", goals(figure(footprint.BinaryMB, 45))},
	{"footprint/binary/inmem-bench", "binary of inmem-bench", goals(
		figure(footprint.BinaryMB, 45))},
	{"footprint/binary/minimal", "binary of a small program", goals(
		figure(footprint.BinaryMB, 36))},
	{"footprint/binary/minimal_stripped", "the same, stripped", goals(
		figure(footprint.BinaryMB, 24))},
	{"footprint/allocs/get", "get", goals(allocations(0))},
	{"footprint/allocs/get_absent", "get of an absent key", goals(allocations(0))},
	{"footprint/allocs/put", "put", goals(allocations(3))},
	{"footprint/allocs/txn_get_put", "transaction of a get and a put", goals(allocations(8))},
	{"footprint/allocs/begin", "begin and rollback", goals(allocations(8))},
	{"footprint/allocs/view", "view and a get", goals(allocations(4))},
	{"footprint/allocs/append", "event append", goals(allocations(4))},
	{"footprint/allocs/cell_cas", "cell compare-and-swap", goals(allocations(4))},
	{"footprint/allocs/span", "trace record", goals(allocations(20))},
	{"footprint/allocs/scan_1000", "scan of a thousand keys", goals(allocations(8))},
	{"footprint/allocs/fork", "fork", goals(allocations(90))},
}
