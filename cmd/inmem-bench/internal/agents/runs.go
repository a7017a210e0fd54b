package agents

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// runs are the operations of the run index.
func (m *maker) runs() []measure.Workload {
	all := []measure.Workload{
		m.workload("primitives/run_transition", "pause a run, or resume it (20 µs, aim 10)",
			transitionTrial),
		m.workload("primitives/run_lifecycle", "create, pause, resume and complete (50 µs, aim 25)",
			lifecycleTrial),
	}
	for _, t := range []struct{ tags, gate int }{{0, 15}, {1, 18}, {3, 25}, {5, 35}} {
		all = append(all, m.workload(fmt.Sprintf("primitives/run_create/tags_%d", t.tags),
			fmt.Sprintf("create a run with %d tags (%d µs)", t.tags, t.gate), createTrial(t.tags)))
	}
	return all
}

func createTrial(tags int) func(context.Context, *world) (*measure.Trial, error) {
	return func(_ context.Context, w *world) (*measure.Trial, error) {
		o := namespace
		for i := range tags {
			o.Tags = append(o.Tags, fmt.Sprintf("tag_%d", i))
		}
		return &measure.Trial{
			Op: func(ctx context.Context, _, _ int) error {
				_, err := w.db.BeginRun(ctx, o)
				return err
			},
			Check: func(ctx context.Context, done []int) error {
				q, want := inmem.RunQuery{}, sum(done)+1 // and the world's own
				if tags > 0 {
					q.Tags, want = o.Tags, want-1
				}
				return w.expectRuns(ctx, q, want)
			},
		}, nil
	}
}

func (w *world) expectRuns(ctx context.Context, q inmem.RunQuery, want int) error {
	n, err := w.db.Runs().Count(ctx, q)
	if err != nil {
		return err
	}
	return expectEqual("number of runs", n, want)
}

func transitionTrial(_ context.Context, w *world) (*measure.Trial, error) {
	record := w.run.Record()
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			if i%2 == 0 {
				return record.Pause(ctx)
			}
			return record.Resume(ctx)
		},
		Check: func(ctx context.Context, done []int) error {
			info, err := record.Info(ctx)
			if err != nil {
				return err
			}
			want := inmem.Active
			if sum(done)%2 == 1 {
				want = inmem.Paused
			}
			return expectEqual("status", info.Status, want)
		},
	}, nil
}

func lifecycleTrial(_ context.Context, w *world) (*measure.Trial, error) {
	return &measure.Trial{
		Op: func(ctx context.Context, _, _ int) error {
			run, err := w.db.BeginRun(ctx, namespace)
			if err != nil {
				return err
			}
			record := run.Record()
			if err := record.Pause(ctx); err != nil {
				return err
			}
			if err := record.Resume(ctx); err != nil {
				return err
			}
			return record.Complete(ctx)
		},
		Check: func(ctx context.Context, done []int) error {
			q := inmem.RunQuery{Status: []inmem.Status{inmem.Completed}}
			return w.expectRuns(ctx, q, sum(done))
		},
	}, nil
}
