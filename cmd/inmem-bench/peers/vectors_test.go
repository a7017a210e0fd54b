package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/vector"
)

// Both find a row that is asked for by itself, and number rows as we do.
func TestIndexesFindARow(t *testing.T) {
	for _, p := range indexes() {
		ix, err := p.New(3, 4, vector.Cosine)
		require.NoError(t, err)
		rows := [][]float32{{1, 0, 0}, {0, 2, 0}, {0, 0, 3}, {1, 1, 1}}
		for i, v := range rows {
			require.NoError(t, ix.Add(t.Context(), i, v))
		}
		found, err := ix.Search(t.Context(), nil, []float32{0, 1, 0.1}, 1, 0)
		require.NoError(t, err)
		require.Equal(t, []int{1}, found, p.Name)
		require.Equal(t, []float32{0, 2, 0}, rows[1], "what was given is as it was")
	}
}
