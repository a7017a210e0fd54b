package inmem_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/invariants"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

// A search through the database allocates what it returns, about three times per hit, and a little
// that does not depend on how many rows there are or are returned.
func TestSearchAllocations(t *testing.T) {
	if invariants.Race || invariants.Enabled {
		t.Skip("the race detector and the assertions allocate themselves: ordinary builds count")
	}
	ctx := context.Background()
	db, err := inmem.Open("", &inmem.Options{Durability: inmem.None})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	run, err := db.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	c := run.Vectors("set")
	_, err = c.Create(ctx, inmem.CollectionOptions{Dim: 16, Metric: vector.L2})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	var rows []inmem.VectorRow
	for i := range 2000 {
		row := inmem.VectorRow{ID: fmt.Sprint(i), Vector: make([]float32, 16)}
		for d := range row.Vector {
			row.Vector[d] = float32(r.NormFloat64())
		}
		row.Metadata, err = inmem.ValueOf(map[string]any{"class": i % 100})
		require.NoError(t, err)
		rows = append(rows, row)
	}
	_, err = c.UpsertMany(ctx, rows)
	require.NoError(t, err)
	for _, k := range []int{1, 10, 40} {
		allocs := testing.AllocsPerRun(50, func() {
			found, err := c.Search(ctx, inmem.SearchOptions{Vector: rows[0].Vector, K: k})
			if err != nil || len(found.Hits) != k {
				t.Error(err, len(found.Hits))
			}
		})
		require.LessOrEqual(t, allocs, float64(35+k), "k = %d", k)
	}
}
