package transcript

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// space are the bytes that JSON passes over between tokens.
const space = " \t\r\n"

// bom is the byte order mark that some editors put before a text in UTF-8.
var bom = []byte("\xef\xbb\xbf")

// frame follows JSON byte by byte, just far enough to know where a value ends. It takes every
// bracket for its counterpart's: the parser judges.
type frame struct {
	depth             int
	inString, escaped bool
}

// step takes a byte and says whether it ends a value that began with a bracket or a quote.
func (f *frame) step(c byte) bool {
	if f.inString {
		switch {
		case f.escaped:
			f.escaped = false
		case c == '\\':
			f.escaped = true
		case c == '"':
			f.inString = false
			return f.depth == 0
		}
		return false
	}
	switch c {
	case '"':
		f.inString = true
	case '{', '[':
		f.depth++
	case '}', ']':
		f.depth--
		return f.depth <= 0
	}
	return false
}

// raw is one record as it lies in its source.
type raw struct {
	number, offset int64 // from 1; of the first byte
	data           []byte
}

// scanner cuts a source into records. It holds one at a time, of at most limit bytes.
//
// Invariant: offset is that of the next byte of r.
type scanner struct {
	ctx    context.Context
	source string
	r      *bufio.Reader
	shape  shape
	limit  int

	offset, number int64
	begun          bool  // the array has been entered
	ended          bool  // there is nothing more, or nothing more can be made out
	f              frame // inside the current value
	midway         bool  // the current value was too large, and its rest is still to be passed over
}

// next returns the next record, whose data belong to the caller, or io.EOF. After a *RecordError it
// can be called again if that was one record's fault, otherwise it answers io.EOF.
func (s *scanner) next() (raw, error) {
	if s.midway {
		s.midway = false
		if err := s.passOver(); err != nil {
			return raw{}, s.failed(err)
		}
	}
	if s.ended {
		return raw{}, io.EOF
	}
	if err := s.ctx.Err(); err != nil {
		return raw{}, err
	}
	if err := s.toNext(); err != nil {
		s.ended = true
		return raw{}, s.failed(err)
	}
	s.number++
	x := raw{number: s.number, offset: s.offset}
	var err error
	if s.shape == shapeLines {
		x.data, err = s.line()
	} else {
		x.data, err = s.value()
	}
	if err != nil {
		return raw{}, s.fault(x.offset, err)
	}
	return x, nil
}

// failed wraps an error of reading, and says where; what is malformed comes as it is.
func (s *scanner) failed(err error) error {
	var at *RecordError
	if errors.Is(err, io.EOF) || errors.As(err, &at) {
		return err
	}
	return fmt.Errorf("read %s at offset %d: %w", s.source, s.offset, err)
}

// fault makes an error about the current record.
func (s *scanner) fault(offset int64, err error) error {
	var plain *notJSON
	if !errors.As(err, &plain) && !errors.Is(err, inmem.ErrTooLarge) {
		s.ended = true
		return s.failed(err)
	}
	return &RecordError{Source: s.source, Record: s.number, Offset: offset, Err: err}
}

// toNext goes to the first byte of the next record. Errors: io.EOF at the end.
func (s *scanner) toNext() error {
	c, err := s.peekToken()
	if s.begun && errors.Is(err, io.EOF) {
		return s.lost("the source ends inside its array")
	}
	if err != nil || s.shape != shapeElements {
		return err
	}
	closed := false
	switch {
	case !s.begun && c == '[':
		s.begun = true
		s.skip(1)
		if c, err = s.peekToken(); err == nil {
			closed = c == ']'
		}
	case !s.begun:
		return s.lost("found %q, expected an array", c)
	case c == ',':
		s.skip(1)
		if c, err = s.peekToken(); err == nil && (c == ']' || c == ',') {
			return s.lost("found %q, expected a record", c)
		}
	case c == ']':
		closed = true
	default:
		return s.lost("found %q between records, expected ',' or ']'", c)
	}
	if errors.Is(err, io.EOF) {
		return s.lost("the source ends inside its array")
	}
	if err != nil || !closed {
		return err
	}
	s.skip(1)
	if c, err = s.peekToken(); err == nil {
		return s.lost("found %q behind the array, expected the end", c)
	}
	return err
}

// lost is the error after which no further record can be made out.
func (s *scanner) lost(format string, args ...any) error {
	s.ended = true
	return &RecordError{Source: s.source, Record: s.number + 1, Offset: s.offset, Fatal: true,
		Err: broken(0, format, args...)}
}

// peekToken passes over space and returns the byte behind it, which it leaves.
func (s *scanner) peekToken() (byte, error) {
	for {
		b, err := s.r.Peek(1)
		switch {
		case err != nil:
			return 0, err
		case bytes.IndexByte([]byte(space), b[0]) < 0:
			return b[0], nil
		}
		s.skip(1)
	}
}

// skip drops bytes that were peeked at.
func (s *scanner) skip(n int) {
	n, _ = s.r.Discard(n)
	s.offset += int64(n)
}

// line reads up to the end of the line.
func (s *scanner) line() ([]byte, error) {
	var data []byte
	for {
		part, err := s.r.ReadSlice('\n')
		s.offset += int64(len(part))
		if len(data)+len(part) > s.limit {
			s.midway = !bytes.HasSuffix(part, []byte("\n"))
			return nil, tooLarge(s.limit)
		}
		data = append(data, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return bytes.TrimRight(data, space), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// value reads one JSON value: something in brackets or quotes, or else up to the next separator.
func (s *scanner) value() ([]byte, error) {
	s.f = frame{}
	var data []byte
	for {
		part, done, err := s.chunk(len(data) == 0)
		if err != nil {
			return nil, err
		}
		if len(data)+len(part) > s.limit {
			s.skip(len(part))
			s.midway = !done
			return nil, tooLarge(s.limit)
		}
		data = append(data, part...)
		s.skip(len(part))
		if done {
			return data, nil
		}
	}
}

// chunk returns what is buffered of the current value, which it leaves there, and whether that is
// the end of it.
func (s *scanner) chunk(first bool) (part []byte, done bool, err error) {
	if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
		s.ended = true
		return nil, false, broken(0, "the source ends inside the record")
	} else if err != nil {
		return nil, false, err
	}
	part, _ = s.r.Peek(s.r.Buffered())
	if first && !bytes.ContainsAny(part[:1], `{["`) {
		return s.scalar()
	}
	for i, c := range part {
		if s.f.step(c) {
			return part[:i+1], true, nil
		}
	}
	return part, false, nil
}

// maxScalar is how long a value without brackets and quotes may be: no record is one, and what it
// was to be is said in its error.
const maxScalar = 1 << 10

// scalar returns what stands where a record should begin, up to what may separate it from the next.
func (s *scanner) scalar() ([]byte, bool, error) {
	part, err := s.r.Peek(maxScalar)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	n := bytes.IndexAny(part, space+",{[]}")
	switch {
	case n < 0 && len(part) == maxScalar:
		s.ended = true
		return nil, false, broken(0, "%.20q... is no record", part)
	case n < 0:
		n = len(part)
	}
	return part[:max(n, 1)], true, nil
}

// passOver goes to the end of a value, or line, that was too large.
func (s *scanner) passOver() error {
	for {
		var part []byte
		var err error
		done := false
		if s.shape == shapeLines {
			part, err = s.r.ReadSlice('\n')
			s.offset += int64(len(part))
			if done = err == nil; errors.Is(err, bufio.ErrBufferFull) {
				err = nil
			}
		} else {
			part, done, err = s.chunk(false)
			s.skip(len(part))
		}
		var cut *notJSON
		if errors.Is(err, io.EOF) || errors.As(err, &cut) {
			s.ended = true
			return nil
		}
		if err != nil || done {
			return err
		}
	}
}

func tooLarge(limit int) error {
	return fmt.Errorf("%w: the record has more than %d bytes", inmem.ErrTooLarge, limit)
}
