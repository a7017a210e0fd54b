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
// order of commits, so writing them down is a miss of the cache each. For each there are four bytes
// that say where its value was copied to, one behind the other as they came. The changes themselves
// are made when the consumer is about to look at them (journalwalk.go).

const (
	// scanFrom is how many changes a page must have to be read so.
	scanFrom = 64
	// scanWaste is how many entries the walk may meet for each that it looks for, judged whenever
	// it has met scanJudged more. To look one up costs as much as a few dozen steps.
	scanWaste  = 16
	scanJudged = 128
	// splitFrom is how many changes a page must have for several walks at once, each over a part of
	// its keys; splitMost is how many walks.
	splitFrom = 16 << 10
	splitMost = 4
)

// scannedValues are the values of a page, as a walk left them.
type scannedValues struct {
	first []uint32 // of each commit the slot of its first change
	slots []uint32 // of each change where its value lies, a place in a block; 0 for none
	found atomic.Int64
	stop  atomic.Bool // a part has given up

	mu     sync.Mutex // guards the list, while there are several walks
	blocks [][]byte

	touched byte // what touch read, for nobody
}

// scanValues reads the values of the page by a walk. It reports false if that is not the way, or
// not any more: then nothing of what it did counts.
func (p *journalPage) scanValues() (done bool, err error) {
	if p.lists == nil || p.changes < scanFrom {
		return false, nil
	}
	v := &scannedValues{
		first: make([]uint32, len(p.entries)+1), slots: make([]uint32, p.changes),
	}
	for i := range p.lists {
		v.first[i+1] = v.first[i] + uint32(len(p.lists[i].changes))
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
	done = err == nil && !p.cut && int(v.found.Load()) == p.changes && p.fits(walks)
	if done {
		p.scanned = v
	} else if !p.cut {
		p.bytes = 0
	}
	return done, err
}

// fits tells whether what walks found of each commit is what the journal names.
func (p *journalPage) fits(walks []*valueWalk) bool {
	for i := range p.lists {
		check := uint64(0)
		for _, w := range walks {
			check += w.places[i].check
		}
		if check != p.lists[i].check {
			return false
		}
	}
	return true
}

// valueWalk is a walk over a part of the keys.
type valueWalk struct {
	page   *journalPage
	v      *scannedValues
	at     *versionIndex
	ranges []keyRange
	places []walkPlace // of each commit

	index       uint32 // of the block that is written to, in the list
	buffer      []byte
	most, bytes int
	cut         bool
	err         error
}

// walkPlace is where a walk stands in a commit: the slot of the change whose entry comes next, that
// behind the last one of its part, and a checksum over what it has found.
type walkPlace struct {
	next, end uint32
	check     uint64
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
			page: p, v: v, at: at, ranges: ranges[i], places: make([]walkPlace, len(p.entries)),
			most: pageBytes / len(walks),
		}
		for j := range walks[i].places {
			walks[i].places[j] = walkPlace{next: ends[i][j], end: ends[i+1][j]}
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
			if list := p.lists[i*last/(n*samples)].changes; len(list) > 0 {
				keys = append(keys, list[i%len(list)])
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
	for i := range p.lists {
		changes := p.lists[i].changes
		low, high := 0, len(changes)
		for low < high {
			middle := (low + high) / 2
			if compareChanges(changes[middle], *key) < 0 {
				low = middle + 1
			} else {
				high = middle
			}
		}
		slots[i] = v.first[i] + uint32(low)
	}
	return slots
}

// keyRanges are for each part of the changes the keys that they have, by primitive.
func (p *journalPage) keyRanges(ends [][]uint32) (parts [][]keyRange) {
	for part := range len(ends) - 1 {
		var found [1 << 8]*keyRange
		for i := range p.lists {
			base := ends[0][i]
			changes := p.lists[i].changes[ends[part][i]-base : ends[part+1][i]-base]
			for j := 0; j < len(changes); j++ {
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
				if last := &changes[len(changes)-1]; last.Primitive == c.Primitive {
					r.high = max(r.high, last.Key)
					break
				}
				if changes[j+1].Primitive != c.Primitive {
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
