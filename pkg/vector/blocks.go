package vector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unsafe"

	"github.com/inmem-db/inmem/pkg/codec"
)

// A snapshot is a stream of bytes cut into blocks: length, number and checksum (4 bytes each,
// little endian, the checksum CRC-32C over number and payload), then the payload. The last block is
// empty, so that a snapshot that was cut off is told from a whole one.
const (
	blockSize = 4 << 20
	blockHead = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockWriter cuts what is written to it. The first error stays.
type blockWriter struct {
	w       io.Writer
	buf     []byte // head and payload of the block that is being filled
	number  uint32
	written int64
	err     error
}

func newBlockWriter(w io.Writer) *blockWriter {
	return &blockWriter{w: w, buf: make([]byte, blockHead, 64<<10)}
}

func (b *blockWriter) bytes(p []byte) {
	for len(p) > 0 && b.err == nil {
		n := min(len(p), blockHead+blockSize-len(b.buf))
		b.buf = append(b.buf, p[:n]...)
		p = p[n:]
		if len(b.buf) == blockHead+blockSize {
			b.cut()
		}
	}
}

func (b *blockWriter) u32(x uint32) {
	b.bytes(binary.LittleEndian.AppendUint32(make([]byte, 0, 4), x))
}

func (b *blockWriter) u64(x uint64) {
	b.bytes(binary.LittleEndian.AppendUint64(make([]byte, 0, 8), x))
}

// cut writes the block as it is.
func (b *blockWriter) cut() {
	if b.err != nil {
		return
	}
	binary.LittleEndian.PutUint32(b.buf, uint32(len(b.buf)-blockHead))
	binary.LittleEndian.PutUint32(b.buf[4:], b.number)
	sum := crc32.Update(crc32.Checksum(b.buf[4:8], castagnoli), castagnoli, b.buf[blockHead:])
	binary.LittleEndian.PutUint32(b.buf[8:], sum)
	n, err := b.w.Write(b.buf)
	b.written += int64(n)
	b.number++
	b.err = err
	b.buf = b.buf[:blockHead]
}

// end writes what is left and the empty block.
func (b *blockWriter) end() (int64, error) {
	if len(b.buf) > blockHead {
		b.cut()
	}
	b.cut()
	return b.written, b.err
}

// blockReader is the inverse. The first error stays, and what is read after it is zero.
type blockReader struct {
	r      io.Reader
	buf    []byte // payload of the current block that was not read yet
	all    []byte // room for a payload
	number uint32
	err    error
}

func (b *blockReader) fail(format string, args ...any) {
	if b.err == nil {
		b.err = &codec.CorruptError{What: "vector snapshot", Offset: int(b.number),
			Detail: fmt.Sprintf("in block %d: ", b.number) + fmt.Sprintf(format, args...)}
	}
}

// bytes fills p.
func (b *blockReader) bytes(p []byte) {
	for len(p) > 0 {
		if len(b.buf) == 0 && !b.next() {
			clear(p)
			return
		}
		n := copy(p, b.buf)
		p, b.buf = p[n:], b.buf[n:]
	}
}

// next reads a block that is not empty.
func (b *blockReader) next() bool {
	if b.block(); b.err == nil && len(b.buf) == 0 {
		b.fail("the snapshot ends before its rows and links")
	}
	return b.err == nil
}

// block reads any block. What it makes room for is bounded, and grows with what is really there.
func (b *blockReader) block() {
	if b.err != nil {
		return
	}
	var head [blockHead]byte
	if !b.full(head[:]) {
		return
	}
	size := binary.LittleEndian.Uint32(head[:])
	if number := binary.LittleEndian.Uint32(head[4:]); size > blockSize || number != b.number {
		b.fail("size %d and number %d, expected at most %d and %d",
			size, number, blockSize, b.number)
		return
	}
	if cap(b.all) < int(size) {
		b.all = make([]byte, size)
	}
	b.all = b.all[:size]
	if !b.full(b.all) {
		return
	}
	sum := crc32.Update(crc32.Checksum(head[4:8], castagnoli), castagnoli, b.all)
	if want := binary.LittleEndian.Uint32(head[8:]); sum != want {
		b.fail("checksum %08x, expected %08x", sum, want)
		return
	}
	b.buf = b.all
	b.number++
}

// full reads as much as fits into p.
func (b *blockReader) full(p []byte) bool {
	_, err := io.ReadFull(b.r, p)
	switch {
	case err == nil:
		return true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		b.fail("cut off")
	default:
		b.err = fmt.Errorf("read vector snapshot: %w", err)
	}
	return false
}

// end reads the empty block.
func (b *blockReader) end() {
	left := len(b.buf)
	if left == 0 {
		b.block()
		left = len(b.buf)
	}
	if left > 0 {
		b.fail("%d bytes more than expected", left)
	}
}

func (b *blockReader) u32() uint32 {
	var p [4]byte
	b.bytes(p[:])
	return binary.LittleEndian.Uint32(p[:])
}

func (b *blockReader) u64() uint64 {
	var p [8]byte
	b.bytes(p[:])
	return binary.LittleEndian.Uint64(p[:])
}

// asBytes shows a code as bytes.
func asBytes(code []int8) []byte {
	if len(code) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&code[0])), len(code))
}
