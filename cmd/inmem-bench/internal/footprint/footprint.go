// Package footprint holds the workloads that say what in-mem takes beside time: memory per thing
// that is open, goroutines and descriptors per database, how long an open and a close take, the
// sizes of binaries, and allocations per operation. What each may be at most is in package bars.
package footprint

import (
	"context"
	"errors"
	"os"
	"runtime"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Group is what the names of all these workloads begin with.
const Group = "footprint"

// The names of the figures: bytes of heap and stacks for each thing, goroutines for each,
// descriptors of a database, milliseconds of an open and of a close, megabytes of a binary.
const (
	BytesEach      = "bytes each"
	GoroutinesEach = "goroutines each"
	Goroutines     = "goroutines"
	Descriptors    = "descriptors"
	HeapKB         = "KB of heap"
	OpenMillis     = "ms to open"
	CloseMillis    = "ms to close"
	BinaryMB       = "MB"
)

// Workloads lists them.
func Workloads(cfg measure.Config) []measure.Workload {
	m := &maker{cfg}
	var all []measure.Workload
	for _, group := range [][]measure.Workload{
		m.memory(), m.databases(), m.binaries(), m.allocations(),
	} {
		for _, w := range group {
			w.Name, w.Mode, w.Extra = Group+"/"+w.Name, cfg.Mode, true
			all = append(all, w)
		}
	}
	return all
}

// maker makes the workloads of one configuration.
type maker struct{ cfg measure.Config }

// namespace is where all runs belong.
var namespace = inmem.RunOptions{Tenant: "tenant", App: "app", Agent: "agent"}

// open opens a database with the defaults but for the mode, and a budget that holds all there is.
func (m *maker) open(dir string) (*inmem.DB, error) {
	o := &inmem.Options{MemoryBudget: 512 << 20}
	for _, d := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async, inmem.None} {
		if d.String() == m.cfg.Mode {
			o.Durability = d
		}
	}
	return inmem.Open(dir, o)
}

// world is a database of one trial with the run that it works in.
type world struct {
	db  *inmem.DB
	run *inmem.Run
}

func (m *maker) world(ctx context.Context, dir string) (w *world, err error) {
	w = &world{}
	if w.db, err = m.open(dir); err != nil {
		return nil, err
	}
	if w.run, err = w.db.BeginRun(ctx, namespace); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	return w, nil
}

// usage is what the process holds at one moment.
type usage struct{ bytes, goroutines, descriptors int }

// now looks at the process after it has come to rest. Descriptors are 0 where they cannot be
// counted.
func now(ctx context.Context) usage {
	measure.Settle(ctx)
	runtime.GC()
	runtime.GC() // what the first one only hands on, pools and finalizers, goes in the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{bytes: int(m.HeapAlloc + m.StackInuse), goroutines: runtime.NumGoroutine()}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.descriptors = len(list)
	}
	return u
}

// minus is what came since another look.
func (u usage) minus(before usage) usage {
	return usage{u.bytes - before.bytes, u.goroutines - before.goroutines,
		u.descriptors - before.descriptors}
}

// each are the figures of n things.
func (u usage) each(n int) []measure.Metric {
	return []measure.Metric{
		{Name: BytesEach, Value: float64(u.bytes) / float64(n)},
		{Name: GoroutinesEach, Value: float64(u.goroutines) / float64(n)},
	}
}
