//go:build hnswlib && cgo

package hnswlib

// #cgo CXXFLAGS: -std=c++17 -O3 -march=native
// #include "bridge.h"
import "C"

import (
	"errors"
	"math"
	"runtime"
	"unsafe"
)

// Filters tells whether the headers that this was built from can search with a filter.
func Filters() bool { return C.hnsw_filters() != 0 }

// Index is a graph in the memory of C++. It is not safe for concurrent use.
type Index struct {
	index  unsafe.Pointer
	cosine bool
	room   []float32
	labels []C.uint64_t
}

// New makes an empty index for so many rows, compared by squared distance or by cosine, with 16
// links a node and a width of construction of 200, as ours has.
func New(dim int, l2 bool, rows int) (*Index, error) {
	distance := C.int(0)
	if l2 {
		distance = 1
	}
	p := C.hnsw_new(C.size_t(dim), distance, C.size_t(rows), 16, 200)
	if p == nil {
		return nil, errors.New("hnswlib: no memory for the index")
	}
	ix := &Index{index: p, cosine: !l2, room: make([]float32, dim)}
	runtime.AddCleanup(ix, func(p unsafe.Pointer) { C.hnsw_free(p) }, p)
	return ix, nil
}

// Add adds a row under its number.
func (ix *Index) Add(row int, v []float32) error {
	if C.hnsw_add(ix.index, ix.held(v), C.size_t(row)) != 0 {
		return errors.New("hnswlib: a row was refused")
	}
	runtime.KeepAlive(ix)
	return nil
}

// Search appends the numbers of the k nearest rows to dst, from the farthest to the nearest.
// allowed has a byte per row, not 0 where it may be found; nil allows all.
func (ix *Index) Search(dst []int, q []float32, k, width int, allowed []uint8) ([]int, error) {
	if cap(ix.labels) < k {
		ix.labels = make([]C.uint64_t, k)
	}
	var set *C.uint8_t
	if allowed != nil {
		set = (*C.uint8_t)(unsafe.Pointer(&allowed[0]))
	}
	n := C.hnsw_search(ix.index, ix.held(q), C.size_t(k), C.size_t(width), set, &ix.labels[0])
	runtime.KeepAlive(ix)
	if n < 0 {
		return dst, errors.New("hnswlib: the search failed")
	}
	for _, label := range ix.labels[:n] {
		dst = append(dst, int(label))
	}
	return dst, nil
}

// held is a vector as the index holds it: by cosine of length 1, since only products are compared.
func (ix *Index) held(v []float32) *C.float {
	if ix.cosine {
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		scale := 1 / math.Sqrt(max(sum, math.SmallestNonzeroFloat64))
		for i, x := range v {
			ix.room[i] = float32(float64(x) * scale)
		}
		v = ix.room
	}
	return (*C.float)(unsafe.Pointer(&v[0]))
}
