package agents

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// payloads are prepared, so that making them is not what is measured.
var payloads = func() (all [4096]inmem.Value) {
	for i := range all {
		all[i] = inmem.String(fmt.Sprintf("event_payload_%d", i))
	}
	return all
}()

// payload is what event number i carries: some 16 bytes.
func payload(i int) inmem.Value { return payloads[i%len(payloads)] }

// eventType is the type of all events that are no matter of types.
const eventType = "tool_call"

// eventMicro is the group of the comprehensive benchmarks.
func (m *maker) eventMicro() []measure.Workload {
	all := []measure.Workload{
		m.workload("event_microbenchmarks/event_append", "append an event of 16 bytes", appendTrial),
	}
	for _, n := range []int{100, 1000, 10_000} {
		w := m.workload(fmt.Sprintf("event_microbenchmarks/event_scan/%d", n),
			fmt.Sprintf("read all %d events of a run", n), rangeTrial(n, n))
		w.Units, w.Unit = n, "events"
		all = append(all, w)
	}
	return all
}

// events are the operations of the event log.
func (m *maker) events() []measure.Workload {
	return []measure.Workload{
		m.workload("primitives/event_append", "append an event (original: 10 µs, aim 5)", appendTrial),
		m.workload("primitives/event_read", "read one of 1,000 events (5 µs, aim 2)", m.readTrial),
		m.workload("primitives/event_range/100", "read 100 of 1,000 events (100 µs, aim 50)",
			rangeTrial(1000, 100)),
		m.workload("primitives/event_verify/1000", "verify a chain of 1,000 events (2 ms, aim 1)",
			verifyTrial),
	}
}

func appendTrial(_ context.Context, w *world) (*measure.Trial, error) {
	events := w.run.Events()
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			a, err := events.Append(ctx, eventType, payload(i))
			if err != nil {
				return err
			}
			return expectEqual("number of the event", a.Seq, uint64(i))
		},
		Check: func(ctx context.Context, done []int) error { return w.expectEvents(ctx, sum(done)) },
	}, nil
}

// expectEvents checks how many events there are, that their chain holds, and the newest one.
func (w *world) expectEvents(ctx context.Context, n int) error {
	chain, err := w.run.Events().Verify(ctx)
	if err != nil {
		return err
	}
	if !chain.Valid || chain.Length != uint64(n) {
		return measure.Wrongf("the chain of %d events: valid %t, length %d, %s", n, chain.Valid,
			chain.Length, chain.Reason)
	}
	return nil
}

// appendMany prepares events.
func (w *world) appendMany(ctx context.Context, n int) error {
	const perCall = 1000
	for from := 0; from < n; from += perCall {
		var list []inmem.NewEvent
		for i := from; i < min(from+perCall, n); i++ {
			list = append(list, inmem.NewEvent{Type: eventType, Payload: payload(i)})
		}
		if _, err := w.run.Events().AppendMany(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) readTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	const n = 1000
	g, events := measure.NewLCG(m.cfg.Seed, 0), w.run.Events()
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		i := g.Below(n)
		e, found, err := events.Get(ctx, uint64(i))
		if err != nil {
			return err
		}
		if !found || e.Payload != payload(i) {
			return measure.Wrongf("event %d: found %t, %s", i, found, e.Payload)
		}
		return nil
	}}, w.appendMany(ctx, n)
}

// rangeTrial reads so many events from the middle of those that there are.
func rangeTrial(present, n int) func(context.Context, *world) (*measure.Trial, error) {
	return func(ctx context.Context, w *world) (*measure.Trial, error) {
		first := (present - n) / 2
		return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
			return w.expectRange(ctx, first, first+n)
		}}, w.appendMany(ctx, present)
	}
}

// expectRange reads events and looks at their numbers.
func (w *world) expectRange(ctx context.Context, first, end int) error {
	i := first
	for e, err := range w.run.Events().Range(ctx, uint64(first), uint64(end)) {
		if err != nil {
			return err
		}
		if e.Seq != uint64(i) || e.Type != eventType {
			return measure.Wrongf("event %d of a range is number %d of type %q", i, e.Seq, e.Type)
		}
		i++
	}
	return expectEqual("end of a range of events", i, end)
}

func verifyTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	const n = 1000
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		return w.expectEvents(ctx, n)
	}}, w.appendMany(ctx, n)
}
