package statecell

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The sizes of performance.md: names of about 40 bytes, values of about 100.
const benchName = "cell-of-forty-bytes-as-in-the-tables-001"

var benchValue = codec.String("a value of the usual length, which is about one hundred bytes, " +
	"more or less, as in the tables")

// engineHandle is what package db hands to CellOf: something that has cells, by pointer.
type engineHandle struct{ w *world }

func (h *engineHandle) Cell(name string) Cell { return h.w.cell(name) }

// Reads of what is in memory allocate nothing, with a type or without.
func TestReadsDoNotAllocate(t *testing.T) {
	ctx := t.Context()
	w := engineWorld(t, embedded.Options{Mode: embedded.None})
	h := &engineHandle{w}
	must(t)(w.cell("text").Store(ctx, codec.String("text")))
	must(t)(w.cell("int").Store(ctx, codec.Int(1)))
	for what, read := range map[string]func() error{
		"get":       func() error { _, err := w.cell("text").Get(ctx); return err },
		"exists":    func() error { _, err := w.cell("text").Exists(ctx); return err },
		"typed int": func() error { _, err := CellOf[int](h, "int").Get(ctx); return err },
		"typed text": func() error {
			_, err := CellOf[string](h, "text").Get(ctx)
			return err
		},
	} {
		require.Zero(t, testing.AllocsPerRun(200, func() {
			if err := read(); err != nil {
				t.Error(err)
			}
		}), what)
	}
}

// What a write of a cell costs beside a put of the same bytes: the medians of rounds in which each
// has its turn, for the machine may be busy. Bars: at most twice, later 1.3 times.
func BenchmarkWriteByPut(b *testing.B) {
	ctx := b.Context()
	w := engineWorld(b, embedded.Options{Dir: b.TempDir()})
	s, c := w.m.Scope(w.run), w.cell(benchName)
	governed := w.cell(benchName + " governed")
	must(b)(governed.Define(ctx, job()))
	must(b)(governed.Store(ctx, codec.String("queued")))
	must(b)(governed.Store(ctx, codec.String("running")))
	version := must(b)(c.Store(ctx, benchValue))
	names := []string{"put", "store", "swap", "update", "fire"}
	ops := []func() error{
		func() error {
			data, err := codec.AppendValue(nil, benchValue)
			if err == nil {
				_, err = s.Put(ctx, codec.KV, benchName, data, 0)
			}
			return err
		},
		func() (err error) { version, err = c.Store(ctx, benchValue); return err },
		func() (err error) { version, err = c.CompareAndSwap(ctx, version, benchValue); return err },
		func() error {
			s, err := c.Update(ctx, set(benchValue))
			version = s.Version
			return err
		},
		func() error { _, err := governed.Fire(ctx, "tick"); return err },
	}
	const each = 50
	times := make([][]time.Duration, len(ops))
	for b.Loop() {
		for i, op := range ops {
			start := time.Now()
			for range each {
				if err := op(); err != nil {
					b.Fatal(err)
				}
			}
			times[i] = append(times[i], time.Since(start)/each)
		}
	}
	median := func(i int) float64 {
		slices.Sort(times[i])
		return float64(times[i][len(times[i])/2])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(0), "ns/put")
	for i := 1; i < len(ops); i++ {
		b.ReportMetric(median(i)/median(0), names[i]+"/put")
	}
}

// What reads cost: Load pays for the time of the commit.
func BenchmarkRead(b *testing.B) {
	ctx := b.Context()
	w := engineWorld(b, embedded.Options{Dir: b.TempDir()})
	must(b)(w.cell(benchName).Store(ctx, benchValue))
	h := &engineHandle{w}
	for name, op := range map[string]func() error{
		"get":       func() error { _, err := w.cell(benchName).Get(ctx); return err },
		"get typed": func() error { _, err := CellOf[string](h, benchName).Get(ctx); return err },
		"load":      func() error { _, err := w.cell(benchName).Load(ctx); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, op())
			}
		})
	}
}

// What a write of a governed cell costs by the size of its machine.
func BenchmarkMachine(b *testing.B) {
	ctx := b.Context()
	w := engineWorld(b, embedded.Options{Dir: b.TempDir()})
	for _, n := range []int{1, 10, 100, MaxTransitions} {
		m := Machine{Initial: "s"}
		for i := range n {
			m.Transitions = append(m.Transitions,
				Transition{From: "s", Event: fmt.Sprint("event ", i), To: "s"})
		}
		c := w.cell(fmt.Sprint(n))
		must(b)(c.Define(ctx, m))
		must(b)(c.Init(ctx, codec.String("s")))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Fire(ctx, "event 0"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
