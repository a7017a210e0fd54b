//go:build !race

package inmem_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Get of a string, bytes or scalar that is in memory allocates nothing, nor does a miss; a put
// allocates little. Only on the real engine: the model copies.
func TestAllocations(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	k, ctx := w.run.KV(), w.ctx()
	for i := range 1000 {
		_, err := k.Put(ctx, fmt.Sprint(i), inmem.String("a string of ordinary length"))
		require.NoError(t, err)
	}
	_, err := k.Put(ctx, "bytes", inmem.Bytes(make([]byte, 100)))
	require.NoError(t, err)
	_, err = k.Put(ctx, "int", inmem.Int(1))
	require.NoError(t, err)
	get := func(k inmem.KV, key string) func() {
		return func() {
			if _, _, err := k.Get(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, key := range []string{"1", "999", "bytes", "int", "absent"} {
		require.Zero(t, testing.AllocsPerRun(1000, get(k, key)), "get %s", key)
	}
	require.NoError(t, w.run.View(ctx, func(v *inmem.View) error {
		require.Zero(t, testing.AllocsPerRun(1000, get(v.KV(), "1")), "get in a view")
		return nil
	}))
	_, err = w.run.Update(ctx, func(tx *inmem.Tx) error {
		require.Zero(t, testing.AllocsPerRun(1000, get(tx.KV(), "1")), "get in a transaction")
		return nil
	})
	require.NoError(t, err)
	for _, o := range []inmem.ScanOptions{{Limit: 1}, {}} { // nothing per key
		scan := testing.AllocsPerRun(100, func() {
			for _, err := range k.Scan(ctx, o) {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		t.Logf("scan, limit %d: %.1f allocations", o.Limit, scan)
		require.LessOrEqual(t, scan, 2.0)
	}
	value := inmem.String("another string")
	put := testing.AllocsPerRun(1000, func() {
		if _, err := k.Put(ctx, "1", value); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("put: %.1f allocations", put)
	require.LessOrEqual(t, put, 2.0)
	update := testing.AllocsPerRun(1000, func() {
		_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
			if _, _, err := tx.KV().Get(ctx, "1"); err != nil {
				return err
			}
			_, err := tx.KV().Put(ctx, "1", value)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("update of one get and one put: %.1f allocations", update)
	require.LessOrEqual(t, update, 4.0)
}

func BenchmarkGet(b *testing.B) {
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			w := newWorld(b, e, nil)
			w.put("k", "a string of ordinary length")
			k, ctx := w.run.KV(), w.ctx()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := k.Get(ctx, "k"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpdateGetPut(b *testing.B) {
	w := newWorld(b, engines[1], nil)
	w.put("k", "v")
	ctx, value := w.ctx(), inmem.String("w")
	b.ReportAllocs()
	for b.Loop() {
		_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
			if _, _, err := tx.KV().Get(ctx, "k"); err != nil {
				return err
			}
			_, err := tx.KV().Put(ctx, "k", value)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	w := newWorld(b, engines[1], nil)
	k, ctx, value := w.run.KV(), w.ctx(), inmem.String("w")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Put(ctx, "k", value); err != nil {
			b.Fatal(err)
		}
	}
}
