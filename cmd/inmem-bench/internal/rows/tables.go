package rows

import (
	"fmt"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// own is a row on a database of its own, with n keys in it.
func (m *maker) own(n, workers int, p func(engine.Store) *measure.Trial) measure.Workload {
	return measure.Workload{Workers: workers, Setup: m.fresh(n, workers, m.mode(), p)}
}

// puts write into a database of their own.
func (m *maker) puts() []measure.Workload {
	const n = 10_000
	return []measure.Workload{
		m.writing("put_overwrite", "put a random one of 10,000 keys", 1,
			m.own(n, 1, m.overwriteTrial(n))),
		m.writing("put_insert", "put a new key, in random order", 1,
			m.own(0, 1, insertTrial(1, 1))),
		m.writing("multi_put/10", "transaction that puts 10 new keys", 10,
			m.own(0, 1, insertTrial(1, 10))),
		m.writing("read_modify_write", "transaction that adds one to a key", 1,
			m.own(0, 1, countTrial(1))),
		m.writing("cas", "read a key, compare, and set it if it still is the same", 1,
			m.own(0, 1, casTrial)),
	}
}

// sustainedRepeats are those of half a minute each.
const sustainedRepeats = 3

// sustained puts for half a minute, on request. Of the peers only those take part that can be the
// best: in the rows of the same puts for a shorter time the others reach a fifth of them.
func (m *maker) sustained() []measure.Workload {
	if name := m.e.Name; !m.e.Ours && name != "pebble" && name != "buntdb" {
		return nil
	}
	const n = 10_000
	all := []measure.Workload{
		m.writing("put_overwrite_30s", "put a random one of 10,000 keys, for 30 s", 1,
			m.own(n, 1, m.overwriteTrial(n))),
		m.writing("put_insert_30s", "put a new key, in random order, for 30 s", 1,
			m.own(0, 1, insertTrial(1, 1))),
	}
	for i := range all {
		all[i].Heavy, all[i].Least, all[i].Repeats = true, 30*time.Second, sustainedRepeats
	}
	return all
}

// contention is several goroutines that write.
func (m *maker) contention() []measure.Workload {
	return []measure.Workload{
		m.writing("same_key/4", "4 goroutines add one to the same key, each until it commits", 1,
			m.own(0, 4, countTrial(4))),
		m.writing("disjoint_keys/8", "8 goroutines put new keys of their own", 1,
			m.own(0, 8, insertTrial(8, 1))),
	}
}

// strict commits with a sync each, whatever the configured mode. Limits keep nothing, so they have
// no part in it.
func (m *maker) strict() []measure.Workload {
	if m.e.Limit {
		return nil
	}
	var all []measure.Workload
	for n := 1; n <= 256; n *= 2 {
		about := fmt.Sprintf("%d goroutines put new keys of their own, every commit synced", n)
		if n == 1 {
			about = "put a new key, every commit synced"
		}
		all = append(all, m.writing(fmt.Sprintf("strict/%d", n), about, 1,
			measure.Workload{
				Mode: engine.Strict, Workers: n, Curve: &measure.Curve{Over: "committers", Of: "put", At: n},
				Setup: m.fresh(0, n, engine.Strict, insertTrial(n, 1)),
			}))
	}
	return all
}

// durable leaves rows out that a limit has no measure for.
func (m *maker) durable(rows ...measure.Workload) []measure.Workload {
	if m.e.Limit {
		return nil
	}
	return rows
}

// sized are the rows that exist for every number of keys.
func (m *maker) sized(f *shared, n int) []measure.Workload {
	on := func(name, of, about string, prepare func(*shared) *measure.Trial) measure.Workload {
		w := measure.Workload{}
		if n%1000 == 0 {
			w.Curve = &measure.Curve{Over: "keys", Of: of, At: n}
		}
		about += fmt.Sprintf(", %d keys present", n)
		return m.on(f, name+"/"+measure.Count(n), about, w, prepare)
	}
	all := []measure.Workload{
		on("get_uniform", "get", "get a random key", m.uniformTrial(1)),
		on("txn_read10_write1", "txn", "transaction of 10 reads and 1 write", m.readWriteTrial(10)),
		on("put_same", "put", "put a random key with the value it has", m.sameTrial),
	}
	all = append(all, m.durable(
		on("begin_read", "begin_get", "snapshot and 1 random get", m.viewTrial))...)
	if n < 1000 {
		return all
	}
	return append(all, m.durable(
		on("scan_100", "scan_100", "read 100 neighbouring keys by their prefix", m.scanTrial))...)
}

func (m *maker) eleven() []measure.Workload { return m.sized(m.fixture("11 keys", 11), 11) }

func (m *maker) hundred() []measure.Workload {
	f := m.fixture("101 keys", 101)
	return []measure.Workload{
		m.on(f, "txn_read100_write1/101", "transaction of 100 reads and 1 write, 101 keys present",
			measure.Workload{}, m.readWriteTrial(100)),
	}
}

func (m *maker) thousand() []measure.Workload {
	return m.sized(m.fixture("1K keys", 1000), 1000)
}

// tenThousand are the rows with 10,000 keys present.
func (m *maker) tenThousand() []measure.Workload {
	const n = 10_000
	f := m.fixture("10K keys", n)
	all := []measure.Workload{
		m.on(f, "get_hot", "get the middle one of 10,000 keys", measure.Workload{}, m.hotTrial),
		m.on(f, "get_absent", "get an absent key, 10,000 others present",
			measure.Workload{}, m.absentTrial),
		m.on(f, "get_uniform/10k_2g", "get a random key, 10,000 present, 2 goroutines at once",
			measure.Workload{Workers: 2}, m.uniformTrial(2)),
	}
	all = append(all, m.sized(f, n)...)
	return append(all, m.durable(
		m.on(f, "scan_full/10k", "read 10,000 keys in order",
			measure.Workload{Units: n, Unit: "keys"}, m.fullScanTrial),
	)...)
}

// hundredThousand are the rows with 100,000 keys present.
func (m *maker) hundredThousand() []measure.Workload {
	return long(m.sized(m.fixture("100K keys", 100_000), 100_000))
}

// million are the rows with 1,000,000 keys present.
func (m *maker) million() []measure.Workload {
	const n = 1_000_000
	f := m.fixture("1M keys", n)
	all := append(m.sized(f, n),
		m.on(f, "txn_read100_write1/1m", "transaction of 100 reads and 1 write, 1M keys present",
			measure.Workload{}, m.readWriteTrial(100)))
	all = append(all, m.durable(
		m.on(f, "scan_full/1m", "read 1,000,000 keys in order",
			measure.Workload{Units: n, Unit: "keys"}, m.fullScanTrial),
		m.reopen(f, "open_killed/1m", "open a copy of the files of an open database, get a key",
			false),
		m.reopen(f, "open_closed/1m", "open after a close, get a key; 1,000,000 keys", true),
	)...)
	return long(all)
}

// tenMillion are the rows with 10,000,000 keys present, on request. They are points of our curves:
// all peers at once would need tens of gigabytes of memory and of the disk.
func (m *maker) tenMillion() []measure.Workload {
	if !m.e.Ours {
		return nil
	}
	all := m.sized(m.fixture("10M keys", mostPrepared), mostPrepared)
	for i := range all {
		all[i].Heavy = true
	}
	return long(all)
}

// long marks rows that short runs leave out.
func long(all []measure.Workload) []measure.Workload {
	for i := range all {
		all[i].Long = true
	}
	return all
}
