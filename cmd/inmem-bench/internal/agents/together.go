package agents

import (
	"context"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// together are transactions over several primitives, and a view of several.
func (m *maker) together() []measure.Workload {
	return []measure.Workload{
		m.workload("primitives/txn_kv_event", "transaction: a key and an event (20 µs, aim 10)",
			transactionTrial(1)),
		m.workload("primitives/txn_kv_event_state", "transaction: key, event, cell (30 µs, aim 15)",
			transactionTrial(2)),
		m.workload("primitives/txn_four_primitives",
			"transaction: key, event, cell, span (40 µs, aim 20)", transactionTrial(3)),
		m.workload("primitives/snapshot_read", "view: a key, an event, a cell (15 µs, aim 7)",
			viewTrial),
	}
}

// transactionTrial writes a key and, depending on how many more primitives there are to be, an
// event, a cell and a span.
func transactionTrial(more int) func(context.Context, *world) (*measure.Trial, error) {
	return func(_ context.Context, w *world) (*measure.Trial, error) {
		return &measure.Trial{
			Op: func(ctx context.Context, _, i int) error {
				_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
					if _, err := tx.KV().Put(ctx, "last", inmem.Int(int64(i))); err != nil {
						return err
					}
					if _, err := tx.Events().Append(ctx, eventType, payload(i)); err != nil || more == 1 {
						return err
					}
					_, err := tx.Cell("state").UpdateOrInit(ctx, inmem.Int(-1),
						func(v inmem.Value) (inmem.Value, error) {
							n, err := v.AsInt()
							return inmem.Int(n + 1), err
						})
					if err != nil || more == 2 {
						return err
					}
					_, err = tx.Traces().Record(ctx, span())
					return err
				})
				return err
			},
			Check: func(ctx context.Context, done []int) error {
				n := sum(done)
				if err := w.expectInt(ctx, "last", int64(n-1)); err != nil {
					return err
				}
				if err := w.expectEvents(ctx, n); err != nil || more == 1 {
					return err
				}
				s, err := w.run.Cell("state").Load(ctx)
				if err != nil {
					return err
				}
				if err := expectEqual("the cell", s.Value, inmem.Int(int64(n-1))); err != nil || more == 2 {
					return err
				}
				return w.expectSpans(ctx, inmem.SpanFilter{}, n)
			},
		}, nil
	}
}

func viewTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	if _, err := w.run.KV().Put(ctx, "last", inmem.Int(7)); err != nil {
		return nil, err
	}
	if _, err := w.run.Cell("state").Init(ctx, inmem.Int(7)); err != nil {
		return nil, err
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		return w.run.View(ctx, func(v *inmem.View) error {
			value, _, err := v.KV().Get(ctx, "last")
			if err != nil {
				return err
			}
			e, _, err := v.Events().Get(ctx, 500)
			if err != nil {
				return err
			}
			s, err := v.Cell("state").Load(ctx)
			if err != nil {
				return err
			}
			if value != inmem.Int(7) || e.Payload != payload(500) || s.Value != inmem.Int(7) {
				return measure.Wrongf("a view shows %s, %s and %s", value, e.Payload, s.Value)
			}
			return nil
		})
	}}, w.appendMany(ctx, 1000)
}
