package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sampleEvery is the work per look at the clock: of operations that take less than half of it
	// only a sample is timed one by one, or the clock would be what is measured.
	sampleEvery = 4 * time.Microsecond
	// warmShare is the part of a trial's time that is spent before it, uncounted.
	warmShare = 8
)

// Sample is what one repeat of a workload gave.
type Sample struct {
	Ops     int
	Elapsed time.Duration
	// Units is how many things an operation did, for the rate; 0 is one.
	Units int
	// Latency holds the durations of the operations, or of a sample of them.
	Latency Histogram
	// Mallocs and Bytes count all allocations of the process during the timed part, those of
	// background work and of the harness included.
	Mallocs, Bytes uint64
	// CPU is the processor time of the whole process during the timed part, background work and the
	// garbage collector included: what others do on the machine does not count. 0 if unknown.
	CPU time.Duration
	// Exhausted says that the prepared work ended before the time did.
	Exhausted bool
	Metrics   []Metric
}

// Rate is the number of operations, or of the units of the workload, per second.
func (s *Sample) Rate() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Ops) * float64(max(s.Units, 1)) / s.Elapsed.Seconds()
}

// worker is one goroutine's part of a trial.
type worker struct {
	number    int
	next      int // operations begun so far
	most      int // operations to do in all; 0 is no bound
	exhausted bool
	latency   Histogram
}

// clock measures from one start, which costs half of two calls of time.Now.
type clock struct{ start time.Time }

func (c clock) now() time.Duration { return time.Since(c.start) }

// clockCost is what one timed interval contains of the clock itself.
func clockCost() time.Duration {
	c := clock{time.Now()}
	cost := time.Duration(1 << 30)
	for range 1000 {
		t := c.now()
		cost = min(cost, c.now()-t)
	}
	return cost
}

// run calls op until the deadline or until halt, timing the first of every group of operations.
func (w *worker) run(ctx context.Context, t *Trial, c clock, end, cost time.Duration, group int,
	halt *atomic.Bool) (int, error) {
	first := w.next
	for !w.exhausted && !halt.Load() && (w.most == 0 || w.next < w.most) {
		begin := c.now()
		if begin >= end {
			break
		}
		err := t.Op(ctx, w.number, w.next)
		took := c.now() - begin
		for j := 1; err == nil && j < group; j++ {
			w.next++
			err = t.Op(ctx, w.number, w.next)
		}
		if errors.Is(err, ErrExhausted) {
			w.exhausted = true
			break
		}
		if err != nil {
			return w.next - first, fmt.Errorf("operation %d of worker %d: %w", w.next, w.number, err)
		}
		w.next++
		w.latency.Add(max(took-cost, 0))
	}
	return w.next - first, nil
}

// phase lets all workers run for a time, from a common start, and returns what they did together.
func phase(ctx context.Context, t *Trial, workers []*worker, length, cost time.Duration,
	group int) (int, time.Duration, error) {
	var (
		wg    sync.WaitGroup
		halt  atomic.Bool
		start = make(chan struct{})
		ops   = make([]int, len(workers))
		errs  = make([]error, len(workers))
		c     clock
	)
	unwatch := context.AfterFunc(ctx, func() { halt.Store(true) })
	defer unwatch()
	// Operations are not interrupted half-way: what they did must be known for the check.
	inner := context.WithoutCancel(ctx)
	for i, w := range workers {
		wg.Go(func() {
			pprof.SetGoroutineLabels(ctx)
			<-start
			ops[i], errs[i] = w.run(inner, t, c, length, cost, group, &halt)
			if errs[i] != nil {
				halt.Store(true)
			}
		})
	}
	c.start = time.Now()
	close(start)
	wg.Wait()
	elapsed := c.now()
	total := 0
	for _, n := range ops {
		total += n
	}
	for _, err := range errs {
		if err != nil {
			return total, elapsed, err // the others stopped because of it, or say the same
		}
	}
	return total, elapsed, nil
}

// measure runs the warm-up, the timed part and the check of a prepared trial.
func (t *Trial) measure(ctx context.Context, w *Workload, length time.Duration) (*Sample, error) {
	workers := make([]*worker, max(w.Workers, 1))
	for i := range workers {
		workers[i] = &worker{number: i}
	}
	settle(ctx, processorTime, settleMost)
	cost, group := clockCost(), 1
	if w.Once {
		for _, w := range workers {
			w.most = 1
		}
	} else {
		ops, took, err := phase(ctx, t, workers, max(length/warmShare, 1), cost, 1)
		if err != nil {
			return nil, fmt.Errorf("warm-up: %w", err)
		}
		each := took*time.Duration(len(workers))/time.Duration(max(ops, 1)) - 2*cost
		group = max(1, int(sampleEvery/max(each, 1)))
	}
	for _, w := range workers {
		w.latency = Histogram{}
	}
	runtime.GC() // the garbage of the setup is not this workload's
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := &Sample{Units: w.Units}
	used := ProcessorTime()
	var err error
	s.Ops, s.Elapsed, err = phase(ctx, t, workers, length, cost, group)
	if err != nil {
		return nil, err
	}
	s.CPU = ProcessorTime() - used
	runtime.ReadMemStats(&after)
	s.Mallocs, s.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return s, t.finish(ctx, s, workers)
}

// finish completes a sample with what the workers saw, and checks what they left.
func (t *Trial) finish(ctx context.Context, s *Sample, workers []*worker) error {
	done := make([]int, len(workers))
	for i, w := range workers {
		done[i] = w.next
		s.Latency.Merge(&w.latency)
		s.Exhausted = s.Exhausted || w.exhausted
	}
	if s.Ops == 0 {
		return errors.New("no operation came to its end in the time given")
	}
	if t.Check != nil {
		if err := t.Check(ctx, done); err != nil {
			return fmt.Errorf("check after %d operations: %w", s.Ops, err)
		}
	}
	if t.Metrics != nil {
		s.Metrics = t.Metrics()
	}
	return nil
}
