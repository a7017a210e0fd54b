package bundle

import (
	"errors"
	"fmt"
	"io"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Run is what a bundle says of its run before the commits.
type Run struct {
	codec.BundleHeader
	// Record is the record of the run. What says something about the database in which it lies is
	// not kept: numbers of scopes, the boot epoch, keys, whether it is flattened or was imported.
	Record codec.ScopeRecord
}

// portable is the part of a record that is in a bundle.
func portable(r codec.ScopeRecord) codec.ScopeRecord {
	r.Number, r.ParentNumber, r.Oldest, r.BootEpoch, r.WrappedKey = 0, 0, 0, 0, nil
	r.Flattened, r.Imported, r.Kind = false, 0, codec.KindRun
	return r
}

// Commit is a commit as a bundle tells it.
type Commit = codec.BundleCommit

// Change is a change as a bundle tells it, with what it wrote.
type Change struct {
	codec.BundleChange
	// Value is what a put wrote, or the payload of an event: an encoded value. Nil for others.
	Value []byte
	// Hash is the hash of an event. A Writer that is given one demands that it is right; a Reader
	// computes it.
	Hash codec.EventDigest
}

// Totals is what is in a bundle.
type Totals struct {
	Commits, Changes, Events uint64
	// Head is the hash of the last event, zeros if there is none.
	Head codec.EventDigest
	// Digest is the SHA-256 of all content but the trailer. The same run has the same one.
	Digest [32]byte
	// Size is that of the file in bytes.
	Size int64
}

// errOrder: a Writer was called out of order. It is a mistake of its caller.
var errOrder = errors.New("bundle: out of order")

// Writer writes a bundle: Commit, Change for each of its changes, and so on; Close at the end.
// After an error it is of no use. Not safe for concurrent use.
type Writer struct {
	items  itemWriter
	run    Run
	story  story
	buffer []byte
}

// NewWriter begins a bundle. It does not buffer more than a block of 256 KiB, and holds nothing
// that has to be given back. Errors: codec.ErrInvalidArgument for a record that is none, and those
// of w.
func NewWriter(w io.Writer, r Run) (*Writer, error) {
	r.Record = portable(r.Record)
	record, err := codec.AppendScopeRecord(nil, r.Record)
	if err != nil {
		return nil, err
	}
	blocks, err := newBlockWriter(w)
	if err != nil {
		return nil, err
	}
	b := &Writer{items: newItemWriter(blocks), run: r}
	if err := b.items.item(codec.AppendBundleHeader(nil, r.BundleHeader)); err != nil {
		return nil, err
	}
	return b, b.items.item(record)
}

// Run is what the bundle says of its run.
func (w *Writer) Run() Run { return w.run }

// Commit writes a commit; its Changes tell how many calls of Change follow.
func (w *Writer) Commit(c Commit) error {
	if err := w.story.commit(&w.run, c); err != nil {
		return err
	}
	w.buffer = codec.AppendBundleCommit(w.buffer[:0], c)
	return w.items.item(w.buffer)
}

// Change writes a change of the commit. The changes of a commit come in the order of their
// primitives and keys. Errors: codec.ErrCorrupt for a change that no run can have.
func (w *Writer) Change(c Change) error {
	hash, err := w.story.change(&c)
	if err != nil {
		return err
	}
	if c.Op == codec.ChangeAppend && c.Hash != hash {
		return fmt.Errorf("%w: event %d has hash %x, expected %x by what it holds and the event before",
			codec.ErrCorrupt, w.story.totals.Events-1, c.Hash[:4], hash[:4])
	}
	w.buffer = codec.AppendBundleChange(w.buffer[:0], c.BundleChange)
	if err := w.items.item(w.buffer); err != nil || c.Value == nil {
		return err
	}
	return w.items.item(c.Value)
}

// Close writes the trailer and what is left. It does not close the writer below. Errors: if there
// were not as many commits and changes as was said.
func (w *Writer) Close() (Totals, error) {
	if err := w.story.end(&w.run); err != nil {
		return Totals{}, err
	}
	t := w.story.totals
	t.Digest = w.items.digest()
	trailer := codec.AppendBundleTrailer(nil, t.trailer())
	if err := w.items.item(trailer); err != nil {
		return Totals{}, err
	}
	err := w.items.flush()
	t.Size = w.items.size
	return t, err
}

func (t *Totals) trailer() codec.BundleTrailer {
	return codec.BundleTrailer{
		Commits: t.Commits, Changes: t.Changes, Events: t.Events, Head: t.Head, Digest: t.Digest,
	}
}
