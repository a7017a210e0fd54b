package bundle

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

// seal makes the checksum of the preamble right again.
func seal(b []byte) {
	end := frameHead + preambleSize - 4
	binary.BigEndian.PutUint32(b[end:], crc32.Checksum(b[frameHead:end], checksums))
}

// sealed packs content into a bundle with right checksums: what is inside is to be doubted, too.
func sealed(t testing.TB, content []byte) []byte {
	var b bytes.Buffer
	w, err := newBlockWriter(&b)
	require.NoError(t, err)
	require.NoError(t, w.write(content))
	require.NoError(t, w.flush())
	return b.Bytes()
}

// content is what is inside of a bundle.
func content(t testing.TB, file []byte) (plain []byte) {
	r, err := newBlockReader(bytes.NewReader(file))
	require.NoError(t, err)
	defer r.close()
	for {
		b, err := r.take(blockSize)
		if errors.Is(err, io.EOF) {
			return plain
		}
		require.NoError(t, err)
		plain = append(plain, b...)
	}
}

func isRefusal(err error) bool {
	return errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrFormat)
}

// FuzzReader: no file makes the reader panic, and what it accepts is what a Writer makes of it.
func FuzzReader(f *testing.F) {
	for _, commits := range []int{0, 1, 3} {
		run, all := example(f, commits)
		b, _ := pack(f, run, all)
		f.Add(b, false)
		f.Add(content(f, b), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, inside bool) {
		if inside {
			b = sealed(t, b)
		}
		var run Run
		var all []written
		var err error
		// The readers of blocks and of what is packed in them have buffers of their own; an item of
		// n bytes may be packed in a thousandth of that.
		alloctest.Within(t, 16<<20+4096*uint64(len(b)), func() {
			run, all, _, err = unpack(bytes.NewReader(b))
		})
		if err != nil {
			require.True(t, isRefusal(err), "%v", err)
			return
		}
		again, _ := pack(t, run, all)
		_, same, _, err := unpack(bytes.NewReader(again))
		require.NoError(t, err)
		require.Equal(t, all, same)
	})
}

// Whatever is flipped inside, under right checksums, is found by the digest at the latest.
func TestFlipsInsideAreFound(t *testing.T) {
	run, all := example(t, 4)
	b, _ := pack(t, run, all)
	plain := content(t, b)
	for i := range plain {
		bad := bytes.Clone(plain)
		bad[i] ^= 1
		_, _, _, err := unpack(bytes.NewReader(sealed(t, bad)))
		require.True(t, isRefusal(err), "byte %d: %v", i, err)
	}
}

func BenchmarkBundle(b *testing.B) {
	run, all := example(b, 10_000)
	file, _ := pack(b, run, all)
	size := int64(len(content(b, file)))
	b.Run("write", func(b *testing.B) {
		b.SetBytes(size)
		for range b.N {
			if err := attempt(run, all); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(size)
		for range b.N {
			if _, _, _, err := unpack(bytes.NewReader(file)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
