package vectorio

import (
	"encoding/binary"
	"math"

	"github.com/inmem-db/inmem/pkg/codec"
)

// idx reads the format of MNIST: two zeros, the type of the elements, the number of dimensions, and
// their lengths, all big-endian. The first dimension counts the rows, the others are one row.
type idx struct {
	*source
	size  int // bytes of an element, 1 or 4; 0 before the header is read
	width int
	left  int64
	buf   []byte
}

// The types of elements that are read.
const (
	idxBytes  = 0x08 // without a sign
	idxFloats = 0x0d
)

func (x *idx) next() (Row, error) {
	if x.size == 0 {
		x.row = -1
		if err := x.header(); err != nil {
			return Row{}, err
		}
		x.row, x.begin = 0, x.at
		x.buf = make([]byte, x.size*x.width)
	}
	if x.left == 0 {
		return Row{}, x.end()
	}
	if err := x.inside(x.buf); err != nil {
		return Row{}, err
	}
	x.left--
	row := Row{Vector: make([]float32, x.width)}
	for i := range row.Vector {
		if x.size == 1 {
			row.Vector[i] = float32(x.buf[i])
		} else {
			row.Vector[i] = math.Float32frombits(binary.BigEndian.Uint32(x.buf[4*i:]))
		}
	}
	return row, nil
}

func (x *idx) header() error {
	var head [8]byte
	if err := x.inside(head[:]); err != nil {
		return err
	}
	if head[0] != 0 || head[1] != 0 {
		return malformed("it begins with %#x, expected two zeros", head[:2])
	}
	size := map[byte]int{idxBytes: 1, idxFloats: 4}[head[2]]
	if size == 0 {
		return malformed("elements of type %#x, expected %#x (bytes) or %#x (float32)", head[2],
			idxBytes, idxFloats)
	}
	x.left = int64(binary.BigEndian.Uint32(head[4:]))
	width := int64(1)
	for range max(int(head[3])-1, 0) {
		var side [4]byte
		if err := x.inside(side[:]); err != nil {
			return err
		}
		// Bounded before it is multiplied on, so that it cannot overflow.
		width *= int64(binary.BigEndian.Uint32(side[:]))
		if width > codec.MaxDimension {
			break
		}
	}
	if head[3] == 0 {
		width = 0
	}
	if err := dimension(width); err != nil {
		return err
	}
	x.size, x.width = size, int(width)
	return nil
}
