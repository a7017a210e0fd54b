package vectorio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// collect reads a file to its end, or to its error.
func collect(f Format, in []byte) (rows []Row, err error) {
	for row, err := range Rows(f, iotest.HalfReader(bytes.NewReader(in))) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func vectorsOf(rows []Row) [][]float32 {
	var all [][]float32
	for _, r := range rows {
		all = append(all, r.Vector)
	}
	return all
}

func fvecsFile(vectors ...[]float32) []byte {
	var out []byte
	for _, v := range vectors {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(v)))
		for _, x := range v {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
		}
	}
	return out
}

func npyFile(descr, shape string, data ...any) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)+1))
	out = append(append(out, header...), '\n')
	for _, d := range data {
		out, _ = binary.Append(out, binary.LittleEndian, d)
	}
	return out
}

var twoRows = [][]float32{{1, -2.5, 3}, {0, float32(math.Inf(1)), 1e-40}}

func TestFvecs(t *testing.T) {
	rows, err := collect(FormatFvecs, fvecsFile(twoRows...))
	require.NoError(t, err)
	require.Equal(t, twoRows, vectorsOf(rows))
	require.Empty(t, rows[0].ID)
	require.Equal(t, codec.Null(), rows[0].Metadata)

	rows, err = collect(FormatFvecs, nil)
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestIvecs(t *testing.T) {
	in := []byte{2, 0, 0, 0, 7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 5, 0, 0, 0}
	var lists [][]int32
	for list, err := range Ivecs(bytes.NewReader(in)) {
		require.NoError(t, err)
		lists = append(lists, list)
	}
	require.Equal(t, [][]int32{{7, -1}, {5}}, lists)
	for _, err := range Ivecs(bytes.NewReader(in[:18])) {
		if err != nil {
			require.EqualError(t, err, "ivecs: row 1 at byte 12: not in the format: "+
				"the file ends after 2 of 4 bytes")
		}
	}
}

func TestNpy(t *testing.T) {
	for descr, data := range map[string]any{
		"<f4": []float32{1, 2, 3, -4, 5, 6}, "<f8": []float64{1, 2, 3, -4, 5, 6},
		"|i1": []int8{1, 2, 3, -4, 5, 6},
	} {
		rows, err := collect(FormatNpy, npyFile(descr, "2, 3", data))
		require.NoError(t, err, descr)
		require.Equal(t, [][]float32{{1, 2, 3}, {-4, 5, 6}}, vectorsOf(rows), descr)
	}
	rows, err := collect(FormatNpy, npyFile("|u1", "1,2", []uint8{0, 255}))
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0, 255}}, vectorsOf(rows))
	rows, err = collect(FormatNpy, npyFile("<f4", "0, 8"))
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestIdx(t *testing.T) {
	in := append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2}, 0, 1, 2, 3, 4, 5, 6, 255)
	rows, err := collect(FormatIdx, in)
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0, 1, 2, 3}, {4, 5, 6, 255}}, vectorsOf(rows))

	floats := binary.BigEndian.AppendUint32([]byte{0, 0, 13, 2, 0, 0, 0, 1, 0, 0, 0, 1},
		math.Float32bits(0.25))
	rows, err = collect(FormatIdx, floats)
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0.25}}, vectorsOf(rows))
}

func TestJSONLines(t *testing.T) {
	rows, err := collect(FormatJSONLines, []byte(
		`{"id": "a", "vector": [0.5, -1e3], "metadata": {"lang": "go", "n": 1}}`+"\r\n\n"+
			`{"vector":[ 1 , 2 ]}`))
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0.5, -1000}, {1, 2}}, vectorsOf(rows))
	require.Equal(t, "a", rows[0].ID)
	require.JSONEq(t, `{"lang": "go", "n": 1}`, rows[0].Metadata.String())
	require.Equal(t, codec.Null(), rows[1].Metadata)
}

// Every fault of a file is named with the place where it is.
func TestFaultsAreNamed(t *testing.T) {
	good := fvecsFile(twoRows...)
	line := `{"id": "a", "vector": [1, 2]}` + "\n"
	for _, c := range []struct {
		format Format
		in     []byte
		want   string
	}{
		{FormatFvecs, good[:20], "row 1 at byte 16: not in the format: the file ends before 12"},
		{FormatFvecs, good[:18], "row 1 at byte 16: not in the format: the file ends after 2 of 4"},
		{FormatFvecs, good[:30], "row 1 at byte 16: not in the format: the file ends after 10 of 12"},
		{FormatFvecs, fvecsFile([]float32{1}, []float32{1, 2}),
			"row 1 at byte 8: not in the format: dimension 2, the rows before have 1"},
		{FormatFvecs, fvecsFile(nil), "row 0 at byte 0: not in the format: dimension 0, expected 1 to"},
		{FormatFvecs, []byte{0xff, 0xff, 0xff, 0xff}, "dimension -1"},
		{FormatNpy, nil, "npy: header at byte 0: not in the format: the file ends before 8"},
		{FormatNpy, []byte("\x93NUMBER\x01\x02"), "it begins with \"\\x93NUMBE\""},
		{FormatNpy, append([]byte(npyMagic), 9, 0), "version 9"},
		{FormatNpy, npyFile("<i4", "1, 1"), `elements of type "<i4"`},
		{FormatNpy, npyFile(">f4", "1, 1"), `elements of type ">f4"`},
		{FormatNpy, npyFile("<f4", "6,"), "shape (6,), expected rows and columns"},
		{FormatNpy, npyFile("<f4", "1, 0"), "dimension 0"},
		{FormatNpy, npyFile("<f4", "1, 99999999999999999999"), "has no dimension"},
		{FormatNpy, npyFile("<f4", "2, 2", twoRows[0][:2]), "row 1 at byte 78: not in the format"},
		{FormatNpy, npyFile("<f4", "1, 1", []float32{1, 2}), "something follows the last row"},
		{FormatNpy, npyFile("<f8", "1, 1", 1e300), "element 0 is 1e+300, beyond a float32"},
		{FormatNpy, bytes.Replace(npyFile("<f4", "1, 1"), []byte("False"), []byte("True "), 1),
			"stored column by column"},
		{FormatIdx, []byte{1, 0, 8, 1, 0, 0, 0, 0}, "expected two zeros"},
		{FormatIdx, []byte{0, 0, 9, 2, 0, 0, 0, 0}, "elements of type 0x9"},
		{FormatIdx, []byte{0, 0, 8, 0, 0, 0, 0, 0}, "dimension 0"},
		{FormatIdx, []byte{0, 0, 8, 9, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255},
			"dimension 4294967295"},
		{FormatIdx, []byte{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7}, "row 1 at byte 13"},
		{FormatJSONLines, []byte(line + "\n" + `{"vector": [1, null]}`),
			"jsonl: row 2 at byte 31: not in the format: number 1 of the vector"},
		{FormatJSONLines, []byte(line + `{"vector": [1]}`), "dimension 1, the rows before have 2"},
		{FormatJSONLines, []byte(`{"vector": [1e39]}`), "number 0 of the vector"},
		{FormatJSONLines, []byte(`{"vector": []}`), "dimension 0"},
		{FormatJSONLines, []byte(`{"vector": [[1]]}`), "number 0 of the vector"},
		{FormatJSONLines, []byte(`{"vector": "1"}`), `no array of numbers is called "vector"`},
		{FormatJSONLines, []byte(`{"id": "a"}`), `no array of numbers is called "vector"`},
		{FormatJSONLines, []byte(`{"vectors": [1]}`), `unknown field "vectors"`},
		{FormatJSONLines, []byte(`{"vector": [1]} 2`), "something follows the JSON object"},
		{FormatJSONLines, []byte(`{"vector": [1]`), "the line ends inside its JSON"},
		{FormatJSONLines, []byte("{\"id\": \"\xff\"}"), "the line is not UTF-8"},
	} {
		_, err := collect(c.format, c.in)
		require.ErrorContains(t, err, c.want)
		require.ErrorIs(t, err, ErrFormat)
		var where *Error
		require.ErrorAs(t, err, &where)
		require.Equal(t, c.format, where.Format)
		require.LessOrEqual(t, where.Offset, int64(len(c.in)))
	}
}

func TestErrorsOfTheReaderArrive(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, f := range []Format{FormatFvecs, FormatNpy, FormatIdx, FormatJSONLines} {
		r := io.MultiReader(strings.NewReader("\x01"), iotest.ErrReader(broken))
		n := 0
		for _, err := range Rows(f, r) {
			n++
			require.ErrorIs(t, err, broken)
			require.NotErrorIs(t, err, ErrFormat)
		}
		require.Equal(t, 1, n, f)
	}
	for _, err := range Rows("parquet", nil) {
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
	}
}

func TestALineTooLong(t *testing.T) {
	_, err := collect(FormatJSONLines, bytes.Repeat([]byte(" "), longestLine+2))
	require.ErrorContains(t, err, "row 0 at byte 0: not in the format: a line of more than 33554432")
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]Format{
		"a/b.fvecs": FormatFvecs, "x.NPY": FormatNpy, "x.jsonl": FormatJSONLines,
		"x.ndjson": FormatJSONLines, "train-images-idx3-ubyte": FormatIdx, "x.idx": FormatIdx,
	} {
		got, err := FormatOf(name)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	_, err := FormatOf("x.parquet")
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	require.ErrorContains(t, err, `"x.parquet"`)
}

// Whatever the bytes are: rows that hold to their contract, then the end or an *Error.
func FuzzRows(f *testing.F) {
	formats := []Format{FormatFvecs, FormatNpy, FormatIdx, FormatJSONLines}
	f.Add(byte(0), fvecsFile(twoRows...))
	f.Add(byte(1), npyFile("<f4", "2, 1", []float32{1, 2}))
	f.Add(byte(1), npyFile("<f8", "1, 2", []float64{1, 2}))
	f.Add(byte(2), []byte{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 7, 8})
	f.Add(byte(3), []byte(`{"id": "a", "vector": [0.5, 1], "metadata": {"a": [1]}}`+"\n\n{}"))
	f.Add(byte(1), npyFile("<f8", "9223372036854775807, 65536", []float64{1}))
	f.Fuzz(func(t *testing.T, format byte, in []byte) {
		// A row of the greatest dimension is made room for when its length was read.
		alloctest.Within(t, 4<<20+256*uint64(len(in)), func() {
			for range Rows(formats[int(format)%len(formats)], bytes.NewReader(in)) {
			}
		})
		dim := 0
		for row, err := range Rows(formats[int(format)%len(formats)], bytes.NewReader(in)) {
			var where *Error
			if err != nil {
				require.ErrorAs(t, err, &where)
				require.ErrorIs(t, err, ErrFormat)
				require.LessOrEqual(t, where.Offset, int64(len(in)))
				continue
			}
			require.NotEmpty(t, row.Vector)
			if dim != 0 {
				require.Len(t, row.Vector, dim)
			}
			dim = len(row.Vector)
		}
		for list, err := range Ivecs(bytes.NewReader(in)) {
			require.True(t, err != nil || len(list) > 0)
		}
	})
}
