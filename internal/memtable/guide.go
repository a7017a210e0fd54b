package memtable

import (
	"strings"
	"unsafe"
)

// guide leads a search in the base of an order near its place: it has the deciding bytes of every
// guideStep-th key. In the base alone a search would look at an entry for each of its steps, and
// these lie anywhere. It is immutable; a longer one replaces it.
//
// It costs half a byte per key of a base that is scanned, and it may end anywhere: what lies behind
// it is searched without.
type guide struct {
	prefix   string   // what all keys of the base began with when it was made, in memory of its own
	deciding []uint64 // of the keys with the serials 0, guideStep, 2*guideStep...
}

const (
	guideStep = 16
	// guideMin is the length of a base that is worth a guide.
	guideMin = 64
	// guideSlack is how far a guide may lag behind, in its keys, besides an eighth.
	guideSlack = 4
	// guideMore bounds how many keys a scan looks at to make a guide longer.
	guideMore = 512
)

func (g *guide) bytes() int64 {
	if g == nil {
		return 0
	}
	return int64(unsafe.Sizeof(*g)) + int64(len(g.prefix)) + int64(cap(g.deciding))*8
}

// narrow returns two serials between which, or at the second, is the first key of the base that is
// not below key; hi is the length of the base.
func (g *guide) narrow(hi uint32, key string) (uint32, uint32) {
	known := min(uint32(len(g.deciding)), (hi+guideStep-1)/guideStep)
	if known == 0 {
		return 0, hi
	}
	var below, upTo uint32 // how many of the known keys are below key; and are not surely above
	switch c := strings.Compare(key[:min(len(key), len(g.prefix))], g.prefix); {
	case c < 0:
		return 0, 0
	case c > 0:
		below, upTo = known, known
	default:
		d := deciding(key, len(g.prefix))
		below = firstOf(g.deciding[:known], d)
		upTo = below
		for upTo < known && g.deciding[upTo] == d {
			upTo++
		}
	}
	lo := uint32(0)
	if below > 0 {
		lo = (below-1)*guideStep + 1
	}
	if upTo < known {
		hi = upTo * guideStep
	}
	return lo, hi
}

// firstOf returns how many of the numbers, which rise, are below d.
func firstOf(numbers []uint64, d uint64) uint32 {
	lo, hi := 0, len(numbers)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); numbers[mid] < d {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint32(lo)
}

// seek returns the first serial of the base, which has that many keys, whose key is not below key;
// base if there is none. If the scope is not complete any more it returns anything; the caller
// finds that out by itself. Any goroutine.
func (o *order) seek(s *Scope, base uint32, key string) uint32 {
	lo, hi := uint32(0), base
	if base >= guideMin {
		g := o.guide.Load()
		if g == nil || base/guideStep > uint32(len(g.deciding)+len(g.deciding)/8+guideSlack) {
			g = o.lengthen(s, base)
		}
		if g != nil {
			lo, hi = g.narrow(base, key)
		}
	}
	for lo < hi {
		if mid := uint32(uint64(lo+hi) >> 1); o.key(s.t, mid) < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// lengthen brings the guide forward in the base, which has that many keys, unless somebody else is
// at it or the scope is not complete any more. It returns the guide, nil if there is none.
func (o *order) lengthen(s *Scope, base uint32) *guide {
	if !o.building.TryLock() {
		return o.guide.Load()
	}
	defer o.building.Unlock()
	old := o.guide.Load()
	first, last := o.key(s.t, 0), o.key(s.t, base-1)
	g := &guide{}
	if old != nil && strings.HasPrefix(last, old.prefix) {
		*g = *old
	} else {
		g.prefix = strings.Clone(first[:sharedPrefix(first, last)])
	}
	// What is behind the length of the old one nobody looks at, so they may share their memory.
	known := len(g.deciding)
	for range guideMore {
		serial := uint32(len(g.deciding)) * guideStep
		if serial >= base {
			break
		}
		key := o.key(s.t, serial)
		if !strings.HasPrefix(key, g.prefix) {
			break // only if the scope is not complete any more
		}
		g.deciding = append(g.deciding, deciding(key, len(g.prefix)))
	}
	if len(g.deciding) == known || !s.Complete() {
		return old // abandon may have been here
	}
	o.guide.Store(g)
	s.t.held.Add(g.bytes() - old.bytes())
	return g
}
