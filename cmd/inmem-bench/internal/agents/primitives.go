package agents

import (
	"context"
	"sync"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// loadedKeys is the number of keys that there are to get and to delete.
const loadedKeys = 50_000

const mostKeys = 500_000

var prepared = sync.OnceValue(func() measure.Keys { return measure.MakeKeys("key", mostKeys) })

// key is name number i, below mostKeys, of a key or a cell.
func key(i int) string { return prepared().At(i) }

// keys are the operations of KV, as a measure for the others.
func (m *maker) keys() []measure.Workload {
	return []measure.Workload{
		m.workload("primitives/kv_get", "get one of 50,000 keys (original: 5 µs, aim 2)", m.getTrial),
		m.workload("primitives/kv_put", "put a new key (8 µs, aim 3)", putTrial),
		m.workload("primitives/kv_delete", "delete a key (8 µs, aim 3)", deleteTrial),
	}
}

func (w *world) loadKeys(ctx context.Context) error {
	_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
		for i := range loadedKeys {
			if _, err := tx.KV().Put(ctx, key(i), inmem.Int(int64(i))); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func (m *maker) getTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	g := measure.NewLCG(m.cfg.Seed, 0)
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		i := g.Below(loadedKeys)
		return w.expectInt(ctx, key(i), int64(i))
	}}, w.loadKeys(ctx)
}

func putTrial(_ context.Context, w *world) (*measure.Trial, error) {
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			if i >= mostKeys {
				return measure.ErrExhausted
			}
			_, err := w.run.KV().Put(ctx, key(i), inmem.Int(int64(i)))
			return err
		},
		Check: func(ctx context.Context, done []int) error {
			n, err := w.run.KV().Count(ctx, inmem.ScanOptions{})
			if err != nil {
				return err
			}
			return expectEqual("number of keys", n, sum(done))
		},
	}, nil
}

func deleteTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	return &measure.Trial{Op: func(ctx context.Context, _, i int) error {
		if i >= loadedKeys {
			return measure.ErrExhausted
		}
		existed, err := w.run.KV().Delete(ctx, key(i))
		if err != nil {
			return err
		}
		return expectEqual("a key that is deleted was there", existed, true)
	}}, w.loadKeys(ctx)
}

// cells are the operations of state cells.
func (m *maker) cells() []measure.Workload {
	return []measure.Workload{
		m.workload("primitives/cell_init", "init a new cell (10 µs, aim 5)", initTrial),
		m.workload("primitives/cell_cas", "compare-and-swap of a cell (10 µs, aim 4)", swapTrial),
		m.workload("primitives/cell_read", "load a cell (5 µs, aim 2)", loadTrial),
		m.workload("primitives/cell_transition", "fire a transition of a machine (15 µs, aim 7)",
			fireTrial),
	}
}

func initTrial(_ context.Context, w *world) (*measure.Trial, error) {
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			if i >= mostKeys {
				return measure.ErrExhausted
			}
			_, err := w.run.Cell(key(i)).Init(ctx, inmem.Int(int64(i)))
			return err
		},
		Check: func(ctx context.Context, done []int) error {
			n, err := w.run.Cells().Count(ctx, "")
			if err != nil {
				return err
			}
			return expectEqual("number of cells", n, sum(done))
		},
	}, nil
}

func swapTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	cell := w.run.Cell("counter")
	version, err := cell.Init(ctx, inmem.Int(0))
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) (err error) {
			version, err = cell.CompareAndSwap(ctx, version, inmem.Int(int64(i)+1))
			return err
		},
		Check: func(ctx context.Context, done []int) error {
			s, err := cell.Load(ctx)
			if err != nil {
				return err
			}
			return expectEqual("the cell", s.Value, inmem.Int(int64(sum(done))))
		},
	}, err
}

func loadTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	cell := w.run.Cell("counter")
	version, err := cell.Init(ctx, inmem.Int(7))
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		s, err := cell.Load(ctx)
		if err != nil {
			return err
		}
		if s.Version != version || s.Value != inmem.Int(7) {
			return measure.Wrongf("the cell holds %s at version %d", s.Value, s.Version)
		}
		return nil
	}}, err
}

// fireTrial goes round in a machine of three states.
func fireTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	states := []inmem.Value{
		inmem.String("idle"), inmem.String("thinking"), inmem.String("acting"),
	}
	cell := w.run.Cell("agent")
	_, err := cell.Define(ctx, inmem.Machine{Initial: "idle", Transitions: []inmem.Transition{
		{From: "idle", Event: "next", To: "thinking"},
		{From: "thinking", Event: "next", To: "acting"},
		{From: "acting", Event: "next", To: "idle"},
	}})
	if err != nil {
		return nil, err
	}
	_, err = cell.Init(ctx, states[0])
	return &measure.Trial{Op: func(ctx context.Context, _, i int) error {
		s, err := cell.Fire(ctx, "next")
		if err != nil {
			return err
		}
		return expectEqual("the state", s.Value, states[(i+1)%len(states)])
	}}, err
}
