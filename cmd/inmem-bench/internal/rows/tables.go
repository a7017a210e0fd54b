package rows

import (
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// puts write into a database of their own.
func (m *maker) puts() []measure.Workload {
	const n = 10_000
	own := func(n, workers int, p func(engine.Store) *measure.Trial) measure.Workload {
		return measure.Workload{Workers: workers, Setup: m.fresh(n, workers, m.mode(), p)}
	}
	return []measure.Workload{
		m.writing("put_overwrite", "put a random one of 10,000 keys", 1,
			own(n, 1, m.overwriteTrial(n))),
		m.writing("put_insert", "put a new key, in random order", 1, own(0, 1, insertTrial(1, 1))),
		m.writing("multi_put/10", "transaction that puts 10 new keys", 10,
			own(0, 1, insertTrial(1, 10))),
		m.writing("read_modify_write", "transaction that adds one to a key", 1,
			own(0, 1, countTrial(1))),
		m.writing("cas", "read a key, compare, and set it if it still is the same", 1,
			own(0, 1, casTrial)),
	}
}

// contention is several goroutines that write.
func (m *maker) contention() []measure.Workload {
	return []measure.Workload{
		m.writing("same_key/4", "4 goroutines add one to the same key, each until it commits", 1,
			measure.Workload{Workers: 4, Setup: m.fresh(0, 4, m.mode(), countTrial(4))}),
		m.writing("disjoint_keys/8", "8 goroutines put new keys of their own", 1,
			measure.Workload{Workers: 8, Setup: m.fresh(0, 8, m.mode(), insertTrial(8, 1))}),
	}
}

// strict commits with a sync each, whatever the configured mode. Limits keep nothing, so they have
// no part in it.
func (m *maker) strict() []measure.Workload {
	if m.e.Limit {
		return nil
	}
	var all []measure.Workload
	for _, n := range []int{1, 8, 64, 256} {
		all = append(all, m.writing(fmt.Sprintf("strict/%d", n),
			fmt.Sprintf("%d goroutines put new keys of their own, every commit synced", n), 1,
			measure.Workload{
				Mode: engine.Strict, Workers: n,
				Setup: m.fresh(0, n, engine.Strict, insertTrial(n, 1)),
			}))
	}
	return all
}

// small are the rows with 11 keys present, and a hundred.
func (m *maker) small() []measure.Workload {
	eleven, hundred := m.fixture("11 keys", 11), m.fixture("101 keys", 101)
	return []measure.Workload{
		m.on(eleven, "txn_read10_write1/11", "transaction: 10 reads and 1 write, 11 keys present",
			measure.Workload{}, m.readWriteTrial(10)),
		m.on(hundred, "txn_read100_write1/101", "transaction: 100 reads and 1 write, 101 keys present",
			measure.Workload{}, m.readWriteTrial(100)),
	}
}

// thousand are the rows with 1,000 keys present.
func (m *maker) thousand() []measure.Workload {
	f := m.fixture("1K keys", 1000)
	return m.durable([]measure.Workload{
		m.on(f, "begin_read/1k", "snapshot and 1 random get, 1,000 keys present",
			measure.Workload{}, m.viewTrial),
	})
}

// durable leaves rows out that a limit has no measure for.
func (m *maker) durable(rows []measure.Workload) []measure.Workload {
	if m.e.Limit {
		return nil
	}
	return rows
}

// tenThousand are the rows with 10,000 keys present.
func (m *maker) tenThousand() []measure.Workload {
	const n = 10_000
	f := m.fixture("10K keys", n)
	all := []measure.Workload{
		m.on(f, "get_hot", "get the middle one of 10,000 keys", measure.Workload{}, m.hotTrial),
		m.on(f, "get_absent", "get an absent key, 10,000 others present",
			measure.Workload{}, m.absentTrial),
		m.on(f, "get_uniform/10k", "get a random one of 10,000 keys",
			measure.Workload{}, m.uniformTrial(1)),
		m.on(f, "get_uniform/10k_2g", "the same by 2 goroutines at once",
			measure.Workload{Workers: 2}, m.uniformTrial(2)),
	}
	return append(all, m.durable([]measure.Workload{
		m.on(f, "scan_100", "read 100 neighbouring keys by their prefix, 10,000 present",
			measure.Workload{}, m.scanTrial),
		m.on(f, "scan_full", "read 10,000 keys in order",
			measure.Workload{Units: n, Unit: "keys"}, m.fullScanTrial),
	})...)
}

// million are the rows with 1,000,000 keys present.
func (m *maker) million() []measure.Workload {
	const n = 1_000_000
	f := m.fixture("1M keys", n)
	all := []measure.Workload{
		m.on(f, "get_uniform/1m", "get a random one of 1,000,000 keys",
			measure.Workload{}, m.uniformTrial(1)),
		m.on(f, "txn_read10_write1/1m", "transaction: 10 reads and 1 write, 1M keys present",
			measure.Workload{}, m.readWriteTrial(10)),
		m.on(f, "txn_read100_write1/1m", "transaction: 100 reads and 1 write, 1M keys present",
			measure.Workload{}, m.readWriteTrial(100)),
	}
	return append(all, m.durable([]measure.Workload{
		m.on(f, "begin_read/1m", "snapshot and 1 random get, 1,000,000 keys present",
			measure.Workload{}, m.viewTrial),
		m.reopen(f, "open_killed/1m", "open a copy of the files of an open database, and get a key",
			false),
		m.reopen(f, "open_closed/1m", "open after a close, and get a key; 1,000,000 keys", true),
	})...)
}
