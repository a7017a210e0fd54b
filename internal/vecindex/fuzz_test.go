package vecindex

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// FuzzReadHeader: whatever the bytes, also under a checksum that fits, there is a header or an
// error, and nothing behind the header was read; a header says the same when it is written again.
func FuzzReadHeader(f *testing.F) {
	for _, h := range []fileHeader{{}, {Scope: 7, Record: "r", Prefix: []byte("p"), Version: 9}} {
		data, err := h.encode()
		require.NoError(f, err)
		f.Add(data, false)
		f.Add(data[len(fileMagic)+8:], true)
	}
	f.Add([]byte(fileMagic+"\xff\xff\xff\xff\x00\x00\x00\x00"), false)
	f.Fuzz(func(t *testing.T, data []byte, inside bool) {
		if inside {
			head := binary.BigEndian.AppendUint32([]byte(fileMagic), uint32(len(data)))
			head = binary.BigEndian.AppendUint32(head, crc32.Checksum(data, castagnoli))
			data = append(head, data...)
		}
		var h fileHeader
		var err error
		left := 0
		alloctest.Within(t, 1<<18+64*uint64(len(data)), func() {
			r := bytes.NewReader(data)
			h, err = readHeader(r)
			left = r.Len()
		})
		if err != nil {
			require.True(t, errors.Is(err, errStale) || errors.Is(err, codec.ErrCorrupt) ||
				errors.Is(err, codec.ErrTypeMismatch) || errors.Is(err, io.EOF) ||
				errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
			return
		}
		again, err := h.encode()
		require.NoError(t, err)
		back, err := readHeader(bytes.NewReader(again))
		require.NoError(t, err)
		require.Equal(t, h, back)
		size := len(fileMagic) + 8 + int(binary.BigEndian.Uint32(data[len(fileMagic):]))
		require.Equal(t, len(data)-size, left)
	})
}
