package bundle

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/inmem-db/inmem/pkg/codec"
)

// itemWriter writes items, each after its length, a CBOR integer.
type itemWriter struct {
	*blockWriter
	sum  hash.Hash // of all of it
	head []byte
}

func newItemWriter(b *blockWriter) itemWriter {
	return itemWriter{blockWriter: b, sum: sha256.New()}
}

func (w *itemWriter) item(b []byte) error {
	w.head = codec.AppendLength(w.head[:0], uint64(len(b)))
	w.sum.Write(w.head)
	w.sum.Write(b)
	if err := w.write(w.head); err != nil {
		return err
	}
	return w.write(b)
}

// digest is the sum over all items so far.
func (w *itemWriter) digest() (d [sha256.Size]byte) {
	w.sum.Sum(d[:0])
	return d
}

// itemReader reads them.
type itemReader struct {
	*blockReader
	sum    hash.Hash
	buffer []byte
}

func newItemReader(b *blockReader) itemReader {
	return itemReader{blockReader: b, sum: sha256.New()}
}

// grown is how much of an item is believed before it is there.
const grown = 1 << 20

// item reads the next item, of at most limit bytes. It is good until the next call.
func (r *itemReader) item(limit int) ([]byte, error) {
	size, err := r.length(limit)
	if err != nil {
		return nil, err
	}
	if len(r.plain) >= size { // in one piece
		b, err := r.take(size)
		r.sum.Write(b)
		return b, err
	}
	r.buffer = r.buffer[:0]
	if cap(r.buffer) < size {
		r.buffer = make([]byte, 0, min(size, grown))
	}
	for len(r.buffer) < size {
		b, err := r.take(size - len(r.buffer))
		if err != nil {
			return nil, r.missing(err)
		}
		r.buffer = append(r.buffer, b...)
	}
	r.sum.Write(r.buffer)
	return r.buffer, nil
}

// length reads the length of the next item.
func (r *itemReader) length(limit int) (int, error) {
	b, err := r.take(1)
	if err != nil {
		return 0, r.missing(err)
	}
	var head [9]byte
	n := 1
	for head[0] = b[0]; n < codec.LengthSize(head[0]); n++ {
		if b, err = r.take(1); err != nil {
			return 0, r.missing(err)
		}
		head[n] = b[0]
	}
	r.sum.Write(head[:n])
	size, ok := codec.DecodeLength(head[:n])
	if !ok || size == 0 || size > uint64(limit) {
		return 0, r.corrupt(r.start, "an item of %d bytes in the block that begins here, "+
			"expected 1 to %d", size, limit)
	}
	return int(size), nil
}

// digest is the sum over all items so far.
func (r *itemReader) digest() (d [sha256.Size]byte) {
	r.sum.Sum(d[:0])
	return d
}

// missing says that the content ends in the middle.
func (r *itemReader) missing(err error) error {
	if errors.Is(err, io.EOF) {
		return r.corrupt(r.offset, "it ends here, before its trailer")
	}
	return err
}

// wrong says that an item is not what it should be.
func (r *itemReader) wrong(err error) error {
	if errors.Is(err, codec.ErrFormat) {
		return err
	}
	return r.corrupt(r.start, "in the block that begins here, or the one before: %v", err)
}
