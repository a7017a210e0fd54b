package memtable

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"
)

// leaf holds up to leafMax keys of a tree in two lists: a sorted one and a short pending one in
// order of arrival. Both only grow at their end, behind an atomic count, so what a reader saw of a
// leaf stays valid; a leaf that must change otherwise is replaced and left as it is.
//
// Per key: its serial, and the 8 bytes that follow the prefix which all keys of the leaf share.
// They decide most comparisons without a look at the entry, which lies anywhere.
//
//	deciding: room for sorted | room/8 for pending        8 bytes each
//	serials:  room for sorted | room/8 for pending        4 bytes each
type leaf struct {
	sorted, pending atomic.Uint32
	prefix          string // what all keys begin with, in memory of its own
	room            int
	deciding        []uint64
	serials         []uint32
	// merged is the order of all keys as a scan found it, so that the next one need not ask for keys
	// that the deciding bytes do not tell apart. Any goroutine may replace it.
	merged atomic.Pointer[merging]
}

// merging is the order of the keys of a leaf that had so many sorted and pending ones. Both only
// grow, so these two numbers tell whether it still holds.
type merging struct {
	sorted, pending int
	places          []uint16
}

const (
	leafMax = 256
	leafMin = 16
)

// makeLeaf makes an empty leaf for n sorted keys and, if possible, one more.
func makeLeaf(prefix string, n int) *leaf {
	room := leafMin
	for room <= n && room < leafMax {
		room *= 2
	}
	size := room + max(room/8, 8)
	block := make([]uint64, size+(size+1)/2)
	return &leaf{
		prefix:   prefix,
		room:     room,
		deciding: block[:size:size],
		serials:  unsafe.Slice((*uint32)(unsafe.Pointer(&block[size])), size),
	}
}

func (l *leaf) bytes() int64 {
	return int64(unsafe.Sizeof(*l)) + int64(len(l.prefix)) + int64(len(l.deciding))*12
}

// deciding is the 8 bytes of a key after its first skip bytes, zero-padded, as a number that orders
// like them. Equal numbers decide nothing: padding hides trailing zero bytes.
func deciding(key string, skip int) uint64 {
	rest := key[skip:]
	if len(rest) >= 8 {
		return binary.BigEndian.Uint64(unsafe.Slice(unsafe.StringData(rest), 8))
	}
	var v uint64
	for i := 0; i < len(rest); i++ {
		v |= uint64(rest[i]) << (56 - 8*i)
	}
	return v
}

// add takes one more key in place. It answers false when the leaf has to be rebuilt for it: there
// is no room, or the key does not share the leaf's prefix. Writer.
func (l *leaf) add(t *Table, o *order, serial uint32, key string) bool {
	n, p := int(l.sorted.Load()), int(l.pending.Load())
	if n == 0 || !strings.HasPrefix(key, l.prefix) {
		return false
	}
	d := deciding(key, len(l.prefix))
	i, count, end := n, &l.sorted, l.room
	if p > 0 || !l.after(t, o, n-1, d, key) {
		i, count, end = l.room+p, &l.pending, len(l.serials)
	}
	if i == end {
		return false
	}
	l.deciding[i] = d
	l.serials[i] = serial
	count.Add(1)
	return true
}

// after reports whether key, with its deciding bytes d, lies after the key at place i.
func (l *leaf) after(t *Table, o *order, i int, d uint64, key string) bool {
	if m := l.deciding[i]; m != d {
		return m < d
	}
	return o.key(t, l.serials[i]) < key
}

// less compares the keys at two places.
func (l *leaf) less(t *Table, o *order, i, j int) bool {
	if a, b := l.deciding[i], l.deciding[j]; a != b {
		return a < b
	}
	return o.key(t, l.serials[i]) < o.key(t, l.serials[j])
}

// ordered writes the places of all keys of the leaf to dst in key order, merging what is pending
// into what is sorted, and returns how many there are. A key that was in the leaf before the call
// is among them; of later ones some may be. Any goroutine.
func (l *leaf) ordered(t *Table, o *order, dst *[leafMax + leafMax/8]uint16) int {
	p, n := int(l.pending.Load()), int(l.sorted.Load())
	if m := l.merged.Load(); m != nil && m.sorted == n && m.pending == p {
		return copy(dst[:], m.places)
	}
	w := l.merge(t, o, dst, p, n)
	if p > 0 {
		l.merged.Store(&merging{n, p, slices.Clone(dst[:w])})
	}
	return w
}

// merge does the work of ordered for the first p pending and n sorted keys.
func (l *leaf) merge(t *Table, o *order, dst *[leafMax + leafMax/8]uint16, p, n int) int {
	var late [leafMax / 8]int
	for i := 0; i < p; i++ {
		j := i
		for ; j > 0 && l.less(t, o, l.room+i, late[j-1]); j-- {
			late[j] = late[j-1]
		}
		late[j] = l.room + i
	}
	i, w := 0, 0
	for _, j := range late[:p] {
		for i < n && l.less(t, o, i, j) {
			dst[w] = uint16(i)
			i, w = i+1, w+1
		}
		dst[w] = uint16(j)
		w++
	}
	for ; i < n; i, w = i+1, w+1 {
		dst[w] = uint16(i)
	}
	return w
}

// search returns how many of the places, which are in key order, hold keys below key.
func (l *leaf) search(t *Table, o *order, places []uint16, key string) int {
	if len(places) == 0 {
		return 0
	}
	switch c := strings.Compare(key[:min(len(key), len(l.prefix))], l.prefix); {
	case c < 0: // also if key ends within the prefix
		return 0
	case c > 0:
		return len(places)
	}
	d := deciding(key, len(l.prefix))
	lo, hi := 0, len(places)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if l.after(t, o, int(places[mid]), d, key) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
