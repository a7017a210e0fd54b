package vectorio

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"math"
)

// vecs reads fvecs and ivecs: per row a count and so many numbers of four bytes.
type vecs struct {
	*source
	buf []byte
}

func (s *source) fvecs() parser { return &vecs{source: s} }

// raw reads one row; it is valid until the next.
func (v *vecs) raw() ([]byte, error) {
	var head [4]byte
	if err := v.fill(head[:]); err != nil {
		return nil, err
	}
	n := int64(int32(binary.LittleEndian.Uint32(head[:])))
	if err := dimension(n); err != nil {
		return nil, err
	}
	if int64(cap(v.buf)) < 4*n {
		v.buf = make([]byte, 4*n)
	}
	raw := v.buf[:4*n]
	return raw, v.inside(raw)
}

func (v *vecs) next() (Row, error) {
	raw, err := v.raw()
	if err != nil {
		return Row{}, err
	}
	row := Row{Vector: make([]float32, len(raw)/4)}
	for i := range row.Vector {
		row.Vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return row, nil
}

// Ivecs yields the lists of an ivecs file: the true neighbours of queries, by their row numbers.
// Otherwise it is as Rows; the lists may be of different lengths.
func Ivecs(r io.Reader) iter.Seq2[[]int32, error] {
	v := &vecs{source: newSource("ivecs", r)}
	return func(yield func([]int32, error) bool) {
		for ; ; v.row++ {
			v.begin = v.at
			raw, err := v.raw()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, v.failed(err))
				return
			}
			list := make([]int32, len(raw)/4)
			for i := range list {
				list[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
			}
			if !yield(list, nil) {
				return
			}
		}
	}
}
