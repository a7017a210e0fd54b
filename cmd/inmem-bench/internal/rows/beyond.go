package rows

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// The sizes of the row with more data than memory: in-mem's defaults, and 20 times its budget.
const (
	beyondMemory = 112 << 20
	beyondKeys   = 20 * (64 << 20) / (keySize + valueSize)
)

// beyond reads random keys of a database that is far larger than the memory it may take. Keys are
// made when they are needed, or they would be most of the memory.
func (m *maker) beyond() []measure.Workload {
	if !m.e.Ours && m.e.Name != "pebble" {
		return nil
	}
	f := &shared{keys: keys{n: beyondKeys}}
	var took []measure.Metric
	f.Fixture = measure.Fixture{
		Name: "beyond memory",
		Setup: func(ctx context.Context, dir string) (err error) {
			took, err = m.fillBeyond(ctx, f, dir)
			return err
		},
		Close: func() error { return f.store.Close() },
	}
	return []measure.Workload{m.on(f, "beyond_memory/20x",
		"get a random key, 20 times the memory budget present",
		measure.Workload{Heavy: true, Long: true}, func(f *shared) *measure.Trial {
			t := m.uniformTrial(1)(f)
			t.Metrics = func() []measure.Metric { return took }
			return t
		})}
}

// fillBeyond loads, reads for a while so that the caches are full, and says what all of it takes.
func (m *maker) fillBeyond(ctx context.Context, f *shared, dir string) (took []measure.Metric,
	err error) {
	debug.FreeOSMemory()
	heapBefore, before := heap(), resident()
	o := engine.Options{Mode: m.mode(), Memory: beyondMemory}
	if f.store, err = m.e.Open(ctx, dir, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.store.Close())
		}
	}()
	if err := load(ctx, f.store, f.keys); err != nil {
		return nil, err
	}
	if err := f.store.Flush(ctx); err != nil {
		return nil, err
	}
	measure.SettleLoaded(ctx)
	get := m.uniformTrial(1)(f).Op
	for i := range 100_000 {
		if err := get(ctx, 0, i); err != nil {
			return nil, err
		}
	}
	debug.FreeOSMemory()
	return []measure.Metric{
		{Name: HeapMB, Value: float64(heap()-heapBefore) / 1e6},
		{Name: ResidentMB, Value: float64(resident()-before) / 1e6},
	}, nil
}

// resident is the memory of the process that is in use; 0 where that cannot be learned.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
