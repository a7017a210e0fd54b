//go:build hnswlib && cgo

package main

import (
	"context"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/vectors"
	"github.com/inmem-db/inmem/cmd/inmem-bench/peers/hnswlib"
	"github.com/inmem-db/inmem/pkg/vector"
)

// hnswlibIndex is a graph of hnswlib.
type hnswlibIndex struct{ *hnswlib.Index }

// filteredIndex is one of headers that know filters.
type filteredIndex struct{ hnswlibIndex }

func nativePeers() []vectors.Peer {
	return []vectors.Peer{{
		Name: "hnswlib", Version: "of the headers at hand",
		About:   "hnswlib (C++, -O3 -march=native): a graph in memory, float32",
		Widths:  []int{16, 32, 64, 128, 256},
		Metrics: []vector.Metric{vector.Cosine, vector.L2},
		Filters: hnswlib.Filters(),
		New: func(dim, rows int, m vector.Metric) (vectors.PeerIndex, error) {
			ix, err := hnswlib.New(dim, m == vector.L2, rows)
			if hnswlib.Filters() {
				return filteredIndex{hnswlibIndex{ix}}, err
			}
			return hnswlibIndex{ix}, err
		},
	}}
}

func (h hnswlibIndex) Add(_ context.Context, row int, v []float32) error {
	return h.Index.Add(row, v)
}

func (h hnswlibIndex) Search(_ context.Context, dst []int, q []float32, k, width int,
) ([]int, error) {
	if width == 0 {
		width = 128 // as ours
	}
	return h.Index.Search(dst, q, k, max(width, k), nil)
}

func (f filteredIndex) SearchAllowed(_ context.Context, dst []int, q []float32, k, width int,
	allowed []uint8,
) ([]int, error) {
	return f.Index.Search(dst, q, k, max(width, k), allowed)
}
