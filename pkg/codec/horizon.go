package codec

import "math"

// Horizon is the earliest version at which the history of one primitive of a scope can be read:
// retention has removed what lay below.
type Horizon struct {
	Primitive Primitive
	Version   uint64
}

// HorizonRecord says what retention has removed of a scope. It lies in the scope, under HorizonKey,
// without a version: there is one, and it only rises.
type HorizonRecord struct {
	// Horizons are sorted by primitive, which are lower-case letters, each once; a primitive that is
	// not listed is whole. None has the version 0.
	Horizons []Horizon
	// First is the version of the scope's first commit, for when its journal record is gone; 0 as
	// long as it is there.
	First uint64
	// Pending says that what lies below the horizons is not removed in full yet.
	Pending bool
}

// Fields of a horizon record. On-disk: never renumber, never reuse.
const (
	horizonList    = 1 // flat: letter, version, letter, version...
	horizonFirst   = 2 // left out if 0
	horizonPending = 3 // 1, or left out
)

// HorizonKey is the engine key of a scope's horizon record: r/<scope>/h/ 0x00, without a version.
// REQUIRES: s <= MaxScope, not the system scope.
func HorizonKey(s Scope) []byte {
	return append(KeyPrefix(make([]byte, 0, ScopePrefixLen+1), s, Horizons), keySentinel)
}

// AppendHorizonRecord appends a horizon record. It allocates only if dst is too small.
// REQUIRES: Horizons are as their comment says.
func AppendHorizonRecord(dst []byte, r HorizonRecord) []byte {
	n, start := 1, len(dst)
	b := append(dst, majorMap)
	b = appendHead(appendField(b, horizonList), majorArray, uint64(2*len(r.Horizons)))
	for _, h := range r.Horizons {
		b = appendHead(b, majorUint, uint64(h.Primitive))
		b = appendHead(b, majorUint, h.Version)
	}
	b = appendUintField(b, &n, horizonFirst, r.First)
	if r.Pending {
		b = appendUintField(b, &n, horizonPending, 1)
	}
	b[start] |= byte(n)
	return b
}

// DecodeHorizonRecord decodes a horizon record. It keeps nothing of b. Errors: ErrCorrupt,
// ErrFormat for a field that must be understood and is not.
func DecodeHorizonRecord(b []byte) (HorizonRecord, error) {
	r := newReader("horizon record", b)
	h, err := readHorizonRecord(&r)
	if err != nil {
		return HorizonRecord{}, err
	}
	return h, nil
}

func readHorizonRecord(r *reader) (h HorizonRecord, err error) {
	var hasList bool
	for r.next() {
		switch r.key {
		case horizonList:
			h.Horizons, hasList = readHorizons(r), true
		case horizonFirst:
			h.First = r.positive(math.MaxUint64)
		case horizonPending:
			h.Pending = r.positive(1) == 1
		default:
			r.unknown()
		}
	}
	r.require(hasList, "horizons")
	return h, r.done()
}

func readHorizons(r *reader) []Horizon {
	n := r.head(majorArray, 1)
	if n%2 != 0 {
		r.fail("a letter without a version")
	}
	var list []Horizon
	for i := 0; i < n && r.err == nil; i += 2 {
		h := Horizon{Primitive: Primitive(r.uint(math.MaxUint8))}
		h.Version = r.positive(math.MaxUint64)
		if len(list) > 0 && list[len(list)-1].Primitive >= h.Primitive ||
			!validPrimitive(MaxScope, h.Primitive) || h.Primitive.IsIndex() {
			r.fail("letter 0x%02x is none, or not in order", byte(h.Primitive))
		}
		list = append(list, h)
	}
	return list
}
