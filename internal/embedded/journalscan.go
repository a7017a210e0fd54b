package embedded

import (
	"encoding/binary"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A page that has most of what its layer holds is read by one walk over the layer, without looking
// anything up: the entries of one commit come in the order in which its journal record names them,
// and the version of an entry tells the commit. So no key is compared, and nothing is sorted.

const (
	// scanFrom is how many changes a page must have to be read so.
	scanFrom = 1024
	// scanWaste is how many entries the walk may meet for each that it looks for.
	scanWaste = 4
)

// scanValues reads the values of the page by a walk. It reports false if that is not the way, or
// not any more: then nothing of what it did counts.
func (p *journalPage) scanValues() (done bool, err error) {
	n := p.layer.scope.Number
	if p.r.Values != backend.NewValues || len(p.r.Only) > 0 || p.changes < scanFrom ||
		n == codec.SystemScope {
		return false, nil
	}
	lower, upper := codec.ScopeBounds(n)
	it, err := p.db.store.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return false, err
	}
	w := valueWalk{
		page: p, it: it, at: newVersionIndex(p.entries), next: make([]int32, len(p.entries)),
		left: p.changes, steps: scanWaste * p.changes,
	}
	w.notePrimitives()
	err = w.walk()
	p.db.noteHistory(it)
	if err = closeIter(it, err); err != nil || p.cut {
		return err == nil, err
	}
	if w.left > 0 {
		p.bytes = 0
	}
	return w.left == 0, nil
}

// valueWalk is such a walk.
type valueWalk struct {
	page        *journalPage
	it          *pebble.Iterator
	at          versionIndex
	next        []int32 // of each commit the change whose entry comes next
	left, steps int
	has         [1 << 8]bool // primitives that the page changes
}

func (w *valueWalk) notePrimitives() {
	for i := range w.page.entries {
		for j := range w.page.entries[i].Changes {
			w.has[w.page.entries[i].Changes[j].Primitive] = true
		}
	}
}

// letterAt is where an engine key of a run has its primitive.
const letterAt = codec.ScopePrefixLen - 2

// walk reads entries until all that is looked for was found, or too much else.
func (w *valueWalk) walk() error {
	for ok := w.it.First(); ok && w.left > 0 && w.steps > 0; w.steps-- {
		key := w.it.Key()
		if len(key) <= codec.ScopePrefixLen+codec.VersionSuffixLen || !w.has[key[letterAt]] {
			ok = w.skip(key)
			continue
		}
		version := binary.BigEndian.Uint64(key[len(key)-codec.VersionSuffixLen:])
		if i := w.at.find(version); i >= 0 {
			fits, err := w.take(i, version, key)
			if err != nil || !fits || w.page.cut {
				return err
			}
		}
		if w.steps%1024 == 0 && w.page.ctx.Err() != nil {
			return w.page.ctx.Err()
		}
		ok = w.it.Next()
	}
	return w.it.Error()
}

// skip moves on to the next primitive that the page changes.
func (w *valueWalk) skip(key []byte) bool {
	for letter := int(key[letterAt]) + 1; letter < len(w.has); letter++ {
		if w.has[letter] {
			n := w.page.layer.scope.Number
			return w.it.SeekGE(append(codec.KeyPrefix(nil, n, codec.Primitive(letter)), 0))
		}
	}
	return false
}

// take reads the entry under the iterator for the change that is next in a commit. It reports
// whether it fits.
func (w *valueWalk) take(commit int, version uint64, key []byte) (bool, error) {
	p := w.page
	changes := p.entries[commit].Changes
	at := int(w.next[commit])
	const around = codec.ScopePrefixLen + 1 + codec.VersionSuffixLen
	if at == len(changes) || byte(changes[at].Primitive) != key[letterAt] ||
		len(changes[at].Key) != len(key)-around {
		return false, nil
	}
	c := &changes[at]
	w.next[commit]++
	w.left--
	if !leavesValue(c.Op) {
		return true, nil
	}
	rec, err := p.record(w.it, version)
	if err != nil || rec.Deleted {
		return false, err
	}
	c.Value, c.Expiry = rec.Value, rec.Expiry
	p.cut = p.bytes > pageBytes && len(p.entries) > 1
	return true, nil
}

// versionIndex finds commits of a page by their versions: a hash table with open addressing.
type versionIndex struct {
	slots []versionSlot
	shift int
}

type versionSlot struct {
	version uint64 // 0: free
	commit  int
}

func newVersionIndex(entries []backend.JournalEntry) versionIndex {
	size := bits.Len(uint(2 * len(entries)))
	x := versionIndex{slots: make([]versionSlot, 1<<size), shift: 64 - size}
	for i := range entries {
		at := x.slot(entries[i].Version)
		for x.slots[at].version != 0 {
			at = (at + 1) & (len(x.slots) - 1)
		}
		x.slots[at] = versionSlot{entries[i].Version, i}
	}
	return x
}

func (x *versionIndex) slot(version uint64) int {
	return int(version * 0x9E3779B97F4A7C15 >> x.shift)
}

// find is the place of the commit with a version, or -1.
func (x *versionIndex) find(version uint64) int {
	for at := x.slot(version); x.slots[at].version != 0; at = (at + 1) & (len(x.slots) - 1) {
		if x.slots[at].version == version {
			return x.slots[at].commit
		}
	}
	return -1
}
