package inmem_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R134: a view that is closed while it is scanned shows nothing more, also of what was read ahead,
// and says so, also at the limit of the scan.
func TestR134ViewClosedDuringAScan(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		_, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
			for i := range 200 {
				if _, err := tx.KV().Put(ctx, fmt.Sprintf("%03d", i), inmem.Int(int64(i))); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
		at := w.Version()
		for _, limit := range []int{0, 16, 20, 1} {
			for _, last := range []int{0, 15, 16, 40} {
				o := inmem.ScanOptions{Limit: limit}
				for _, scan := range []func(inmem.KV, func(string, error) bool){
					func(k inmem.KV, yield func(string, error) bool) { k.List(ctx, o)(yield) },
					func(k inmem.KV, yield func(string, error) bool) {
						for pair, err := range k.Scan(ctx, o) {
							if !yield(pair.Key, err) {
								return
							}
						}
					},
				} {
					v, err := w.run.At(ctx, at)
					require.NoError(t, err)
					var got []string
					failed := error(nil)
					scan(v.KV(), func(key string, err error) bool {
						if failed = err; err != nil {
							return false
						}
						if got = append(got, key); len(got) == last+1 {
							require.NoError(t, v.Close())
						}
						return true
					})
					require.NoError(t, v.Close())
					if limit > 0 && limit <= last+1 {
						require.NoError(t, failed)
						require.Len(t, got, limit)
						continue
					}
					require.ErrorIs(t, failed, inmem.ErrTxnDone, "%d %d", limit, last)
					require.Len(t, got, last+1)
				}
			}
		}
		n, err := w.run.KV().Count(ctx, inmem.ScanOptions{Limit: 150})
		require.NoError(t, err)
		require.Equal(t, 150, n)
	})
}
