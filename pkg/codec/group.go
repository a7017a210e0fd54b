package codec

// Commit records, and journal records of one scope, of commits that come together are stored as a
// group: one key, that of the last commit, and all their records in its value. A store pays per
// key; what a small commit says of itself is shorter than what that costs.
//
// A record alone stands as it is, a CBOR map. A group is an array: the distance from the version of
// the first commit to that of the last, then for each commit in order the distance from the first
// and the record, a byte string. The parts of a long journal record are never in a group.

// MaxGroupRecords is how many records a group may have: a reader that looks for one goes over all.
const MaxGroupRecords = 1 << 12

// GroupBuilder collects the records of one group. The zero GroupBuilder is empty.
type GroupBuilder struct {
	first, last uint64
	count       int
	lone        int // where the first record begins in the body
	body        []byte
}

// Add appends the record of a commit, which it copies. REQUIRES: version is greater than that of
// the record before, and Len() < MaxGroupRecords.
func (g *GroupBuilder) Add(version uint64, record []byte) {
	if g.count == 0 {
		g.first = version
	}
	g.last = version
	g.count++
	g.body = appendHead(g.body, majorUint, version-g.first)
	g.body = appendHead(g.body, majorBytes, uint64(len(record)))
	if g.count == 1 {
		g.lone = len(g.body)
	}
	g.body = append(g.body, record...)
}

// Len is how many records were added.
func (g *GroupBuilder) Len() int { return g.count }

// Last is the version of the last record, 0 of none.
func (g *GroupBuilder) Last() uint64 { return g.last }

// Size is how many bytes Append appends.
func (g *GroupBuilder) Size() int {
	if g.count == 1 {
		return len(g.body) - g.lone
	}
	return headSize(1+2*uint64(g.count)) + headSize(g.last-g.first) + len(g.body)
}

// Append appends the value that belongs under the key of the last commit. It allocates only if dst
// is too small. REQUIRES: Len() > 0.
func (g *GroupBuilder) Append(dst []byte) []byte {
	if g.count == 1 {
		return append(dst, g.body[g.lone:]...)
	}
	dst = appendHead(dst, majorArray, 1+2*uint64(g.count))
	dst = appendHead(dst, majorUint, g.last-g.first)
	return append(dst, g.body...)
}

// Reset empties the builder. It keeps its memory.
func (g *GroupBuilder) Reset() { *g = GroupBuilder{body: g.body[:0]} }

// GroupReader walks the records under one key:
//
//	g := codec.OpenGroup(version, value)
//	for g.Next() {
//		use(g.Version(), g.Record())
//	}
//	return g.Err()
type GroupReader struct {
	b           []byte
	first, last uint64
	at, left    int
	version     uint64
	record      []byte
	err         error
}

// OpenGroup reads what lies under the key of a commit with this version: a group, or a record
// alone. Whether a record is what it should be the decoders of records tell. It does not allocate;
// value must not change while the reader is in use.
func OpenGroup(version uint64, value []byte) GroupReader {
	g := GroupReader{b: value, first: version, last: version, left: 1}
	if len(value) == 0 || value[0]&majorMask != majorArray {
		return g
	}
	items, at, ok := readHead(value, 0)
	if !ok || items < 5 || items%2 == 0 || items > 1+2*MaxGroupRecords {
		g.fail(0, "expected an array of a distance and 2 to %d records with theirs",
			MaxGroupRecords)
		return g
	}
	g.left = int(items) / 2
	span := uint64(0)
	if span, g.at = g.distance(at); g.err == nil && (span == 0 || span >= version) {
		g.fail(at, "distance %d to version %d", span, version)
	}
	g.first = version - span
	return g
}

// distance reads an unsigned integer.
func (g *GroupReader) distance(at int) (d uint64, next int) {
	d, next, ok := readHead(g.b, at)
	if !ok || g.b[at]&majorMask != majorUint {
		g.fail(at, "expected a distance between versions")
	}
	return d, next
}

func (g *GroupReader) fail(at int, format string, args ...any) {
	if g.err == nil {
		g.err = corrupt("record group", at, format, args...)
	}
}

// Next moves on to the next record. It reports false at the end, and for damage.
func (g *GroupReader) Next() bool {
	if g.err != nil || g.left == 0 {
		return false
	}
	g.left--
	if g.at == 0 { // a record alone: a group has its head before the first one
		g.version, g.record = g.last, g.b
		return true
	}
	began := g.at
	d, at := g.distance(began)
	if g.err != nil {
		return false
	}
	size, at, ok := readHead(g.b, at)
	if !ok || g.b[at-headSize(size)]&majorMask != majorBytes || size > uint64(len(g.b)-at) {
		g.fail(at, "expected a record as a byte string")
		return false
	}
	version := g.first + d
	switch {
	case g.version == 0 && d != 0, g.version != 0 && version <= g.version, version > g.last,
		g.left == 0 && version != g.last:
		g.fail(began, "version %d after %d, of %d to %d", version, g.version, g.first, g.last)
		return false
	}
	g.version, g.record, g.at = version, g.b[at:at+int(size)], at+int(size)
	if g.left == 0 && g.at != len(g.b) {
		g.fail(g.at, "%d bytes behind the last record", len(g.b)-g.at)
		return false
	}
	return true
}

// Version is that of the commit of the record under the reader.
func (g *GroupReader) Version() uint64 { return g.version }

// Record is the record under the reader, a part of the value.
func (g *GroupReader) Record() []byte { return g.record }

// Left is how many records come behind the one under the reader, before Next all: commit numbers of
// a scope have no gaps, so that of the key less Left is the record's.
func (g *GroupReader) Left() int { return g.left }

// First is the version of the first record, also before Next.
func (g *GroupReader) First() uint64 { return g.first }

// Err is why the walk ended early. Errors: ErrCorrupt.
func (g *GroupReader) Err() error { return g.err }
