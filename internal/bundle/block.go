package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/inmem-db/inmem/pkg/codec"
)

// FormatVersion is the version of the format that this package writes.
const FormatVersion = 1

// The features that this package knows. A required one must be known to read a bundle, an optional
// one may be passed over. Format 1 has none.
const (
	requiredFeatures uint64 = 0
	optionalFeatures uint64 = 0
)

// In files: never change.
const (
	// skippable is the magic number of the frames between the blocks, little-endian as all of zstd.
	skippable = 0x184D2A5B
	magic     = "inmem run bundle"

	frameHead    = 4 + 4                        // magic number, size of the content
	preambleSize = len(magic) + 4 + 8 + 8 + 4   // version, required, optional, checksum
	labelSize    = 4 + 4 + 4 + 4                // number, compressed, uncompressed, checksum
	blockSize    = 1 << 18                      // of what a block holds; less in the last one
	mostPacked   = blockSize + blockSize/8 + 64 // of what that takes compressed
)

var checksums = crc32.MakeTable(crc32.Castagnoli)

// blockWriter cuts what is written into blocks.
type blockWriter struct {
	out    io.Writer
	zip    *zstd.Encoder
	number uint32
	plain  []byte
	frame  []byte // label and packed block
	size   int64  // of the file so far
}

// newBlockWriter writes the preamble.
func newBlockWriter(out io.Writer) (*blockWriter, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(blockSize),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	w := &blockWriter{out: out, zip: zip, plain: make([]byte, 0, blockSize)}
	b := binary.LittleEndian.AppendUint32(nil, skippable)
	b = binary.LittleEndian.AppendUint32(b, uint32(preambleSize))
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, FormatVersion)
	b = binary.BigEndian.AppendUint64(b, requiredFeatures)
	b = binary.BigEndian.AppendUint64(b, optionalFeatures)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b[frameHead:], checksums))
	return w, w.emit(b)
}

// write adds to the content.
func (w *blockWriter) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), blockSize-len(w.plain))
		w.plain = append(w.plain, b[:n]...)
		b = b[n:]
		if len(w.plain) == blockSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush ends the block under way, if there is anything in it.
func (w *blockWriter) flush() error {
	if len(w.plain) == 0 {
		return nil
	}
	const label = frameHead + labelSize
	f := binary.LittleEndian.AppendUint32(w.frame[:0], skippable)
	f = binary.LittleEndian.AppendUint32(f, labelSize)
	f = w.zip.EncodeAll(w.plain, append(f, make([]byte, labelSize)...))
	binary.BigEndian.PutUint32(f[frameHead:], w.number)
	binary.BigEndian.PutUint32(f[frameHead+4:], uint32(len(f)-label))
	binary.BigEndian.PutUint32(f[frameHead+8:], uint32(len(w.plain)))
	binary.BigEndian.PutUint32(f[frameHead+12:], blockChecksum(f))
	w.frame, w.plain = f, w.plain[:0]
	w.number++
	return w.emit(f)
}

// blockChecksum covers the label, but for the checksum in it, and the packed block.
func blockChecksum(frame []byte) uint32 {
	sum := crc32.Checksum(frame[frameHead:frameHead+labelSize-4], checksums)
	return crc32.Update(sum, checksums, frame[frameHead+labelSize:])
}

func (w *blockWriter) emit(b []byte) error {
	n, err := w.out.Write(b)
	w.size += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// blockReader reads what a blockWriter wrote, and refuses everything else.
type blockReader struct {
	in     io.Reader
	zip    *zstd.Decoder
	number uint32
	plain  []byte // what is left of the block under way
	block  []byte
	frame  []byte
	offset int64 // of what was read of the file
	start  int64 // of the block under way
}

// newBlockReader reads the preamble.
func newBlockReader(in io.Reader) (*blockReader, error) {
	zip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(2*blockSize), zstd.WithDecoderMaxWindow(2*blockSize))
	if err != nil {
		return nil, err
	}
	r := &blockReader{in: in, zip: zip, frame: make([]byte, 0, frameHead+labelSize+mostPacked)}
	b, err := r.read(frameHead + preambleSize)
	if err != nil {
		return nil, r.cut(err)
	}
	at := frameHead + len(magic)
	if binary.LittleEndian.Uint32(b) != skippable || string(b[frameHead:at]) != magic ||
		binary.LittleEndian.Uint32(b[4:]) != uint32(preambleSize) {
		return nil, r.corrupt(0, "it does not begin as a bundle does")
	}
	end := len(b) - 4
	if sum := crc32.Checksum(b[frameHead:end], checksums); binary.BigEndian.Uint32(b[end:]) != sum {
		return nil, r.corrupt(0, "the checksum of its beginning does not fit")
	}
	version := binary.BigEndian.Uint32(b[at:])
	required := binary.BigEndian.Uint64(b[at+4:])
	switch {
	case version == 0 || version > FormatVersion:
		return nil, fmt.Errorf("%w: bundle of format %d, this version of the library reads format "+
			"1 to %d", codec.ErrFormat, version, FormatVersion)
	case required&^requiredFeatures != 0:
		return nil, fmt.Errorf("%w: the bundle needs features 0x%x, which this version of the "+
			"library lacks", codec.ErrFormat, required&^requiredFeatures)
	}
	return r, nil
}

// close gives the decoder back.
func (r *blockReader) close() { r.zip.Close() }

// read reads exactly n bytes of the file, into the buffer behind what is in it.
func (r *blockReader) read(n int) ([]byte, error) {
	start := len(r.frame)
	if cap(r.frame)-start < n {
		r.frame = append(r.frame, make([]byte, n)...)
	}
	r.frame = r.frame[:start+n]
	got, err := io.ReadFull(r.in, r.frame[start:])
	r.offset += int64(got)
	return r.frame[start:], err
}

// cut says that the file ends too early; errors of the reader below stay as they are.
func (r *blockReader) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.corrupt(r.offset, "it ends here, in the middle")
	}
	return fmt.Errorf("read bundle at byte %d: %w", r.offset, err)
}

func (r *blockReader) corrupt(at int64, format string, args ...any) error {
	return &codec.CorruptError{
		What: "bundle", Offset: int(at), Detail: fmt.Sprintf(format, args...),
	}
}

// next reads a block. io.EOF: the file ends before it, where it may.
func (r *blockReader) next() error {
	r.frame, r.start = r.frame[:0], r.offset
	head, err := r.read(frameHead + labelSize)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return r.cut(err)
	}
	packed, plain := binary.BigEndian.Uint32(head[12:]), binary.BigEndian.Uint32(head[16:])
	if binary.LittleEndian.Uint32(head) != skippable || binary.LittleEndian.Uint32(head[4:]) !=
		labelSize || packed == 0 || packed > mostPacked || plain == 0 || plain > blockSize {
		return r.corrupt(r.start, "no block begins here")
	}
	if number := binary.BigEndian.Uint32(head[8:]); number != r.number {
		return r.corrupt(r.start, "block %d, expected block %d", number, r.number)
	}
	sum := binary.BigEndian.Uint32(head[20:])
	if _, err := r.read(int(packed)); err != nil {
		return r.cut(err)
	}
	if blockChecksum(r.frame) != sum {
		return r.corrupt(r.start, "the checksum of the block that begins here does not fit")
	}
	r.block, err = r.zip.DecodeAll(r.frame[frameHead+labelSize:], r.block[:0])
	if err != nil || len(r.block) != int(plain) {
		return r.corrupt(r.start, "the block that begins here cannot be unpacked to %d bytes: %v",
			plain, err)
	}
	r.plain = r.block
	r.number++
	return nil
}

// take returns up to n bytes of the content, good until the next call. io.EOF: there are no more.
func (r *blockReader) take(n int) ([]byte, error) {
	for len(r.plain) == 0 {
		if err := r.next(); err != nil {
			return nil, err
		}
	}
	n = min(n, len(r.plain))
	b := r.plain[:n]
	r.plain = r.plain[n:]
	return b, nil
}
