package footprint

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// step is one operation whose allocations are counted.
type step struct {
	name, about string
	units       int // things that it does; 0 is one
	// do makes the operation of a world that has a thousand keys.
	do func(ctx context.Context, w *world) (func(ctx context.Context, i int) error, error)
}

// allocations are operations in a database of a thousand keys. The allocations of the whole process
// are counted, those of background work included.
func (m *maker) allocations() []measure.Workload {
	var all []measure.Workload
	for _, s := range []step{
		{"get", "get a key", 0, getStep},
		{"get_absent", "get a key that is not there", 0, absentStep},
		{"put", "put a key", 0, putStep},
		{"txn_get_put", "transaction of a get and a put", 0, txnStep},
		{"begin", "begin a transaction, and roll it back", 0, beginStep},
		{"view", "open a view, get a key, close it", 0, viewStep},
		{"append", "append an event", 0, appendStep},
		{"cell_cas", "compare-and-swap of a cell", 0, swapStep},
		{"span", "record a span", 0, spanStep},
		{"scan_1000", "scan a thousand keys", scanKeys, scanStep},
		{"fork", "fork a run", 0, forkStep},
	} {
		w := measure.Workload{Name: "allocs/" + s.name, About: s.about, Units: s.units}
		if s.units > 0 {
			w.Unit = "keys"
		}
		w.Setup = func(ctx context.Context, dir string) (*measure.Trial, error) {
			in, err := m.world(ctx, dir)
			if err != nil {
				return nil, err
			}
			if err := thousand(ctx, in, 0); err != nil {
				return nil, errors.Join(err, in.db.Close())
			}
			do, err := s.do(ctx, in)
			if err != nil {
				return nil, errors.Join(err, in.db.Close())
			}
			return &measure.Trial{
				Op:    func(ctx context.Context, _, i int) error { return do(ctx, i) },
				Close: in.db.Close,
			}, nil
		}
		all = append(all, w)
	}
	return all
}

// someKey is a key that is there, made once: making it is not what is counted.
var (
	someKey   = keyOf(7)
	someValue = valueOf(7)
)

func expectSome(ctx context.Context, kv inmem.KV) error {
	v, found, err := kv.Get(ctx, someKey)
	if err == nil && (!found || v != someValue) {
		return measure.Wrongf("key %s: found %t, %s", someKey, found, v)
	}
	return err
}

func getStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	kv := w.run.KV()
	return func(ctx context.Context, _ int) error { return expectSome(ctx, kv) }, nil
}

func absentStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	kv := w.run.KV()
	return func(ctx context.Context, _ int) error {
		_, found, err := kv.Get(ctx, "absent")
		if err == nil && found {
			return measure.Wrongf("a key is there that nobody put")
		}
		return err
	}, nil
}

func putStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	kv, last := w.run.KV(), uint64(0)
	return func(ctx context.Context, _ int) error {
		version, err := kv.Put(ctx, someKey, someValue)
		if err == nil && version <= last {
			return measure.Wrongf("version %d after %d", version, last)
		}
		last = version
		return err
	}, nil
}

func txnStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	return func(ctx context.Context, _ int) error {
		_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
			kv := tx.KV()
			if err := expectSome(ctx, kv); err != nil {
				return err
			}
			_, err := kv.Put(ctx, someKey, someValue)
			return err
		})
		return err
	}, nil
}

func beginStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	return func(ctx context.Context, _ int) error {
		tx, err := w.run.Begin(ctx, inmem.TxOptions{})
		if err != nil {
			return err
		}
		return tx.Rollback()
	}, nil
}

func viewStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	return func(ctx context.Context, _ int) error {
		return w.run.View(ctx, func(v *inmem.View) error { return expectSome(ctx, v.KV()) })
	}, nil
}

func appendStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	events := w.run.Events()
	return func(ctx context.Context, i int) error {
		a, err := events.Append(ctx, "tool_call", someValue)
		if err == nil && a.Seq != uint64(i) {
			return measure.Wrongf("event %d has number %d", i, a.Seq)
		}
		return err
	}, nil
}

func swapStep(ctx context.Context, w *world) (func(context.Context, int) error, error) {
	cell := w.run.Cell("counter")
	version, err := cell.Init(ctx, someValue)
	return func(ctx context.Context, _ int) (err error) {
		version, err = cell.CompareAndSwap(ctx, version, someValue)
		return err
	}, err
}

func spanStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	traces := w.run.Traces()
	return func(ctx context.Context, _ int) error {
		id, err := traces.Record(ctx, inmem.Span{Type: inmem.SpanToolCall, Name: "search"})
		if err == nil && id == "" {
			return measure.Wrongf("a span without a name")
		}
		return err
	}, nil
}

// scanKeys is how many keys there are to scan.
const scanKeys = 1000

func scanStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	kv := w.run.KV()
	return func(ctx context.Context, _ int) error {
		n := 0
		for _, err := range kv.Scan(ctx, inmem.ScanOptions{}) {
			if err != nil {
				return err
			}
			n++
		}
		if n != scanKeys {
			return fmt.Errorf("scan: %w", measure.Wrongf("%d keys, expected %d", n, scanKeys))
		}
		return nil
	}, nil
}

func forkStep(_ context.Context, w *world) (func(context.Context, int) error, error) {
	return func(ctx context.Context, i int) error {
		child, err := w.run.Fork(ctx, inmem.ForkOptions{})
		if err == nil && i%100 == 0 {
			err = expectSome(ctx, child.KV())
		}
		return err
	}, nil
}
