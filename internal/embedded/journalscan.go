package embedded

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A page that has most of what lies between its keys is read by one walk, without looking anything
// up: the entries of one commit come in the order in which its journal record names them, and the
// version of an entry tells the commit. So nothing is sorted, and of the keys only the ends are
// compared.
//
// What the walk finds is kept in a compact form: entries come in key order, and are wanted in the
// order of commits, so writing them down is a miss of the cache each. The changes themselves are
// filled in when the consumer is about to look at them.

const (
	// scanFrom is how many changes a page must have to be read so.
	scanFrom = 64
	// scanWaste is how many entries the walk may meet for each that it looks for, judged whenever
	// it has met scanJudged more.
	scanWaste  = 4
	scanJudged = 128
	// splitFrom is how many changes a page must have for several walks at once, each over a part of
	// its keys; splitMost is how many walks.
	splitFrom = 16 << 10
	splitMost = 4
	// fillAhead is how many changes are filled in at once.
	fillAhead = 256
)

// scannedValues are the values of a page, as a walk left them.
type scannedValues struct {
	first []uint32 // of each commit the slot of its first change
	slots []valueSlot
	found atomic.Int64
	stop  atomic.Bool // a part has given up

	mu     sync.Mutex // guards the list, while there are several walks
	blocks [][]byte
}

// valueSlot says where the stored value of a change lies, and enough of its key to tell that the
// entry is the one that the journal names.
type valueSlot struct {
	tail            uint64 // the last bytes of the key
	block, at, size uint32
	kind            uint32 // letter<<24 | tombstone<<23 | size of the key
}

const (
	slotTombstone = 1 << 23
	slotLetter    = 24
)

// keyTail tells keys apart that have the same length and lie close together.
func keyTail[K string | []byte](key K) (tail uint64) {
	for _, b := range []byte(key[max(0, len(key)-8):]) {
		tail = tail<<8 | uint64(b)
	}
	return tail
}

// scanValues reads the values of the page by a walk. It reports false if that is not the way, or
// not any more: then nothing of what it did counts.
func (p *journalPage) scanValues() (done bool, err error) {
	if p.r.Values != backend.NewValues || p.changes < scanFrom ||
		p.layer.scope.Number == codec.SystemScope {
		return false, nil
	}
	v := &scannedValues{
		first: make([]uint32, len(p.entries)+1), slots: make([]valueSlot, p.changes),
	}
	for i := range p.entries {
		v.first[i+1] = v.first[i] + uint32(len(p.entries[i].Changes))
	}
	walks := p.valueWalks(v)
	var wg sync.WaitGroup
	for _, w := range walks[1:] {
		wg.Go(w.run)
	}
	walks[0].run()
	wg.Wait()
	for _, w := range walks {
		p.bytes += w.bytes
		p.cut = p.cut || w.cut
		if err == nil {
			err = w.err
		}
	}
	done = err == nil && !p.cut && int(v.found.Load()) == p.changes && p.fits(v)
	if done {
		p.scanned = v
	} else if !p.cut {
		p.bytes = 0
	}
	return done, err
}

// fits tells whether what was found is what the journal names.
func (p *journalPage) fits(v *scannedValues) bool {
	slots := v.slots
	for i := range p.entries {
		for j := range p.entries[i].Changes {
			c, s := &p.entries[i].Changes[j], &slots[j]
			if s.kind&^slotTombstone != uint32(c.Primitive)<<slotLetter|uint32(len(c.Key)) ||
				s.tail != keyTail(c.Key) || leavesValue(c.Op) && s.kind&slotTombstone != 0 {
				return false
			}
		}
		slots = slots[len(p.entries[i].Changes):]
	}
	return true
}

// fill fills in the values of commits, beginning with one, and returns the first that was left.
func (p *journalPage) fill(from int) (end int) {
	v := p.scanned
	if v == nil {
		return len(p.entries)
	}
	for n := 0; from < len(p.entries) && n < fillAhead; from++ {
		changes := p.entries[from].Changes
		slots := v.slots[v.first[from]:v.first[from+1]]
		for j := range changes {
			if c, s := &changes[j], &slots[j]; leavesValue(c.Op) {
				stored := v.blocks[s.block][s.at : s.at+s.size : s.at+s.size]
				env, _ := codec.DecodeEnvelope(stored) // the walk has looked at it
				c.Value, c.Expiry = env.Payload, env.Expiry
			}
		}
		n += len(changes)
	}
	return from
}

// valueWalk is a walk over a part of the keys.
type valueWalk struct {
	page   *journalPage
	v      *scannedValues
	at     *versionIndex
	ranges []keyRange
	next   []uint32 // of each commit the slot of the change whose entry comes next
	end    []uint32 // and that behind the last one of the part

	index       uint32 // of the block that is written to, in the list
	buffer      []byte
	most, bytes int
	cut         bool
	err         error
}

// keyRange are the keys of a primitive from low to high, both included.
type keyRange struct {
	primitive codec.Primitive
	low, high string
}

// valueWalks plans the walks.
func (p *journalPage) valueWalks(v *scannedValues) []*valueWalk {
	n := 1
	if p.changes >= splitFrom {
		n = min(runtime.GOMAXPROCS(0), splitMost)
	}
	at := newVersionIndex(p.entries)
	ends := p.splits(v, n)
	ranges := p.keyRanges(ends)
	walks := make([]*valueWalk, len(ranges))
	for i := range walks {
		walks[i] = &valueWalk{
			page: p, v: v, at: at, ranges: ranges[i], next: slices.Clone(ends[i]), end: ends[i+1],
			most: pageBytes / len(walks),
		}
	}
	return walks
}

// splits parts the changes of every commit into n parts by key: part i goes from slot ends[i] up
// to slot ends[i+1].
func (p *journalPage) splits(v *scannedValues, n int) (ends [][]uint32) {
	const samples = 32 // for each part
	last := len(p.entries)
	ends = append(ends, v.first[:last])
	if n > 1 {
		var keys []codec.Change
		for i := range n * samples {
			e := &p.entries[i*last/(n*samples)]
			if len(e.Changes) > 0 {
				keys = append(keys, e.Changes[i%len(e.Changes)].Change)
			}
		}
		slices.SortFunc(keys, compareChanges)
		for i := 1; i < n && len(keys) > 0; i++ {
			key := &keys[i*len(keys)/n]
			ends = append(ends, p.splitAt(v, key))
		}
	}
	return append(ends, v.first[1:])
}

// splitAt finds in every commit the slot of the first change at or behind a key.
func (p *journalPage) splitAt(v *scannedValues, key *codec.Change) []uint32 {
	slots := make([]uint32, len(p.entries))
	for i := range p.entries {
		changes := p.entries[i].Changes
		low, high := 0, len(changes)
		for low < high {
			middle := (low + high) / 2
			if compareChanges(changes[middle].Change, *key) < 0 {
				low = middle + 1
			} else {
				high = middle
			}
		}
		slots[i] = v.first[i] + uint32(low)
	}
	return slots
}

// versionIndex finds commits of a page by their versions: in a table if most of the versions
// between the first and the last are theirs, as in a database with few runs, else in a map.
type versionIndex struct {
	low   uint64
	table []uint32 // 1 + the place of the commit with version low+i
	all   map[uint64]uint32
}

// sparse is how many versions there may be for each commit in a table.
const sparse = 16

func newVersionIndex(entries []backend.JournalEntry) *versionIndex {
	x := &versionIndex{low: entries[0].Version}
	if span := entries[len(entries)-1].Version - x.low; span < sparse*uint64(len(entries)) {
		x.table = make([]uint32, span+1)
		for i := range entries {
			x.table[entries[i].Version-x.low] = uint32(i) + 1
		}
		return x
	}
	x.all = make(map[uint64]uint32, len(entries))
	for i := range entries {
		x.all[entries[i].Version] = uint32(i) + 1
	}
	return x
}

// find is the place of the commit with a version, or -1.
func (x *versionIndex) find(version uint64) int {
	if x.all != nil {
		return int(x.all[version]) - 1
	}
	if i := version - x.low; i < uint64(len(x.table)) {
		return int(x.table[i]) - 1
	}
	return -1
}
