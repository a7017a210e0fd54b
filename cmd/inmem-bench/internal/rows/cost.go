package rows

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// The names of the further figures: bytes that a key takes beside key and value, processor time of
// a forced collection in milliseconds, the 99.9th percentile of a get while collections run as a
// multiple of its quiet one, the growth of heap and process in megabytes, bytes handed to the
// system per put.
const (
	BytesPerKey  = "bytes/key overhead"
	CollectorCPU = "ms of CPU per GC"
	GetDuringGC  = "x quiet p99.9 in GC"
	HeapMB       = "MB of heap"
	ResidentMB   = "MB resident"
	WrittenBytes = "bytes written/put"
)

// costs are what a database costs the process and the disk.
func (m *maker) costs() []measure.Workload {
	var all []measure.Workload
	if m.e.Ours || m.e.Limit {
		for _, n := range []int{1_000_000, mostPrepared} {
			count := measure.Count(n)
			w := m.row("memory/"+count, "load "+count+" keys; then gets, with and without GC",
				measure.Workload{Once: true, Heavy: n > 1_000_000, Units: n, Unit: "keys",
					Repeats: memoryRepeats})
			w.Setup = m.memoryTrial(n)
			all = append(all, w)
		}
	}
	if m.e.Ours || m.e.Name == "pebble" {
		for _, n := range []int{1, 10} {
			w := m.row("written/"+strconv.Itoa(n), "bytes written by puts of 116 bytes in commits of "+
				strconv.Itoa(n), measure.Workload{Once: true, Units: writtenPuts, Unit: "puts"})
			w.Setup = m.fresh(0, 1, m.mode(), m.writtenTrial(n))
			all = append(all, w)
		}
	}
	return long(all)
}

// memoryRepeats are those of a load of up to ten million keys each.
const memoryRepeats = 3

// memoryTrial loads n keys, and looks what they take and what the garbage collector has to do.
func (m *maker) memoryTrial(n int) func(context.Context, string) (*measure.Trial, error) {
	return func(ctx context.Context, dir string) (*measure.Trial, error) {
		k := keysOf(n)
		before := heap()
		s, err := m.e.Open(ctx, dir, m.options(m.mode(), n, 1))
		if err != nil {
			return nil, err
		}
		r := &m.readers(1)[0]
		r.next = n / 2
		var metrics []measure.Metric
		return &measure.Trial{
			Op: func(ctx context.Context, _, _ int) error {
				return errors.Join(load(ctx, s, k), s.Flush(ctx))
			},
			Check: func(ctx context.Context, _ []int) error {
				measure.SettleLoaded(ctx)
				used := float64(heap()-before)/float64(n) - (keySize + valueSize)
				get := func() error { return r.get(ctx, s, k, r.draw(k)) }
				quiet, err := latencies(get, nil)
				if err != nil {
					return err
				}
				busy, err := latencies(get, runtime.GC)
				if err != nil {
					return err
				}
				metrics = []measure.Metric{
					{Name: BytesPerKey, Value: used},
					{Name: CollectorCPU, Value: float64(collectorCPU()) / float64(time.Millisecond)},
					{Name: GetDuringGC, Value: float64(busy.Quantile(.999)) /
						float64(max(quiet.Quantile(.999), 1))},
				}
				return nil
			},
			Metrics: func() []measure.Metric { return metrics },
			Close:   s.Close,
		}, nil
	}
}

// heap is what is reachable, after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// latencies does gets for a time, while something else is done over and over beside them.
func latencies(get func() error, beside func()) (*measure.Histogram, error) {
	const length = 500 * time.Millisecond
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for beside != nil {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				beside()
			}
		}
	}()
	h := &measure.Histogram{}
	var err error
	start := time.Now()
	for last := time.Duration(0); err == nil && last < length; {
		err = get()
		now := time.Since(start)
		h.Add(now - last)
		last = now
	}
	close(stop)
	<-done
	return h, err
}

// collectorCPU is the least of what some forced collections take, over all processors.
func collectorCPU() time.Duration {
	least := time.Hour
	for range 5 {
		before := measure.ProcessorTime()
		runtime.GC()
		least = min(least, measure.ProcessorTime()-before)
	}
	return least
}

// writtenPuts is few enough to stay in the write buffers: what is written then is the log.
const writtenPuts = 20_000

// writtenTrial puts keys of 16 bytes with values of 100 and counts what the process writes. Pebble
// does what the bars compare with: bare versions, which is the same value in its envelope under the
// same key with its scope and version.
func (m *maker) writtenTrial(perCommit int) func(engine.Store) *measure.Trial {
	suffix, head := "", ""
	if !m.e.Ours {
		suffix, head = strings.Repeat("v", 25), "en" // 0, the version, and the scope; flags, a head
	}
	return func(s engine.Store) *measure.Trial {
		var written int64
		return &measure.Trial{
			Op: func(ctx context.Context, _, _ int) error {
				before, err := bytesWritten()
				if err != nil {
					return err
				}
				for i := 0; i < writtenPuts; i += perCommit {
					err := s.Update(ctx, func(tx engine.Tx) error {
						for j := i; j < i+perCommit; j++ {
							key := string(appendDigits(nil, shuffled(j, writtenPuts), 16)) + suffix
							if err := tx.Put(ctx, key, head+value(j)); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						return err
					}
				}
				if err := s.Flush(ctx); err != nil {
					return err
				}
				after, err := bytesWritten()
				written = after - before
				return err
			},
			Metrics: func() []measure.Metric {
				return []measure.Metric{
					{Name: WrittenBytes, Value: float64(written) / writtenPuts},
				}
			},
		}
	}
}

// bytesWritten is what this process has handed to the system so far; 0 where that cannot be
// learned.
func bytesWritten() (int64, error) {
	text, err := os.ReadFile("/proc/self/io")
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "wchar: ")
	number, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(number, 10, 64)
}
