package codec

import "math"

// The records of a bundle: the file that holds one run with its history (docs/format.md,
// "Bundles"). The file around them is made by internal/bundle.

// The kinds of records, field 0 of each. In files: never renumber, never reuse.
const (
	bundleKind    = 0
	bundleHeader  = 1
	bundleCommit  = 2
	bundleChange  = 3
	bundleTrailer = 4
)

// BundleHeader begins a bundle; the record of the run comes after it.
type BundleHeader struct {
	// Commits is how many there are, First and Last are the versions of the first and the last of
	// them in the database in which they were made; 0 without commits.
	Commits, First, Last uint64
	// StateHash is the hash of what the run shows after its last commit.
	StateHash [32]byte
}

// AppendBundleHeader appends a header.
func AppendBundleHeader(dst []byte, h BundleHeader) []byte {
	dst = appendBundleKind(dst, bundleHeader, 4)
	dst = appendHead(appendField(dst, 1), majorUint, h.Commits)
	dst = appendHead(appendField(dst, 2), majorUint, h.First)
	dst = appendHead(appendField(dst, 3), majorUint, h.Last)
	return append(appendHead(appendField(dst, 4), majorBytes, 32), h.StateHash[:]...)
}

func appendBundleKind(dst []byte, kind uint64, fields byte) []byte {
	return appendHead(appendField(append(dst, majorMap|(1+fields)), bundleKind), majorUint, kind)
}

// DecodeBundleHeader decodes a header. Errors: ErrCorrupt, ErrFormat.
func DecodeBundleHeader(b []byte) (BundleHeader, error) {
	r, err := newBundleReader("bundle header", b, bundleHeader)
	if err != nil {
		return BundleHeader{}, err
	}
	var h BundleHeader
	seen := 0
	for r.next() {
		seen++
		switch r.key {
		case 1:
			h.Commits = r.uint(MaxSequence)
		case 2:
			h.First = r.uint(math.MaxUint64)
		case 3:
			h.Last = r.uint(math.MaxUint64)
		case 4:
			h.StateHash = r.digest()
		default:
			r.unknown()
		}
	}
	r.require(seen == 4, "place for everything")
	return h, r.done()
}

// newBundleReader reads the field that says what a record is.
func newBundleReader(what string, b []byte, kind uint64) (reader, error) {
	r := newReader(what, b)
	if !r.next() || r.key != bundleKind {
		r.fail("no kind")
	}
	if found := r.uint(math.MaxUint64); found != kind {
		r.fail("a record of kind %d, expected %d", found, kind)
	}
	return r, r.err
}

// digest reads a byte string of 32 bytes.
func (r *reader) digest() (d [32]byte) {
	if b := r.bytes(); len(b) == len(d) {
		copy(d[:], b)
	} else {
		r.fail("a digest of %d bytes, expected %d", len(b), len(d))
	}
	return d
}

// BundleCommit is one commit of the run. So many changes come after it.
type BundleCommit struct {
	Number  uint64 // in the run: 1, 2, 3...
	Version uint64 // in the database in which it was made
	Time    int64  // there, in Unix nanoseconds
	Changes uint64
}

// AppendBundleCommit appends a commit.
func AppendBundleCommit(dst []byte, c BundleCommit) []byte {
	dst = appendBundleKind(dst, bundleCommit, 4)
	dst = appendHead(appendField(dst, 1), majorUint, c.Number)
	dst = appendHead(appendField(dst, 2), majorUint, c.Version)
	dst = appendCBORInt(appendField(dst, 3), c.Time)
	return appendHead(appendField(dst, 4), majorUint, c.Changes)
}

// DecodeBundleCommit decodes a commit. Errors: ErrCorrupt, ErrFormat.
func DecodeBundleCommit(b []byte) (BundleCommit, error) {
	r, err := newBundleReader("bundle commit", b, bundleCommit)
	if err != nil {
		return BundleCommit{}, err
	}
	var c BundleCommit
	seen := 0
	for r.next() {
		seen++
		switch r.key {
		case 1:
			c.Number = r.positive(MaxSequence)
		case 2:
			c.Version = r.positive(math.MaxUint64)
		case 3:
			c.Time = r.int()
		case 4:
			c.Changes = r.uint(MaxSequence)
		default:
			r.unknown()
		}
	}
	r.require(seen == 4, "place for everything")
	return c, r.done()
}

// BundleChange is one change of a commit. What a put or an append wrote comes after it.
type BundleChange struct {
	// Op says what was done, Primitive of what the key is.
	Op        ChangeOp
	Primitive Primitive
	Key       string // empty for an event: its place in the log tells
	Expiry    int64  // of a put: the deadline in Unix nanoseconds, 0 for none
	Type      string // of an event
}

// AppendBundleChange appends a change.
func AppendBundleChange(dst []byte, c BundleChange) []byte {
	n, start := 3, len(dst)
	dst = appendBundleKind(dst, bundleChange, 0)
	dst = appendHead(appendField(dst, 1), majorUint, uint64(c.Op))
	dst = appendHead(appendField(dst, 2), majorUint, uint64(c.Primitive))
	if c.Primitive != Events {
		n++
		dst = append(appendHead(appendField(dst, 3), majorBytes, uint64(len(c.Key))), c.Key...)
	}
	dst = appendIntField(dst, &n, 4, c.Expiry)
	dst = appendTextField(dst, &n, 5, c.Type)
	dst[start] = majorMap | byte(n)
	return dst
}

// DecodeBundleChange decodes a change. Key and type alias b. Errors: ErrCorrupt for what no run can
// hold, ErrFormat for what this version of the library does not know.
func DecodeBundleChange(b []byte) (BundleChange, error) {
	r, err := newBundleReader("bundle change", b, bundleChange)
	if err != nil {
		return BundleChange{}, err
	}
	var c BundleChange
	var hasKey bool
	for r.next() {
		switch r.key {
		case 1:
			c.Op = ChangeOp(r.positive(uint64(ChangeAppend)))
		case 2:
			c.Primitive = Primitive(r.positive(math.MaxUint8))
		case 3:
			c.Key, hasKey = aliasString(r.bytes()), true
		case 4:
			c.Expiry = r.nonzero()
		case 5:
			c.Type = r.text()
		default:
			r.unknown()
		}
	}
	c.check(&r, hasKey)
	return c, r.done()
}

// check refuses a change that no run can have.
func (c *BundleChange) check(r *reader, hasKey bool) {
	event := c.Primitive == Events
	switch {
	case r.err != nil:
	case !c.Primitive.bundled():
		r.fail("primitive %q is none that a run has", byte(c.Primitive))
	case c.Op == 0 || event != (c.Op == ChangeAppend) || event == hasKey || event != (c.Type != ""):
		r.fail("%s of %s, key and type do not fit", c.Op, c.Primitive)
	case len(c.Key) > MaxKeySize || len(c.Type) > MaxEventType:
		r.fail("key of %d bytes or type of %d, limits %d and %d", len(c.Key), len(c.Type),
			MaxKeySize, MaxEventType)
	case c.Expiry != 0 && (c.Op != ChangePut || !c.Primitive.expires()):
		r.fail("%s of %s with a deadline", c.Op, c.Primitive)
	}
}

// bundled: what a user writes into a run.
func (p Primitive) bundled() bool {
	switch p {
	case KV, Events, Cells, Traces, Vectors, Machines, Extensions:
		return true
	}
	return false
}

// expires: what a user may give a deadline.
func (p Primitive) expires() bool { return p == KV || p == Extensions }

// BundleTrailer ends a bundle.
type BundleTrailer struct {
	// Commits, Changes and Events are how many there were.
	Commits, Changes, Events uint64
	// Head is the hash of the last event, zeros if there is none.
	Head EventDigest
	// Digest is the SHA-256 of all bytes before the trailer, uncompressed.
	Digest [32]byte
}

// AppendBundleTrailer appends a trailer.
func AppendBundleTrailer(dst []byte, t BundleTrailer) []byte {
	dst = appendBundleKind(dst, bundleTrailer, 5)
	dst = appendHead(appendField(dst, 1), majorUint, t.Commits)
	dst = appendHead(appendField(dst, 2), majorUint, t.Changes)
	dst = appendHead(appendField(dst, 3), majorUint, t.Events)
	dst = append(appendHead(appendField(dst, 4), majorBytes, 32), t.Head[:]...)
	return append(appendHead(appendField(dst, 5), majorBytes, 32), t.Digest[:]...)
}

// DecodeBundleTrailer decodes a trailer. Errors: ErrCorrupt, ErrFormat.
func DecodeBundleTrailer(b []byte) (BundleTrailer, error) {
	r, err := newBundleReader("bundle trailer", b, bundleTrailer)
	if err != nil {
		return BundleTrailer{}, err
	}
	var t BundleTrailer
	seen := 0
	for r.next() {
		seen++
		switch r.key {
		case 1:
			t.Commits = r.uint(MaxSequence)
		case 2:
			t.Changes = r.uint(math.MaxUint64)
		case 3:
			t.Events = r.uint(MaxSequence + 1)
		case 4:
			t.Head = r.digest()
		case 5:
			t.Digest = r.digest()
		default:
			r.unknown()
		}
	}
	r.require(seen == 5, "place for everything")
	return t, r.done()
}

// AppendLength appends a length, an unsigned integer in CBOR.
func AppendLength(dst []byte, n uint64) []byte { return appendHead(dst, majorUint, n) }

// LengthSize is how many bytes a length takes that begins with this byte.
func LengthSize(first byte) int {
	switch info := first & 31; {
	case info < 24:
		return 1
	case info > 27:
		return 1 // DecodeLength refuses it
	default:
		return 1 + 1<<(info-24)
	}
}

// DecodeLength reads what AppendLength wrote, and reports whether it is that, and all of b.
func DecodeLength(b []byte) (uint64, bool) {
	n, next, ok := readHead(b, 0)
	return n, ok && next == len(b) && b[0]&majorMask == majorUint
}
