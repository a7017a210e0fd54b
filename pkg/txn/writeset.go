package txn

import (
	"cmp"
	"slices"
	"sort"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// writeSet buffers a transaction's writes: for every key the last one.
type writeSet struct {
	// list has one entry per key, in the order of the first write to it.
	list []backend.Write
	// index finds an entry by its key once a walk over the list would cost more.
	index map[writeKey]int32
	// order has the entries list[:len(order)] in key order, for scans; later entries are merged in
	// when a scan asks. It survives rewrites of a key, for these keep their place in the list.
	order []int32
	// past keeps what open scans have to see of entries that were rewritten since they began.
	past map[int32][]pastWrite
	// scans counts the open ones; rewrites orders them and what is in past; lastScan is the value
	// of rewrites when the newest of them began.
	scans              int
	rewrites, lastScan int
	// shown counts entries that are no writes: see show.
	shown int
	// bytes is the size of all keys and values to be written.
	bytes int64
}

// fewWrites is the longest list that is searched without an index.
const fewWrites = 8

type writeKey struct {
	scope     codec.Scope
	primitive codec.Primitive
	key       string
}

func keyOf(w *backend.Write) writeKey { return writeKey{w.Scope.Number, w.Primitive, w.Key} }

func (k writeKey) compare(o writeKey) int {
	return cmp.Or(
		cmp.Compare(k.scope, o.scope),
		cmp.Compare(k.primitive, o.primitive),
		cmp.Compare(k.key, o.key),
	)
}

// position is the place of a key in the list, or -1.
func (s *writeSet) position(k writeKey) int {
	if s.index != nil {
		if i, ok := s.index[k]; ok {
			return int(i)
		}
		return -1
	}
	for i := range s.list {
		if keyOf(&s.list[i]) == k {
			return i
		}
	}
	return -1
}

// find returns the pending write to a key, or nil. The pointer is good until the next put.
func (s *writeSet) find(k writeKey) *backend.Write {
	if i := s.position(k); i >= 0 {
		return &s.list[i]
	}
	return nil
}

// put adds a write or replaces the earlier one to its key, if fits agrees to what the set would
// then hold; otherwise nothing changes.
func (s *writeSet) put(w backend.Write, fits func(keys int, bytes int64) error) error {
	i := s.position(keyOf(&w))
	keys, bytes := s.written()+1, s.bytes+size(w.Key, w.Value)
	if i >= 0 && s.list[i].Op != opShown {
		keys--
		bytes -= size(w.Key, s.list[i].Value)
	}
	if err := fits(keys, bytes); err != nil {
		return err
	}
	s.bytes = bytes
	if i < 0 {
		s.add(w)
		return nil
	}
	if s.list[i].Op == opShown {
		s.shown--
	}
	s.keep(int32(i))
	s.list[i] = w
	return nil
}

// add appends an entry for a new key.
func (s *writeSet) add(w backend.Write) {
	s.list = append(s.list, w)
	s.note(len(s.list) - 1)
}

// opShown marks an entry that only the transaction's own reads see. No authority knows it.
const opShown backend.Op = 1 << 7

// show lets reads find a value under a key without writing it. It counts towards no limit, and
// gives way to a write of the key, whichever comes first.
func (s *writeSet) show(scope *backend.Scope, p codec.Primitive, key string, value []byte) {
	if s.position(writeKey{scope.Number, p, key}) >= 0 {
		return
	}
	s.shown++
	s.add(backend.Write{Scope: scope, Primitive: p, Key: key, Op: opShown, Value: value})
}

// written counts the keys to be written.
func (s *writeSet) written() int { return len(s.list) - s.shown }

// toCommit are the writes in the set.
func (s *writeSet) toCommit() []backend.Write {
	if s.shown == 0 {
		return s.list
	}
	list := make([]backend.Write, 0, s.written())
	for i := range s.list {
		if s.list[i].Op != opShown {
			list = append(list, s.list[i])
		}
	}
	return list
}

// note enters a new entry into the index, and makes the index when it begins to pay.
func (s *writeSet) note(i int) {
	if s.index != nil {
		s.index[keyOf(&s.list[i])] = int32(i)
		return
	}
	if len(s.list) > fewWrites {
		s.index = make(map[writeKey]int32, 4*fewWrites)
		for j := range s.list {
			s.index[keyOf(&s.list[j])] = int32(j)
		}
	}
}

// search is the place in order of the first entry at or after a key.
func (s *writeSet) search(k writeKey) int {
	return sort.Search(len(s.order), func(i int) bool {
		return keyOf(&s.list[s.order[i]]).compare(k) >= 0
	})
}

// insertOneByOne is the number of new entries up to which each is put in its place; beyond it
// sorting everything anew is cheaper.
const insertOneByOne = 16

// sort brings order up to date with the list.
func (s *writeSet) sort() {
	fresh := len(s.list) - len(s.order)
	for i := len(s.order); i < len(s.list); i++ {
		if fresh <= insertOneByOne {
			s.order = slices.Insert(s.order, s.search(keyOf(&s.list[i])), int32(i))
		} else {
			s.order = append(s.order, int32(i))
		}
	}
	if fresh > insertOneByOne {
		slices.SortFunc(s.order, func(a, b int32) int {
			return keyOf(&s.list[a]).compare(keyOf(&s.list[b]))
		})
	}
}
