package embedded

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"

	"github.com/inmem-db/inmem/pkg/codec"
)

// verifyTable reads every byte of a table and holds it to its checksums. Pebble's own
// ValidateBlockChecksums leaves out the blocks that older versions of values lie in.
func (d *DB) verifyTable(ctx context.Context, name string) (err error) {
	defer func() {
		if v := recover(); v != nil { // Pebble is not always polite to what is damaged
			err = fmt.Errorf("%v", v)
		}
		if named := nameOpenError(err); errors.Is(named, codec.ErrCorrupt) {
			err = fmt.Errorf("%w: file %s: %s", codec.ErrCorrupt, d.fs.PathBase(name), firstLine(err))
		}
	}()
	f, err := d.opts.FS.Open(name)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(ctx, readable, d.pebbleOptions(true).MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	layout, err := r.Layout()
	if err != nil {
		return err
	}
	sum := block.Checksummer{Type: r.BlockReader().ChecksumType()}
	var buf []byte
	var end uint64
	for _, b := range blocksOf(layout) {
		if b.Offset != end {
			return fmt.Errorf("a block at %d, the one before ends at %d", b.Offset, end)
		}
		end += b.Length + block.TrailerLen
		buf = slices.Grow(buf[:0], int(b.Length+block.TrailerLen))[:b.Length+block.TrailerLen]
		if err := readable.ReadAt(ctx, buf, int64(b.Offset)); err != nil {
			return err
		}
		found := sum.Checksum(buf[:b.Length], buf[b.Length])
		if want := binary.LittleEndian.Uint32(buf[b.Length+1:]); found != want {
			return fmt.Errorf("block at %d: checksum %08x, expected %08x", b.Offset, found, want)
		}
	}
	// The footer has a checksum of its own, which is checked when the table is opened.
	if size := uint64(readable.Size()); end != layout.Footer.Offset ||
		end+layout.Footer.Length != size {
		return fmt.Errorf("the last block ends at %d of %d", end, size)
	}
	return nil
}

// blocksOf lists the blocks of a table in their order.
func blocksOf(l *sstable.Layout) []block.Handle {
	all := []block.Handle{
		l.TopIndex, l.RangeDel, l.RangeKey, l.ValueIndex, l.Properties, l.MetaIndex,
		l.BlobReferenceIndex,
	}
	for _, b := range l.Data {
		all = append(all, b.Handle)
	}
	for _, b := range l.Filter {
		all = append(all, b.Handle)
	}
	all = append(append(all, l.Index...), l.ValueBlock...)
	all = slices.DeleteFunc(all, func(b block.Handle) bool { return b.Length == 0 })
	slices.SortFunc(all, func(a, b block.Handle) int { return cmp.Compare(a.Offset, b.Offset) })
	return all
}
