package vecindex

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Files: what is costly to make is kept over a restart. A file has the links and codes of one index
// (package vector, Index.Snapshot), and before them a header: of what the index is, which version
// and how many commits of the scope it includes. Own rows of forks and frozen indexes have none.
//
// A file is believed only where the store says the same: the scope had as many commits at its
// version, the last of them made it, at the same time to the nanosecond, which no other database
// and no other past has; and its living rows, each with the version of its birth, are those that a
// scan finds (proof.go); the same scan brings the vectors, which are not in the file.
// It is only written when its version is durable, so that no crash takes back a commit that it
// includes. Whatever does not fit makes the index load the rows, as if there were no file.

const (
	fileMagic  = "inmem vecindex 1"
	filePrefix = "vectors-"
	// leastFileSlots is what an index has to have to be worth a file.
	leastFileSlots = 4096
	// mostHeader bounds what is read of a header that may be damaged.
	mostHeader = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errStale: a file is not of the index that it is wanted for, or of another past.
var errStale = errors.New("file does not fit the store")

// fileHeader says what a file is of.
type fileHeader struct {
	Scope       int64  `inmem:"scope"`
	Record      string `inmem:"record"`
	Prefix      []byte `inmem:"prefix"`
	Incarnation int64  `inmem:"incarnation"`
	Base        int64  `inmem:"base"`
	Version     int64  `inmem:"version"`
	Commits     int64  `inmem:"commits"` // of the scope, at Version
	Time        int64  `inmem:"time"`    // of the last of these
	Live        int64  `inmem:"live"`
	Slots       int64  `inmem:"slots"`
}

// fileName is the name of the file of an index.
func fileName(k indexKey) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, k.prefix) // a hash takes everything
	return fmt.Sprintf(filePrefix+"%010x-%016x-%016x", uint64(k.scope), k.incarnation, h.Sum64())
}

// indexFile is what is written: a header and a snapshot.
type indexFile struct {
	header   fileHeader
	snapshot io.WriterTo
	last     uint64 // version of the newest commit that it includes
	done     int64  // content.done, then
}

// WriteTo implements io.WriterTo.
func (f *indexFile) WriteTo(out io.Writer) (int64, error) {
	head, err := f.header.encode()
	if err != nil {
		return 0, err
	}
	n, err := out.Write(head)
	if err != nil {
		return int64(n), err
	}
	more, err := f.snapshot.WriteTo(out)
	return int64(n) + more, err
}

// encode returns the header as it stands in a file: magic, length, checksum, value.
func (h *fileHeader) encode() ([]byte, error) {
	v, err := codec.ValueOf(h)
	if err != nil {
		return nil, err
	}
	body, err := codec.AppendValue(nil, v)
	if err != nil {
		return nil, err
	}
	b := append([]byte(fileMagic), make([]byte, 8)...)
	binary.BigEndian.PutUint32(b[len(fileMagic):], uint32(len(body)))
	binary.BigEndian.PutUint32(b[len(fileMagic)+4:], crc32.Checksum(body, castagnoli))
	return append(b, body...), nil
}

// readHeader reads a header and nothing behind it.
func readHeader(in io.Reader) (h fileHeader, err error) {
	var start [len(fileMagic) + 8]byte
	if _, err := io.ReadFull(in, start[:]); err != nil {
		return h, err
	}
	size := binary.BigEndian.Uint32(start[len(fileMagic):])
	if !bytes.HasPrefix(start[:], []byte(fileMagic)) || size > mostHeader {
		return h, errStale
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(in, body); err != nil {
		return h, err
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(start[len(fileMagic)+4:]) {
		return h, errStale
	}
	v, err := codec.DecodeValue(body)
	if err == nil {
		err = v.Decode(&h)
	}
	return h, err
}

// restore makes contents from the file of an index that can answer at a version. Every error but
// the context's means that there is no such file. The caller has the gate.
func (x *index) restore(ctx context.Context, at uint64) (*content, error) {
	f, err := x.b.OpenDerived(fileName(x.key))
	if err != nil {
		return nil, err
	}
	c, err := x.readFile(ctx, f, at)
	return c, errors.Join(err, f.Close())
}

func (x *index) readFile(ctx context.Context, in io.Reader, at uint64) (*content, error) {
	h, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	version := uint64(h.Version)
	if h.Scope != int64(x.key.scope) || h.Record != x.scope.Record ||
		string(h.Prefix) != x.key.prefix || uint64(h.Incarnation) != x.key.incarnation ||
		uint64(h.Base) > at || version > x.b.Published() {
		return nil, errStale
	}
	extent, err := x.b.Commits(ctx, x.scope, version)
	if err != nil {
		return nil, err
	}
	time, err := x.b.CommitTime(ctx, extent.Last)
	if err != nil {
		return nil, err
	}
	if extent.Count != uint64(h.Commits) || max(extent.Last, uint64(h.Base)) != version ||
		time != h.Time {
		return nil, errStale
	}
	rows, included, err := vector.ReadSnapshot(in, x.vectorConfig())
	if err != nil {
		return nil, err
	}
	if included != version || rows.Live() != int(h.Live) || rows.Slots() != int(h.Slots) {
		return nil, errStale
	}
	c := newContent(x, uint64(h.Base))
	c.version.Store(version)
	c.next = extent.Count + 1
	c.rows.Store(&rowIndex{rows})
	for slot := range vector.Slot(rows.Slots()) {
		if _, died := rows.Life(slot); died != alive {
			c.dead[rows.ID(slot)] = append(c.dead[rows.ID(slot)], slot)
		}
	}
	c.saved.Store(c.done())
	return c, c.gone(ctx)
}

// unsaved tells whether so much was added to an index or linked in it since its file was written
// that it is worth another one: a fifth while it is at work, a twentieth at the end.
func (x *index) unsaved(part int64) bool {
	c := x.content.Load()
	if c == nil || x.key.own || x.key.frozen != 0 || x.unwritable.Load() ||
		x.unproven.Load() == c {
		return false
	}
	rows := c.rows.Load()
	if rows == nil || rows.Slots() < x.least || !c.graphed() {
		return false
	}
	return c.done() > c.saved.Load()*(part+1)/part
}

// done is how many slots there are, and those that are linked once more.
func (c *content) done() int64 {
	rows := c.rows.Load()
	return int64(2*rows.Slots() - rows.Tail())
}

// save writes the file of an index, once what it includes is durable.
func (x *index) save(ctx context.Context) error {
	c, f, err := x.freeze(ctx)
	if c == nil || err != nil {
		return err
	}
	if err := x.b.WaitDurable(ctx, f.last); err != nil {
		return err
	}
	if err := x.b.WriteDerived(ctx, fileName(x.key), f); err != nil {
		return err
	}
	c.saved.Store(f.done)
	return nil
}

// freeze takes a snapshot of what was pulled. It is named after the newest commit of the scope in
// it, or after its base if nothing was committed since: a crash takes neither back, for no later
// commit gets a version that was there before.
func (x *index) freeze(ctx context.Context) (*content, *indexFile, error) {
	if !x.enter(ctx) {
		return nil, nil, ctx.Err()
	}
	defer x.leave()
	c := x.content.Load()
	if c == nil || c.rows.Load() == nil {
		return nil, nil, nil
	}
	extent, err := x.b.Commits(ctx, x.scope, c.version.Load())
	if err != nil {
		return nil, nil, err
	}
	if extent.Count != c.next-1 {
		return nil, nil, fmt.Errorf("%w: scope %d has %d commits at version %d, %d were pulled",
			codec.ErrCorrupt, x.key.scope, extent.Count, c.version.Load(), c.next-1)
	}
	rows, version := c.rows.Load(), max(extent.Last, c.base)
	time, err := x.b.CommitTime(ctx, extent.Last)
	if err != nil {
		return nil, nil, err
	}
	return c, &indexFile{
		last: extent.Last, done: c.done(),
		header: fileHeader{
			Scope: int64(x.key.scope), Record: x.scope.Record, Prefix: []byte(x.key.prefix),
			Incarnation: int64(x.key.incarnation), Base: int64(c.base),
			Version: int64(version), Commits: int64(extent.Count), Time: time,
			Live: int64(rows.Live()), Slots: int64(rows.Slots()),
		},
		snapshot: rows.Snapshot(version),
	}, nil
}

// saveAll writes the files of all indexes that have changed, and removes those of collections that
// are gone. An error costs a file, and nothing else.
func (m *Manager) saveAll(ctx context.Context) {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.indexes))
	m.mu.Unlock()
	for _, x := range all {
		if x.unsaved(20) && m.b.Flush(ctx) == nil && x.save(ctx) != nil {
			x.unwritable.Store(true)
		}
	}
	names, err := m.b.ListDerived()
	if err != nil {
		return
	}
	for _, name := range names {
		if !strings.HasPrefix(name, filePrefix) || !m.outdated(ctx, name) {
			continue
		}
		if m.b.RemoveDerived(name) != nil {
			return
		}
	}
}

// outdated tells whether a file is of no collection that there is.
func (m *Manager) outdated(ctx context.Context, name string) bool {
	f, err := m.b.OpenDerived(name)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	h, err := readHeader(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return true
	}
	s := &backend.Scope{Number: codec.Scope(h.Scope), Record: h.Record}
	r, err := m.b.Get(ctx, s, codec.Vectors, string(h.Prefix), m.b.Published())
	if errors.Is(err, backend.ErrScopeGone) {
		return true
	}
	return err == nil && (!r.Exists() || r.Version != uint64(h.Incarnation))
}
