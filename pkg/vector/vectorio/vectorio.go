package vectorio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Format is a file format for vectors.
type Format string

// The formats. Ivecs is not among them: it holds no vectors.
const (
	FormatFvecs     Format = "fvecs"
	FormatNpy       Format = "npy"
	FormatIdx       Format = "idx"
	FormatJSONLines Format = "jsonl"
)

// ErrFormat is what every *Error wraps that the bytes of the file are to blame for.
var ErrFormat = errors.New("not in the format")

// Error says where in a file reading ended. It wraps ErrFormat, or the error of the reader.
type Error struct {
	// Format is that of the file ("ivecs" for lists of neighbours).
	Format Format
	// Row counts from 0; -1 is the header. Of JSON lines it counts the lines, empty ones included.
	Row int
	// Offset is where in the file the row, or the header, begins, in bytes.
	Offset int64
	// Err says what was found and what was expected.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	what := fmt.Sprintf("row %d", e.Row)
	if e.Row < 0 {
		what = "header"
	}
	return fmt.Sprintf("%s: %s at byte %d: %v", e.Format, what, e.Offset, e.Err)
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// Row is one vector of a file, with what else the format has. It belongs to the caller.
type Row struct {
	// ID is the row's name; empty where the file gives none.
	ID string
	// Vector has the same dimension in all rows of a file, 1 to codec.MaxDimension.
	Vector []float32
	// Metadata is Null where the file gives none.
	Metadata codec.Value

	_ struct{}
}

// FormatOf finds the format by the end of a file's name: .fvecs, .npy, .jsonl or .ndjson, and .idx
// or the -idx3-ubyte of MNIST. Errors: codec.ErrInvalidArgument for any other.
func FormatOf(name string) (Format, error) {
	switch ext := strings.ToLower(path.Ext(name)); {
	case ext == ".fvecs":
		return FormatFvecs, nil
	case ext == ".npy":
		return FormatNpy, nil
	case ext == ".jsonl" || ext == ".ndjson":
		return FormatJSONLines, nil
	case ext == ".idx" || strings.HasSuffix(name, "-ubyte"):
		return FormatIdx, nil
	}
	return "", fmt.Errorf("%w: no format of vectors is known by the end of the name %q, "+
		"expected .fvecs, .npy, .jsonl or .idx", codec.ErrInvalidArgument, name)
}

// Rows yields the vectors of a file in its order. It reads ahead a little, keeps nothing, and can
// be iterated once, by one goroutine. An error is yielded once and last: an *Error, or
// codec.ErrInvalidArgument for a format that is none.
//
// A file that ends within a row is an error; one that ends before its first row has no rows.
// Memory: one row, and 64 KiB.
func Rows(f Format, r io.Reader) iter.Seq2[Row, error] {
	s := newSource(f, r)
	switch f {
	case FormatFvecs:
		return s.rows(s.fvecs())
	case FormatNpy:
		return s.rows(&npy{source: s})
	case FormatIdx:
		return s.rows(&idx{source: s})
	case FormatJSONLines:
		return s.rows(&jsonLines{source: s})
	}
	return func(yield func(Row, error) bool) {
		yield(Row{}, fmt.Errorf("%w: no format of vectors is called %q", codec.ErrInvalidArgument, f))
	}
}

// parser reads one format.
type parser interface {
	// next reads the next row; io.EOF between rows is the end.
	next() (Row, error)
}

// source is a file that is being read.
type source struct {
	format Format
	in     *bufio.Reader
	row    int   // number of the row that is being read
	begin  int64 // offset of that row
	at     int64 // offset of what is read next
	dim    int   // of the rows so far, 0 before the first
}

func newSource(f Format, r io.Reader) *source {
	return &source{format: f, in: bufio.NewReaderSize(r, 64<<10)}
}

// rows yields what a parser finds, and checks that all rows are of one dimension.
func (s *source) rows(p parser) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for {
			s.begin = s.at
			row, err := p.next()
			if err == nil && s.dim != 0 && len(row.Vector) != s.dim {
				err = malformed("dimension %d, the rows before have %d", len(row.Vector), s.dim)
			}
			if errors.Is(err, io.EOF) && !errors.Is(err, ErrFormat) {
				return
			}
			if err != nil {
				yield(Row{}, s.failed(err))
				return
			}
			s.dim = len(row.Vector)
			if !yield(row, nil) {
				return
			}
			s.row++
		}
	}
}

func (s *source) failed(err error) error {
	return &Error{Format: s.format, Row: s.row, Offset: s.begin, Err: err}
}

// fill reads exactly len(p) bytes. The end before the first one is io.EOF.
func (s *source) fill(p []byte) error {
	n, err := io.ReadFull(s.in, p)
	s.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("the file ends after %d of %d bytes", n, len(p))
	}
	return err
}

// inside is fill where the end of the file is an error.
func (s *source) inside(p []byte) error {
	err := s.fill(p)
	if errors.Is(err, io.EOF) && len(p) > 0 {
		return malformed("the file ends before %d more bytes", len(p))
	}
	return err
}

// dimension checks a count of components.
func dimension(n int64) error {
	if n < 1 || n > codec.MaxDimension {
		return malformed("dimension %d, expected 1 to %d", n, codec.MaxDimension)
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}
