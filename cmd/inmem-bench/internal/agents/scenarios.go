package agents

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// scenarios are what agents do, of the comprehensive benchmarks.
func (m *maker) scenarios() []measure.Workload {
	all := []measure.Workload{
		m.workload("scenario/agent_run_simulation",
			"a step: 10 events, 2 keys in a transaction, every 5th reads all events", stepTrial),
	}
	for _, n := range []int{2, 4, 8} {
		w := m.workload(fmt.Sprintf("scenario/multi_agent_coordination/%d", n),
			fmt.Sprintf("%d agents: a put each; every 3rd step one adds to a shared key", n),
			coordinationTrial(n))
		w.Workers = n
		all = append(all, w)
	}
	for _, n := range []int{100, 1000, 5000} {
		w := m.workload(fmt.Sprintf("scenario/replay_simulation/%d", n),
			fmt.Sprintf("read all %d events and 10 checkpoints of a run", n), replayTrial(n))
		w.Units, w.Unit = n+checkpoints, "events and keys"
		all = append(all, w)
	}
	return all
}

const (
	stepsPerRun   = 100 // then a new run begins: else what is read would grow with the time given
	eventsPerStep = 10
	checkpoints   = 10
)

func stepTrial(_ context.Context, w *world) (*measure.Trial, error) {
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) (err error) {
			step := i % stepsPerRun
			if step == 0 && i > 0 {
				if err = w.run.End(ctx, inmem.Completed); err != nil {
					return err
				}
				if w.run, err = w.db.BeginRun(ctx, namespace); err != nil {
					return err
				}
			}
			for j := range eventsPerStep {
				n := step*eventsPerStep + j
				if _, err := w.run.Events().Append(ctx, eventType, payload(n)); err != nil {
					return err
				}
			}
			_, err = w.run.Update(ctx, func(tx *inmem.Tx) error {
				k := tx.KV()
				if _, err := k.Put(ctx, "agent_state", payload(step)); err != nil {
					return err
				}
				_, err := k.Put(ctx, "step_counter", inmem.Int(int64(step)))
				return err
			})
			if err == nil && step%5 == 0 {
				err = w.expectRange(ctx, 0, (step+1)*eventsPerStep)
			}
			return err
		},
		Check: func(ctx context.Context, done []int) error {
			step := (done[0] - 1) % stepsPerRun
			if err := w.expectEvents(ctx, (step+1)*eventsPerStep); err != nil {
				return err
			}
			return w.expectInt(ctx, "step_counter", int64(step))
		},
	}, nil
}

// expectInt checks what a key holds.
func (w *world) expectInt(ctx context.Context, key string, want int64) error {
	v, _, err := w.run.KV().Get(ctx, key)
	if err != nil {
		return err
	}
	return expectEqual(key, v, inmem.Int(want))
}

// agent is what one goroutine counts; padded to cache lines of its own.
type agent struct {
	shared int64
	_      [120]byte
}

func coordinationTrial(workers int) func(context.Context, *world) (*measure.Trial, error) {
	const sharedKey = "shared_resource"
	return func(ctx context.Context, w *world) (*measure.Trial, error) {
		counted := make([]agent, workers)
		once := inmem.TxOptions{Retry: &inmem.Retry{Max: 0}}
		_, err := w.run.KV().Put(ctx, sharedKey, inmem.Int(0))
		return &measure.Trial{
			Op: func(ctx context.Context, worker, i int) error {
				own := fmt.Sprintf("agent_%d_state", worker)
				if _, err := w.run.KV().Put(ctx, own, inmem.Int(int64(i))); err != nil || i%3 != 0 {
					return err
				}
				_, err := w.run.UpdateWith(ctx, once, func(tx *inmem.Tx) error {
					v, _, err := tx.KV().Get(ctx, sharedKey)
					if err != nil {
						return err
					}
					n, err := v.AsInt()
					if err != nil {
						return err
					}
					_, err = tx.KV().Put(ctx, sharedKey, inmem.Int(n+1))
					return err
				})
				if err == nil {
					counted[worker].shared++
				}
				if errors.Is(err, inmem.ErrConflict) {
					return nil // as in the original
				}
				return err
			},
			Check: func(ctx context.Context, done []int) error {
				total := int64(0)
				for i := range counted {
					total += counted[i].shared
					err := w.expectInt(ctx, fmt.Sprintf("agent_%d_state", i), int64(done[i]-1))
					if err != nil && done[i] > 0 {
						return err
					}
				}
				return w.expectInt(ctx, sharedKey, total)
			},
		}, err
	}
}

func replayTrial(n int) func(context.Context, *world) (*measure.Trial, error) {
	return func(ctx context.Context, w *world) (*measure.Trial, error) {
		for i := range checkpoints {
			key := fmt.Sprintf("checkpoint_%d", i)
			if _, err := w.run.KV().Put(ctx, key, inmem.Int(int64(i))); err != nil {
				return nil, err
			}
		}
		return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
			if err := w.expectRange(ctx, 0, n); err != nil {
				return err
			}
			i := int64(0)
			for pair, err := range w.run.KV().Scan(ctx, inmem.ScanOptions{}) {
				if err != nil {
					return err
				}
				if pair.Value != inmem.Int(i) {
					return measure.Wrongf("key %q holds %s, expected %d", pair.Key, pair.Value, i)
				}
				i++
			}
			return expectEqual("number of keys", i, checkpoints)
		}}, w.appendMany(ctx, n)
	}
}
