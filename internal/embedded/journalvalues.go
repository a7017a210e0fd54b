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
	order  uint64
	entry  *backend.JournalEntry
	change *backend.JournalChange
}

// readValues reads the values of all changes of the page, in key order.
func (p *journalPage) readValues() error {
	if done, err := p.scanValues(); done || p.cut || err != nil {
		return err
	}
	p.show()
	refs := p.valueRefs()
	if len(refs) == 0 {
		return nil
	}
	slices.SortFunc(refs, compareRefs)
	n := p.layer.scope.Number
	first, last := refs[0].change, refs[len(refs)-1].change
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
		if err = r.read(ref.entry, ref.change); err != nil {
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
				order: binary.BigEndian.Uint64(head[:]), entry: &p.entries[i], change: c,
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
func compareRefs(a, b valueRef) int {
	if a.order != b.order {
		return cmp.Compare(a.order, b.order)
	}
	if c := cmp.Compare(a.change.Key, b.change.Key); c != 0 {
		return c
	}
	return cmp.Compare(b.entry.Version, a.entry.Version)
}

// valueReader walks over the keys of a layer, forward only.
type valueReader struct {
	page    *journalPage
	it      *pebble.Iterator
	started bool
	passed  bool // what the iterator stands on was read
	done    int

	// want is the engine key that is looked for: prefix bytes of it are those of the primitive.
	want      []byte
	primitive codec.Primitive
	prefix    int
}

// nearSteps is how far a value may lie ahead to be walked to: a seek costs more.
const nearSteps = 8

// aim makes the engine key of a key at a version.
func (r *valueReader) aim(c *backend.JournalChange, version uint64) {
	if c.Primitive != r.primitive {
		r.want = codec.KeyPrefix(r.want[:0], r.page.layer.scope.Number, c.Primitive)
		r.primitive, r.prefix = c.Primitive, len(r.want)
	}
	r.want = append(append(r.want[:r.prefix], c.Key...), 0)
	r.want = codec.AppendVersion(r.want, version)
}

// find moves to the entry that want names, and reports whether there is one.
func (r *valueReader) find() (bool, error) {
	if r.started {
		valid := r.it.Valid()
		if valid && r.passed {
			valid = r.it.Next()
		}
		for range nearSteps {
			switch {
			case !valid:
				return false, r.it.Error()
			case bytes.Equal(r.it.Key(), r.want):
				return true, nil
			case cockroachkvs.Compare(r.it.Key(), r.want) > 0:
				r.passed = false
				return false, nil
			}
			valid = r.it.Next()
		}
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
	r.aim(c, e.Version)
	found, err := r.find()
	if err != nil {
		return err
	}
	if !found {
		return r.page.layer.missingValue(c, e.Version)
	}
	r.passed = true
	if leavesValue(c.Op) {
		rec, err := r.page.record(r.it, e.Version)
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
	r.passed = false
	if r.it.Next() {
		key := r.it.Key()
		if len(key) == len(r.want) && bytes.Equal(key[:prefix], r.want[:prefix]) {
			version := binary.BigEndian.Uint64(key[prefix:])
			if version > layer.above {
				return r.page.record(r.it, version)
			}
		}
	}
	if err := r.it.Error(); err != nil {
		return backend.Record{}, err
	}
	return layer.inherited(r.page.ctx, r.page.db, c)
}

// record reads the entry under an iterator.
func (p *journalPage) record(it *pebble.Iterator, version uint64) (backend.Record, error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return backend.Record{}, err
	}
	p.bytes += len(value)
	env, err := codec.DecodeEnvelope(p.values.clone(value))
	if err != nil {
		return backend.Record{}, p.damaged(it, err)
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

// damaged says which entry cannot be read.
func (p *journalPage) damaged(it *pebble.Iterator, err error) error {
	return fmt.Errorf("key %q: %w", it.Key(), err)
}
