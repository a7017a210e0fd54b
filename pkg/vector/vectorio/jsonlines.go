package vectorio

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

// longestLine is room for a vector of the greatest dimension with all digits, and for metadata.
const longestLine = 32 << 20

// jsonLines reads an object a line. Empty lines are passed over.
type jsonLines struct {
	*source
	line []byte
}

// jsonRow is one line. A name that is none of these is an error: it is more likely mistyped than
// meant to be left out.
type jsonRow struct {
	ID       string          `json:"id"`
	Vector   json.RawMessage `json:"vector"`
	Metadata *codec.Value    `json:"metadata"`
}

func (j *jsonLines) next() (Row, error) {
	for {
		if err := j.read(); err != nil {
			return Row{}, err
		}
		if len(bytes.TrimSpace(j.line)) > 0 {
			return j.decode()
		}
		j.row++
		j.begin = j.at
	}
}

// read reads the next line without its end. io.EOF is the end before it.
func (j *jsonLines) read() error {
	j.line = j.line[:0]
	for {
		part, err := j.in.ReadSlice('\n')
		j.at += int64(len(part))
		j.line = append(j.line, part...)
		switch {
		case len(j.line) > longestLine:
			return malformed("a line of more than %d bytes", longestLine)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(j.line) > 0:
			return nil // the last line needs no end
		default:
			return err
		}
	}
}

func (j *jsonLines) decode() (Row, error) {
	if !utf8.Valid(j.line) {
		return Row{}, malformed("the line is not UTF-8")
	}
	var in jsonRow
	d := json.NewDecoder(bytes.NewReader(j.line))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Row{}, malformed("the line ends inside its JSON")
		}
		return Row{}, malformed("%w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Row{}, malformed("something follows the JSON object")
	}
	row := Row{ID: in.ID}
	if in.Metadata != nil {
		row.Metadata = *in.Metadata
	}
	var err error
	row.Vector, err = numbers(in.Vector)
	return row, err
}

// numbers reads a JSON array of numbers, which is known to be JSON. Package json would make zeros
// of null.
func numbers(raw []byte) ([]float32, error) {
	inner, array := bytes.CutPrefix(raw, []byte("["))
	if !array {
		return nil, malformed("no array of numbers is called \"vector\"")
	}
	inner = bytes.TrimSpace(bytes.TrimSuffix(inner, []byte("]")))
	if len(inner) == 0 {
		return nil, dimension(0)
	}
	parts := bytes.Split(inner, []byte(","))
	if err := dimension(int64(len(parts))); err != nil {
		return nil, err
	}
	vector := make([]float32, len(parts))
	for i, part := range parts {
		x, err := strconv.ParseFloat(string(bytes.TrimSpace(part)), 32)
		if err != nil {
			return nil, malformed("number %d of the vector: %w", i, err)
		}
		vector[i] = float32(x)
	}
	return vector, nil
}
