package inmem_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R211: a fork costs the same whatever its parent holds, in bytes logged, keys kept in memory and
// reads of the store; so does the first write to it.
func TestR211ForkCostsTheSame(t *testing.T) {
	type cost struct {
		bytes, reads uint64
		keys         int64
	}
	of := func(n int) (all []cost) {
		d, run := runOf(t, n)
		ctx := t.Context()
		_, err := run.Fork(ctx, inmem.ForkOptions{}) // what is done once
		require.NoError(t, err)
		for range 5 {
			before := d.Metrics()
			fork, err := run.Fork(ctx, inmem.ForkOptions{})
			require.NoError(t, err)
			_, err = fork.KV().Put(ctx, "mine", inmem.Int(1))
			require.NoError(t, err)
			after := d.Metrics()
			all = append(all, cost{
				bytes: after.BytesLogged - before.BytesLogged,
				reads: after.StoreReads - before.StoreReads,
				keys:  after.MemoryKeys - before.MemoryKeys,
			})
			n, err := fork.KV().Exists(ctx, fmt.Sprintf("key/%032d", 3))
			require.NoError(t, err)
			require.True(t, n)
		}
		return all
	}
	small, large := of(10), of(20_000)
	for i := range small {
		require.InDelta(t, small[i].bytes, large[i].bytes, 40, "versions differ in length")
		require.Equal(t, small[i].keys, large[i].keys)
		require.LessOrEqual(t, large[i].reads, small[i].reads+2)
	}
	t.Logf("of ten keys %+v, of twenty thousand %+v", small[0], large[0])
}
