package vectors

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/pkg/vector"
	"github.com/inmem-db/inmem/pkg/vector/vectorio"
)

// fashion is where Fashion-MNIST lies, if Debian's package dataset-fashion-mnist is installed.
func fashion() string {
	for _, pattern := range []string{
		"/usr/share/*fashion-mnist*/train-images-idx3-ubyte*",
		"/usr/share/*/*fashion-mnist*/train-images-idx3-ubyte*",
	} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

// fromFile reads a set: any format of package vectorio, gzip around it or not. Pictures (idx) are
// compared by distance, everything else by angle. Of its rows the last hundredth, at most 1,000, is
// not stored but searched for.
func fromFile(name, path string, seed uint64) (_ *set, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	plain, packed := strings.CutSuffix(path, ".gz")
	format, err := vectorio.FormatOf(plain)
	if err != nil {
		return nil, err
	}
	var r io.Reader = bufio.NewReaderSize(f, 1<<20)
	if packed {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	s := &set{name: name, metric: vector.Cosine}
	if format == vectorio.FormatIdx {
		s.metric = vector.L2
	}
	var rows [][]float32
	for row, err := range vectorio.Rows(format, r) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rows = append(rows, row.Vector)
	}
	asked := min(len(rows)/100, 1000)
	if asked == 0 {
		return nil, fmt.Errorf("%s: %d rows, expected 100 or more", path, len(rows))
	}
	s.queries = slices.Clone(rows[len(rows)-asked:])
	s.dim = len(rows[0])
	for _, row := range rows[:len(rows)-asked] {
		s.flat = append(s.flat, row...)
	}
	return s.finish(seed), nil
}

// rowOf reads the number in an id.
func (s *set) rowOf(id string) (int, error) {
	row, err := strconv.Atoi(id)
	if err != nil || row < 0 || row >= s.len() {
		return 0, measure.Wrongf("a hit is called %q, which no row is", id)
	}
	return row, nil
}
