package inmem_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R194, R210: what deleted runs took is given back at once when that is asked for, and what lies
// between them stays.
func TestR194ReclaimDeletedRuns(t *testing.T) {
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(1, 194))
	var runs []*inmem.Run
	for i := range 40 {
		r, err := d.BeginRun(ctx, inmem.RunOptions{Tags: []string{fmt.Sprint(i == 17)}})
		require.NoError(t, err)
		for k := range 20 {
			value := make([]byte, 20_000)
			for j := range value {
				value[j] = byte(rng.Uint32())
			}
			_, err := r.KV().Put(ctx, fmt.Sprint(k), inmem.Bytes(value))
			require.NoError(t, err)
		}
		runs = append(runs, r)
	}
	for i, r := range runs {
		if i != 17 {
			require.NoError(t, d.DeleteRun(ctx, r.ID()))
		}
	}
	done, err := d.Reclaim(ctx)
	require.NoError(t, err)
	require.Less(t, done.After, uint64(2<<20), "%+v", done)
	n, err := runs[17].KV().Count(ctx, inmem.ScanOptions{})
	require.NoError(t, err)
	require.Equal(t, 20, n)
	done, err = d.Reclaim(ctx)
	require.NoError(t, err)
	require.Zero(t, done)
}
