// Package workloads holds the workloads of the original system, one file per group, done through
// the public API of in-mem, and the limits beside them: an unlocked Go map, and a raw log with one
// sync per record.
package workloads

import (
	"sync"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/agents"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/curves"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/footprint"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/rawlog"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/rows"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/vectors"
)

// The names of the systems.
const (
	InMem   = "inmem"
	GoMap   = "go-map"
	RawSync = "raw-sync"
)

// Systems are in-mem, the peers that are given, and the limits that it is compared with.
func Systems(peers ...engine.Engine) []measure.System {
	ours := rows.System(engine.InMem())
	ours.Peer, ours.Workloads = false, inMem
	all := []measure.System{ours}
	for _, e := range peers {
		all = append(all, rows.System(e))
	}
	limit := rows.System(engine.GoMap())
	limit.Workloads = goMap
	return append(all, limit, measure.System{
		Name: RawSync, Limit: true, About: "a log written and synced record by record",
		Workloads: rawSync,
	})
}

// rawSync stands beside what commits to disk.
func rawSync(cfg measure.Config) []measure.Workload { return rawlog.Beside(inMem(cfg)) }

// inMem lists all workloads in the order of the report.
func inMem(cfg measure.Config) []measure.Workload {
	all := append(original(cfg), newMaker(cfg).comprehensive()...)
	all = append(all, agents.Workloads(cfg)...)
	all = append(all, vectors.Workloads(cfg)...)
	all = append(all, rows.Workloads(engine.InMem(), cfg)...)
	all = append(all, curves.Workloads(cfg)...)
	return append(all, footprint.Workloads(cfg)...)
}

// original are the workloads of the original system.
func original(cfg measure.Config) []measure.Workload {
	m := newMaker(cfg)
	var all []measure.Workload
	for _, group := range [][]measure.Workload{
		m.gets(), m.puts(), m.deletes(), m.sizes(), m.keyScaling(),
		m.recoveries(),
		m.commits(), m.reads(), m.cas(), m.snapshots(), m.conflicts(), m.durability(),
	} {
		all = append(all, group...)
	}
	return all
}

// maker makes the workloads of one configuration.
type maker struct {
	cfg    measure.Config
	values values
}

func newMaker(cfg measure.Config) *maker {
	return &maker{cfg: cfg, values: makeValues(cfg.ValueSize)}
}

const (
	mostFresh = 500_000   // new keys of one trial, as in the original
	mostBytes = 256 << 20 // bytes that one trial may write in new keys
)

// fresh are the keys to insert; no trial finds them loaded.
var fresh = sync.OnceValue(func() measure.Keys { return measure.MakeKeys("new", mostFresh) })

// freshKeys are the keys to insert, and how many of them have room in one trial.
func (m *maker) freshKeys() (keys measure.Keys, most int) {
	return fresh(), min(mostFresh, mostBytes/(m.values.size+keySize))
}

// load is what a trial finds in its run.
type load struct {
	prefix string
	n      int
}

// data are loaded keys with their values.
type data struct {
	keys   measure.Keys
	values values
}

func (m *maker) data(l load) data { return data{measure.MakeKeys(l.prefix, l.n), m.values} }

// loaded are the keys of the larger databases.
func (m *maker) loaded() load { return load{"key", m.cfg.Keys} }

// writes completes a workload whose operations commit writes of some keys with plain values.
func (m *maker) writes(w measure.Workload, keys int) measure.Workload {
	if w.Mode == "" {
		w.Mode = m.cfg.Mode
	}
	if w.Mode == modeStrict {
		w.Synced = keys * (keySize + m.values.size)
	}
	return w
}

// readsOnly completes a workload whose operations leave nothing to sync.
func (m *maker) readsOnly(w measure.Workload) measure.Workload {
	w.Mode = m.cfg.Mode
	return w
}

// keySize is the length of "key_000000".
const keySize = 10
