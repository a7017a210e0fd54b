package embedded

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// How the values that a walk has found lie, and come into the changes.
//
// A slot is the number of a block and the place in it, in units of slotUnit bytes. There lie the
// size of the stored value, in sizeBytes bytes, and the value. The size stands with the value and
// not in the slot: slots are written in any order, so the cache should hold many of them.

const (
	slotUnit   = 8
	slotPlaces = arenaBlock / slotUnit // places in a block
	sizeBytes  = 4
	// touchNext is how far behind the beginning of a value a second byte of it is touched.
	touchNext = 64
	// fillAhead is how many changes are made at once.
	fillAhead = 256
)

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
		place := &w.places[commit]
		if place.next == place.end { // the journal does not name it
			break
		}
		if err := w.take(it, key, primitive, place); err != nil {
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
func (w *valueWalk) take(
	it *pebble.Iterator, key []byte, primitive codec.Primitive, place *walkPlace,
) error {
	stored, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	dead := false
	if len(stored) == 0 || stored[0] != 0 {
		env, err := codec.DecodeEnvelope(stored)
		if err != nil {
			return w.page.damaged(it, err)
		}
		dead = env.Tombstone
	}
	user := key[codec.ScopePrefixLen : len(key)-codec.VersionSuffixLen-1]
	place.check += entryCheck(primitive, user, dead, place.next)
	if !dead {
		w.v.slots[place.next] = w.keep(stored)
		w.cut = w.bytes > w.most && len(w.page.entries) > 1
	}
	place.next++
	return nil
}

// entryCheck is the part that one entry has in the checksum over a commit's entries. It tells keys
// apart that have the same length and lie close together, by their ends; entries in another order;
// and tombstones from values.
func entryCheck[K string | []byte](p codec.Primitive, key K, dead bool, slot uint32) uint64 {
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	tail, n := uint64(0), len(key)
	if n >= 8 {
		k := key[n-8:]
		tail = uint64(k[7]) | uint64(k[6])<<8 | uint64(k[5])<<16 | uint64(k[4])<<24 |
			uint64(k[3])<<32 | uint64(k[2])<<40 | uint64(k[1])<<48 | uint64(k[0])<<56
	} else {
		for i := range n {
			tail = tail<<8 | uint64(key[i])
		}
	}
	kind := uint64(n)<<8 | uint64(p)
	if dead {
		kind |= 1 << 63
	}
	x := (tail ^ tail>>32 ^ kind<<32 ^ kind>>32) * odd1
	x = (x ^ x>>29 ^ kind ^ uint64(slot)<<32) * odd2
	return x ^ x>>32
}

// listCheck is the checksum over what a commit should have left, from a slot on.
func listCheck(list []codec.Change, slot uint32) (sum uint64) {
	for j := range list {
		c := &list[j]
		sum += entryCheck(c.Primitive, c.Key, !leavesValue(c.Op), slot+uint32(j))
	}
	return sum
}

// keep copies a stored value into a block, and tells where it is.
func (w *valueWalk) keep(stored []byte) (slot uint32) {
	w.bytes += len(stored)
	size := sizeBytes + len(stored)
	if size > arenaBlock/8 {
		b := rawBytes(size)
		putSized(b, stored)
		return w.block(b)
	}
	at := (len(w.buffer) + slotUnit - 1) &^ (slotUnit - 1)
	if at+size > cap(w.buffer) {
		b := rawBytes(max(size, min(max(2*cap(w.buffer), 16*firstBlock), arenaBlock)))
		w.buffer, w.index, at = b[:0], w.block(b), 0
	}
	w.buffer = w.buffer[:at+size]
	putSized(w.buffer[at:], stored)
	return w.index + uint32(at/slotUnit)
}

// block puts a block into the list, and tells where it begins.
func (w *valueWalk) block(b []byte) (slot uint32) {
	w.v.mu.Lock()
	defer w.v.mu.Unlock()
	w.v.blocks = append(w.v.blocks, b)
	return uint32(len(w.v.blocks)-1) * slotPlaces
}

func putSized(dst, stored []byte) {
	binary.LittleEndian.PutUint32(dst, uint32(len(stored)))
	copy(dst[sizeBytes:], stored)
}

// rawBytes are bytes that hold anything: to clear what is written over is a good part of what a
// copy takes.
func rawBytes(size int) []byte {
	var b strings.Builder
	b.Grow(size) // it leaves them as they are
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), b.Cap())[:size:size]
}

// stored is the stored value of a slot.
func (v *scannedValues) stored(slot uint32) []byte {
	b := v.blocks[slot/slotPlaces][slot%slotPlaces*slotUnit:]
	end := sizeBytes + binary.LittleEndian.Uint32(b)
	return b[sizeBytes:end:end]
}

// fill makes the changes of commits, beginning with one, with the values that a walk has found, and
// returns the first commit that was left.
func (p *journalPage) fill(from int) (end int) {
	if p.scanned == nil {
		return len(p.entries)
	}
	n := 0
	for end = from; end < len(p.entries) && n < fillAhead; end++ {
		n += len(p.lists[end].changes)
	}
	p.scanned.touch(from, end)
	room := make([]backend.JournalChange, n)
	for i := from; i < end; i++ {
		n := p.showEntry(i, room)
		p.scanned.fill(room[:n], p.scanned.first[i])
		room = room[n:]
	}
	return end
}

// touch reads a little of the values of commits from one up to another, so that the cache has them
// when they are looked at: each is a miss, and here many of them are under way at once.
func (v *scannedValues) touch(from, end int) {
	sum := byte(0)
	for _, slot := range v.slots[v.first[from]:v.first[end]] {
		b := v.blocks[slot/slotPlaces][slot%slotPlaces*slotUnit:]
		sum += b[0] + b[min(touchNext, len(b)-1)]
	}
	v.touched += sum
}

// fill fills in the values of changes, whose slots begin with one.
func (v *scannedValues) fill(changes []backend.JournalChange, first uint32) {
	slots := v.slots[first:]
	for j := range changes {
		c := &changes[j]
		if !leavesValue(c.Op) {
			continue
		}
		stored := v.stored(slots[j])
		if stored[0] == 0 {
			c.Value = stored[1:]
			continue
		}
		env, _ := codec.DecodeEnvelope(stored) // the walk has looked at it
		c.Value, c.Expiry = env.Payload, env.Expiry
	}
}

// show makes the changes of all commits, without values.
func (p *journalPage) show() {
	if p.lists == nil {
		return
	}
	room := make([]backend.JournalChange, p.changes)
	for i := range p.lists {
		room = room[p.showEntry(i, room):]
	}
	p.lists = nil
}

// showEntry makes the changes of a commit at the beginning of what is free.
func (p *journalPage) showEntry(i int, free []backend.JournalChange) (n int) {
	list := p.lists[i].changes
	n = len(list)
	for j := range list {
		free[j].Change = list[j]
	}
	p.entries[i].Changes = free[:n:n]
	return n
}
