package vectorio

import (
	"encoding/binary"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
)

// npyMagic begins every npy file; two bytes of version follow.
const npyMagic = "\x93NUMPY"

// longestHeader is far beyond that of an array of numbers.
const longestHeader = 1 << 16

// npy reads NumPy's format: a header that is a literal of Python, then the numbers.
type npy struct {
	*source
	element string // its type, as in the header; empty before the header is read
	size    int    // bytes of an element
	width   int    // elements of a row
	left    int64  // rows to come
	buf     []byte
}

// elements are the types that are read, and their sizes.
var elements = map[string]int{"<f4": 4, "<f8": 8, "|i1": 1, "|u1": 1, "<i1": 1, "<u1": 1}

func (n *npy) next() (Row, error) {
	if n.element == "" {
		n.row = -1
		if err := n.header(); err != nil {
			return Row{}, err
		}
		n.row, n.begin = 0, n.at
		n.buf = make([]byte, n.size*n.width)
	}
	if n.left == 0 {
		return Row{}, n.end()
	}
	if err := n.inside(n.buf); err != nil {
		return Row{}, err
	}
	n.left--
	return n.decode()
}

// end makes sure that nothing follows the last row: a shape that says less than there is, is wrong.
func (s *source) end() error {
	if _, err := s.in.ReadByte(); err == nil {
		return malformed("something follows the last row")
	} else if err != io.EOF {
		return err
	}
	return io.EOF
}

func (n *npy) decode() (Row, error) {
	row := Row{Vector: make([]float32, n.width)}
	for i := range row.Vector {
		b := n.buf[i*n.size:]
		switch n.element[1:] {
		case "f4":
			row.Vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		case "f8":
			wide := math.Float64frombits(binary.LittleEndian.Uint64(b))
			row.Vector[i] = float32(wide)
			if math.IsInf(float64(row.Vector[i]), 0) && !math.IsInf(wide, 0) {
				return Row{}, malformed("element %d is %g, beyond a float32", i, wide)
			}
		case "i1":
			row.Vector[i] = float32(int8(b[0]))
		case "u1":
			row.Vector[i] = float32(b[0])
		}
	}
	return row, nil
}

func (n *npy) header() error {
	var head [8]byte
	if err := n.inside(head[:]); err != nil {
		return err
	}
	if string(head[:6]) != npyMagic {
		return malformed("it begins with %q, expected %q", head[:6], npyMagic)
	}
	length := make([]byte, 2)
	switch major := head[6]; major {
	case 1:
	case 2, 3:
		length = make([]byte, 4)
	default:
		return malformed("version %d, expected 1 to 3", major)
	}
	if err := n.inside(length); err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(append(length, 0, 0)[:4])
	if size > longestHeader {
		return malformed("of %d bytes, at most %d", size, longestHeader)
	}
	text := make([]byte, size)
	if err := n.inside(text); err != nil {
		return err
	}
	return n.parse(string(text))
}

// What a header says, in whatever order: {'descr': '<f4', 'fortran_order': False, 'shape': (9, 3)}.
var (
	npyDescr   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([^'"]*)['"]`)
	npyFortran = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([^)]*)\)`)
)

func (n *npy) parse(text string) error {
	descr, order := npyDescr.FindStringSubmatch(text), npyFortran.FindStringSubmatch(text)
	shape := npyShape.FindStringSubmatch(text)
	if descr == nil || order == nil || shape == nil {
		return malformed("%.200q, expected a descr, a fortran_order and a shape", text)
	}
	size := elements[descr[1]]
	if size == 0 {
		return malformed("elements of type %q, expected <f4, <f8, |i1 or |u1", descr[1])
	}
	if order[1] != "False" {
		return malformed("the array is stored column by column; store it in C order")
	}
	sides := strings.Split(strings.TrimSuffix(strings.ReplaceAll(shape[1], " ", ""), ","), ",")
	if len(sides) != 2 {
		return malformed("shape (%s), expected rows and columns", shape[1])
	}
	rows, err := strconv.ParseInt(sides[0], 10, 64)
	if err != nil || rows < 0 {
		return malformed("shape (%s) has no number of rows", shape[1])
	}
	width, err := strconv.ParseInt(sides[1], 10, 64)
	if err != nil {
		return malformed("shape (%s) has no dimension, expected 1 to %d", shape[1],
			codec.MaxDimension)
	}
	if err := dimension(width); err != nil {
		return err
	}
	n.element, n.size, n.width, n.left = descr[1], size, int(width), rows
	return nil
}
