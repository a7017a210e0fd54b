package bundle

import (
	"errors"
	"io"

	"github.com/inmem-db/inmem/pkg/codec"
)

// The greatest items in bytes.
const (
	mostRecord = 64 << 10 // a header, commit, change or trailer
	mostValue  = codec.MaxValueSize + 16
)

// Reader reads a bundle: Next for every commit until io.EOF, Change for each of its changes. All
// errors but those of the reader below match codec.ErrCorrupt or codec.ErrFormat, and tell where.
// Not safe for concurrent use.
type Reader struct {
	items itemReader
	run   Run
	story story
	err   error
}

// NewReader reads what comes before the commits. It must be closed.
func NewReader(in io.Reader) (*Reader, error) {
	blocks, err := newBlockReader(in)
	if err != nil {
		return nil, err
	}
	r := &Reader{items: newItemReader(blocks)}
	if err := r.begin(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) begin() error {
	b, err := r.items.item(mostRecord)
	if err != nil {
		return err
	}
	if r.run.BundleHeader, err = codec.DecodeBundleHeader(b); err != nil {
		return r.items.wrong(err)
	}
	if b, err = r.items.item(mostValue); err != nil {
		return err
	}
	// It is kept: what it aliases must be its own.
	record, err := codec.DecodeScopeRecord(append([]byte(nil), b...))
	if err != nil {
		return r.items.wrong(err)
	}
	if record.ID == [16]byte{} || record.Kind != codec.KindRun {
		return r.items.wrong(unlike("the record is not that of a run"))
	}
	r.run.Record = portable(record)
	return nil
}

// Close gives back what the Reader holds; it does not close the reader below.
func (r *Reader) Close() { r.items.close() }

// Run is what the bundle says of its run. It stays as it is.
func (r *Reader) Run() Run { return r.run }

// Offset is how much of the file was read, in bytes.
func (r *Reader) Offset() int64 { return r.items.offset }

// Next reads the next commit; io.EOF after the last one, when the bundle has proved to be whole. It
// refuses to pass over changes.
func (r *Reader) Next() (Commit, error) {
	if r.err != nil {
		return Commit{}, r.err
	}
	c, err := r.next()
	r.err = err
	return c, err
}

func (r *Reader) next() (Commit, error) {
	if r.story.left > 0 {
		return Commit{}, errOrder
	}
	if r.story.totals.Commits == r.run.Commits {
		if err := r.finish(); err != nil {
			return Commit{}, err
		}
		return Commit{}, io.EOF
	}
	b, err := r.items.item(mostRecord)
	if err != nil {
		return Commit{}, err
	}
	c, err := codec.DecodeBundleCommit(b)
	if err == nil {
		err = r.story.commit(&r.run, c)
	}
	if err != nil {
		return Commit{}, r.items.wrong(err)
	}
	return c, nil
}

// finish reads the trailer, and demands that nothing comes after it.
func (r *Reader) finish() error {
	if err := r.story.end(&r.run); err != nil {
		return r.items.wrong(err)
	}
	r.story.totals.Digest = r.items.digest()
	b, err := r.items.item(mostRecord)
	if err != nil {
		return err
	}
	found, err := codec.DecodeBundleTrailer(b)
	if err == nil && found != r.story.totals.trailer() {
		err = unlike("the trailer tells of %d commits, %d changes, %d events, head %x and digest %x; "+
			"found %d, %d, %d, %x and %x", found.Commits, found.Changes, found.Events, found.Head[:4],
			found.Digest[:4], r.story.totals.Commits, r.story.totals.Changes, r.story.totals.Events,
			r.story.totals.Head[:4], r.story.totals.Digest[:4])
	}
	if err != nil {
		return r.items.wrong(err)
	}
	end := r.items.offset
	if len(r.items.plain) > 0 {
		return r.items.corrupt(r.items.start, "bytes after the trailer in the block that begins here")
	}
	if err := r.items.next(); !errors.Is(err, io.EOF) {
		return r.items.corrupt(end, "it does not end here, after its trailer: %v", err)
	}
	r.story.totals.Size = end
	return nil
}

// Change reads the next change of the commit; io.EOF after the last one. Key, type and value are
// good until the next call.
func (r *Reader) Change() (Change, error) {
	if r.err != nil {
		return Change{}, r.err
	}
	if r.story.left == 0 {
		return Change{}, io.EOF
	}
	c, err := r.change()
	r.err = err
	return c, err
}

func (r *Reader) change() (c Change, err error) {
	b, err := r.items.item(mostRecord)
	if err != nil {
		return c, err
	}
	if c.BundleChange, err = codec.DecodeBundleChange(b); err != nil {
		return c, r.items.wrong(err)
	}
	if c.Op == codec.ChangePut || c.Op == codec.ChangeAppend {
		// The key aliases a buffer that the value may come into.
		c.Key, c.Type = string([]byte(c.Key)), string([]byte(c.Type))
		if c.Value, err = r.items.item(mostValue); err != nil {
			return c, err
		}
		if c.Primitive == codec.Vectors {
			err = codec.CheckVectorRecord(c.Key, c.Value)
		} else {
			_, err = codec.DecodeValue(c.Value)
		}
		if err != nil {
			return c, r.items.wrong(err)
		}
	}
	if c.Hash, err = r.story.change(&c); err != nil {
		return c, r.items.wrong(err)
	}
	return c, nil
}

// Totals is what was in the bundle. REQUIRES: Next has returned io.EOF.
func (r *Reader) Totals() Totals { return r.story.totals }
