package embedded

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/pkg/codec"
)

// keyRanges are for each part of the changes the keys that they have, by primitive.
func (p *journalPage) keyRanges(ends [][]uint32) (parts [][]keyRange) {
	for part := range len(ends) - 1 {
		var found [1 << 8]*keyRange
		for i := range p.entries {
			base := ends[0][i]
			changes := p.entries[i].Changes[ends[part][i]-base : ends[part+1][i]-base]
			for j := range changes {
				c := &changes[j]
				r := found[c.Primitive]
				if r == nil {
					r = &keyRange{c.Primitive, c.Key, c.Key}
					found[c.Primitive] = r
				}
				// The keys of a commit ascend, so only the ends can be beyond those of others.
				if j == 0 || changes[j-1].Primitive != c.Primitive {
					r.low = min(r.low, c.Key)
				}
				if j == len(changes)-1 || changes[j+1].Primitive != c.Primitive {
					r.high = max(r.high, c.Key)
				}
			}
		}
		var ranges []keyRange
		for _, r := range found {
			if r != nil {
				ranges = append(ranges, *r)
			}
		}
		parts = append(parts, ranges)
	}
	return parts
}

// run reads the entries of all ranges. It leaves slots empty where nothing fits.
func (w *valueWalk) run() {
	if len(w.ranges) == 0 {
		return
	}
	it, err := w.page.db.store.NewIter(&pebble.IterOptions{})
	if err != nil {
		w.err = err
		return
	}
	n := w.page.layer.scope.Number
	for i := 0; i < len(w.ranges) && err == nil && !w.v.stop.Load(); i++ {
		r := &w.ranges[i]
		var lower []byte
		if lower, err = codec.AppendKey(nil, n, r.primitive, r.low); err == nil {
			it.SetBounds(lower, codec.AppendRangeEnd(nil, n, r.primitive, r.high+"\x00"))
			err = w.walk(it, r.primitive)
		}
	}
	w.page.db.noteHistory(it)
	w.err = closeIter(it, err)
	if w.err != nil || w.cut {
		w.v.stop.Store(true)
	}
}

// walk reads the entries of a range until it has met too much else.
func (w *valueWalk) walk(it *pebble.Iterator, primitive codec.Primitive) error {
	steps, found := 0, 0
	defer func() { w.v.found.Add(int64(found)) }()
	for ok := it.First(); ok; ok = it.Next() {
		if steps++; steps%scanJudged == 0 {
			if w.v.stop.Load() || w.page.ctx.Err() != nil {
				return w.page.ctx.Err()
			}
			if found*scanWaste < steps {
				break
			}
		}
		key := it.Key()
		if len(key) <= codec.ScopePrefixLen+codec.VersionSuffixLen {
			continue
		}
		commit := w.at.find(binary.BigEndian.Uint64(key[len(key)-codec.VersionSuffixLen:]))
		if commit < 0 {
			continue
		}
		if w.next[commit] == w.end[commit] { // the journal does not name it
			break
		}
		if err := w.take(it, primitive, commit); err != nil {
			return err
		}
		if found++; w.cut {
			return nil
		}
	}
	if it.Valid() {
		w.v.stop.Store(true)
	}
	return it.Error()
}

// take keeps the entry under the iterator for the change that is next in a commit.
func (w *valueWalk) take(it *pebble.Iterator, primitive codec.Primitive, commit int) error {
	stored, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	env, err := codec.DecodeEnvelope(stored)
	if err != nil {
		return w.page.damaged(it, err)
	}
	key := it.Key()
	user := key[codec.ScopePrefixLen : len(key)-codec.VersionSuffixLen-1]
	s := &w.v.slots[w.next[commit]]
	w.next[commit]++
	s.tail = keyTail(user)
	s.kind = uint32(primitive)<<slotLetter | uint32(len(user))
	if env.Tombstone {
		s.kind |= slotTombstone
		return nil
	}
	w.keep(s, stored)
	w.cut = w.bytes > w.most && len(w.page.entries) > 1
	return nil
}

// keep copies a stored value into a block.
func (w *valueWalk) keep(s *valueSlot, stored []byte) {
	w.bytes += len(stored)
	switch {
	case len(stored) > arenaBlock/8:
		s.block, s.at, s.size = w.block(bytes.Clone(stored)), 0, uint32(len(stored))
		return
	case len(stored) > cap(w.buffer)-len(w.buffer):
		size := max(len(stored), min(max(2*cap(w.buffer), 16*firstBlock), arenaBlock))
		w.buffer = make([]byte, 0, size)
		w.index = w.block(w.buffer[:size])
	}
	s.block, s.at, s.size = w.index, uint32(len(w.buffer)), uint32(len(stored))
	w.buffer = append(w.buffer, stored...)
}

// block puts a block into the list.
func (w *valueWalk) block(b []byte) (index uint32) {
	w.v.mu.Lock()
	defer w.v.mu.Unlock()
	w.v.blocks = append(w.v.blocks, b)
	return uint32(len(w.v.blocks) - 1)
}
