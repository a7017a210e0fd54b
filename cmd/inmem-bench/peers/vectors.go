package main

import (
	"context"
	"strconv"

	"github.com/coder/hnsw"
	chromem "github.com/philippgille/chromem-go"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/vectors"
	"github.com/inmem-db/inmem/pkg/vector"
)

// coderIndex is a graph of coder/hnsw with as many links as ours.
type coderIndex struct{ graph *hnsw.Graph[int] }

func coderPeer() vectors.Peer {
	return vectors.Peer{
		Name: "coder", Version: engine.ModuleVersion("github.com/coder/hnsw"),
		About: "coder/hnsw: a graph in memory, float32; its search ends at the first node that is no " +
			"better",
		Widths: []int{16, 64, 256},
		New: func(int, int, vector.Metric) (vectors.PeerIndex, error) {
			g := hnsw.NewGraph[int]()
			g.M, g.Distance = 16, hnsw.CosineDistance
			return coderIndex{g}, nil
		},
	}
}

func (c coderIndex) Add(_ context.Context, row int, v []float32) error {
	c.graph.Add(hnsw.MakeNode(row, v))
	return nil
}

func (c coderIndex) Search(_ context.Context, dst []int, q []float32, k, width int) ([]int, error) {
	if width == 0 {
		width = 20 // its default
	}
	c.graph.EfSearch = width
	for _, n := range c.graph.Search(q, k) {
		dst = append(dst, n.Key)
	}
	return dst, nil
}

// chromemIndex is a collection of chromem-go, which looks at all rows.
type chromemIndex struct{ rows *chromem.Collection }

func chromemPeer() vectors.Peer {
	return vectors.Peer{
		Name: "chromem", Version: engine.ModuleVersion("github.com/philippgille/chromem-go"),
		About: "chromem-go: documents in memory, compared one by one by all processors",
		New: func(int, int, vector.Metric) (vectors.PeerIndex, error) {
			c, err := chromem.NewDB().CreateCollection("rows", nil, nil)
			return chromemIndex{c}, err
		},
	}
}

func (c chromemIndex) Add(ctx context.Context, row int, v []float32) error {
	// It normalises what it is given in place.
	own := append([]float32(nil), v...)
	return c.rows.AddDocument(ctx, chromem.Document{ID: strconv.Itoa(row), Embedding: own})
}

func (c chromemIndex) Search(ctx context.Context, dst []int, q []float32, k, _ int) ([]int, error) {
	own := append([]float32(nil), q...)
	found, err := c.rows.QueryEmbedding(ctx, own, k, nil, nil)
	if err != nil {
		return dst, err
	}
	for _, r := range found {
		row, err := strconv.Atoi(r.ID)
		if err != nil {
			return dst, err
		}
		dst = append(dst, row)
	}
	return dst, nil
}
