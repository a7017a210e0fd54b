package embedded

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// valueRef is a change of a page whose value is to be read. Order is the primitive and the first
// bytes in which its key differs from others: it decides most comparisons.
type valueRef struct {
	order         uint64
	entry, change int32
}

// readValues reads the values of all changes of the page, in key order.
func (p *journalPage) readValues() error {
	refs := p.valueRefs()
	if len(refs) == 0 {
		return nil
	}
	slices.SortFunc(refs, p.compareRefs)
	n := p.layer.scope.Number
	first, last := p.at(refs[0]), p.at(refs[len(refs)-1])
	lower, err := codec.AppendKey(nil, n, first.Primitive, "")
	if err != nil {
		return err
	}
	it, err := p.db.store.NewIter(&pebble.IterOptions{
		LowerBound: lower, UpperBound: codec.AppendRangeEnd(nil, n, last.Primitive, ""),
	})
	if err != nil {
		return err
	}
	r := valueReader{page: p, it: it}
	for _, ref := range refs {
		if err = r.read(&p.entries[ref.entry], p.at(ref)); err != nil {
			break
		}
		if p.bytes > pageBytes && len(p.entries) > 1 {
			p.cut = true
			break
		}
	}
	p.db.noteHistory(it)
	return closeIter(it, err)
}

func (p *journalPage) at(ref valueRef) *backend.JournalChange {
	return &p.entries[ref.entry].Changes[ref.change]
}

// valueRefs lists the changes of which there is something to read.
func (p *journalPage) valueRefs() []valueRef {
	common := p.commonPrefixes()
	refs := make([]valueRef, 0, p.changes)
	for i := range p.entries {
		for j := range p.entries[i].Changes {
			c := &p.entries[i].Changes[j]
			if p.r.Values != backend.OldAndNewValues && !leavesValue(c.Op) {
				continue
			}
			var head [8]byte
			head[0] = byte(c.Primitive)
			copy(head[1:], c.Key[len(common[c.Primitive]):])
			refs = append(refs, valueRef{
				order: binary.BigEndian.Uint64(head[:]), entry: int32(i), change: int32(j),
			})
		}
	}
	return refs
}

func leavesValue(op codec.ChangeOp) bool {
	return op == codec.ChangePut || op == codec.ChangeAppend
}

// commonPrefixes are what all keys of the page begin with, by primitive.
func (p *journalPage) commonPrefixes() *[1 << 8]string {
	var common [1 << 8]string
	var known [1 << 8]bool
	for i := range p.entries {
		for j := range p.entries[i].Changes {
			c := &p.entries[i].Changes[j]
			if prefix := common[c.Primitive]; !known[c.Primitive] {
				known[c.Primitive], common[c.Primitive] = true, c.Key
			} else if !strings.HasPrefix(c.Key, prefix) {
				common[c.Primitive] = prefix[:sharedLength(prefix, c.Key)]
			}
		}
	}
	return &common
}

func sharedLength(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// compareRefs orders as the store does: by primitive and key, the newest version first.
func (p *journalPage) compareRefs(a, b valueRef) int {
	if a.order != b.order {
		return cmp.Compare(a.order, b.order)
	}
	if c := cmp.Compare(p.at(a).Key, p.at(b).Key); c != 0 {
		return c
	}
	return cmp.Compare(b.entry, a.entry)
}

// valueReader walks over the keys of a layer, forward only.
type valueReader struct {
	page    *journalPage
	it      *pebble.Iterator
	started bool
	want    []byte
	done    int
}

// nearSteps is how far a value may lie ahead to be walked to: a seek costs more.
const nearSteps = 8

// find moves to the entry of a key at exactly a version.
func (r *valueReader) find(c *backend.JournalChange, version uint64) (bool, error) {
	var err error
	r.want, err = codec.AppendKey(r.want[:0], r.page.layer.scope.Number, c.Primitive, c.Key)
	if err != nil {
		return false, err
	}
	r.want = codec.AppendVersion(r.want, version)
	valid := r.started && r.it.Valid()
	for range nearSteps {
		if !valid {
			break
		}
		if bytes.Equal(r.it.Key(), r.want) {
			return true, nil
		}
		if cockroachkvs.Compare(r.it.Key(), r.want) > 0 {
			return false, nil
		}
		valid = r.it.Next()
	}
	if r.started && !valid {
		return false, r.it.Error()
	}
	r.started = true
	return r.it.SeekGE(r.want) && bytes.Equal(r.it.Key(), r.want), r.it.Error()
}

// read fills in what a commit wrote to a key, and what was there before.
func (r *valueReader) read(e *backend.JournalEntry, c *backend.JournalChange) error {
	if r.done++; r.done%1024 == 0 {
		if err := r.page.ctx.Err(); err != nil {
			return err
		}
	}
	found, err := r.find(c, e.Version)
	if err != nil {
		return err
	}
	if !found {
		return r.page.layer.missingValue(c, e.Version)
	}
	if leavesValue(c.Op) {
		rec, err := r.record(e.Version)
		if err != nil {
			return err
		}
		if rec.Deleted {
			return fmt.Errorf("%w: commit %d wrote a value to %s, found a tombstone", codec.ErrCorrupt,
				e.Version, codec.FormatKey(r.page.layer.scope.Number, c.Primitive, c.Key))
		}
		c.Value, c.Expiry = rec.Value, rec.Expiry
	}
	if r.page.r.Values != backend.OldAndNewValues || c.Op == codec.ChangeAppend {
		return nil
	}
	old, err := r.older(c)
	if err == nil && old.Exists() && (old.Expiry == 0 || old.Expiry > e.Judged()) {
		c.Old = &old
	}
	return err
}

// older reads the version before the one under the iterator, of the same key.
func (r *valueReader) older(c *backend.JournalChange) (backend.Record, error) {
	layer := &r.page.layer
	prefix := len(r.want) - codec.VersionSuffixLen
	if r.it.Next() {
		key := r.it.Key()
		if len(key) == len(r.want) && bytes.Equal(key[:prefix], r.want[:prefix]) {
			version := binary.BigEndian.Uint64(key[prefix:])
			if version > layer.above {
				return r.record(version)
			}
		}
	}
	if err := r.it.Error(); err != nil {
		return backend.Record{}, err
	}
	return layer.inherited(r.page.ctx, r.page.db, c)
}

// record reads the entry under the iterator.
func (r *valueReader) record(version uint64) (backend.Record, error) {
	value, err := r.it.ValueAndErr()
	if err != nil {
		return backend.Record{}, err
	}
	r.page.bytes += len(value)
	env, err := codec.DecodeEnvelope(r.page.values.clone(value))
	if err != nil {
		return backend.Record{}, fmt.Errorf("key %q: %w", r.it.Key(), err)
	}
	rec := backend.Record{
		Version: version, Stamp: version, Expiry: env.Expiry, Deleted: env.Tombstone,
		Value: env.Payload,
	}
	if env.Origin != 0 {
		rec.Stamp = env.Origin
	}
	if env.Tombstone {
		rec.Value = nil
	}
	return rec, nil
}
