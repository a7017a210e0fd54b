package codec

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Records are CBOR maps with integer keys. A key >= 0 must be understood: a reader that does not
// know it refuses the record with ErrFormat. A key < 0 may be ignored.

// reader walks the fields of one record. The first error sticks and ends the walk.
//
//	r := newReader("commit record", b)
//	for r.next() {
//		switch r.key {
//		case 1:
//			x = r.uint(math.MaxUint64)
//		default:
//			r.unknown()
//		}
//	}
//	return r.done()
type reader struct {
	what    string
	b       []byte
	at      int
	left    int    // fields to come
	key     int    // the field under the reader
	rank    uint64 // 1 + the place of key in the order of keys
	known   uint64 // fields that may be ignored and are not: bit i for the key -1-i
	ignored int    // fields passed over
	err     error
}

func newReader(what string, b []byte) reader {
	r := reader{what: what, b: b}
	r.left = r.head(majorMap, 2)
	return r
}

// next moves on to the next field with a key >= 0, or one of the known others. Fields that may be
// ignored are passed over, but what they hold must be well-formed.
func (r *reader) next() bool {
	for r.err == nil && r.left > 0 {
		r.left--
		arg, next, ok := readHead(r.b, r.at)
		if !ok {
			r.err = verifier{r.b, r.what}.badHead(r.at)
			return false
		}
		major := r.b[r.at] & majorMask
		if major > majorNeg || arg > math.MaxInt32 {
			r.fail("expected an integer as field number, found head 0x%02x", r.b[r.at])
			return false
		}
		rank := 1 + arg + uint64(major)<<32
		if rank <= r.rank {
			r.fail("field twice or not in order")
			return false
		}
		r.rank, r.at = rank, next
		if major == majorUint {
			r.key = int(arg)
			return true
		}
		if arg < 64 && r.known>>arg&1 != 0 {
			r.key = -1 - int(arg)
			return true
		}
		r.ignored++
		r.skip()
	}
	return false
}

// done returns the first error; bytes behind the record are one.
func (r *reader) done() error {
	if r.err == nil && r.at != len(r.b) {
		r.fail("%d bytes after its end", len(r.b)-r.at)
	}
	return r.err
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = corrupt(r.what, r.at, format, args...)
	}
}

// unknown refuses the field under the reader.
func (r *reader) unknown() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s has field %d, which this version of the library does not know",
			ErrFormat, r.what, r.key)
	}
}

// require refuses a record without one of its fields.
func (r *reader) require(present bool, field string) {
	if !present {
		r.fail("no %s", field)
	}
}

// head reads the head of an array or map whose elements take at least size bytes each.
func (r *reader) head(major byte, size int) int {
	if r.err != nil {
		return 0
	}
	arg, next, ok := readHead(r.b, r.at)
	if !ok {
		r.err = verifier{r.b, r.what}.badHead(r.at)
		return 0
	}
	if found := r.b[r.at] & majorMask; found != major {
		r.fail("CBOR type %d, expected %d", found>>5, major>>5)
		return 0
	}
	if left := len(r.b) - next; arg > uint64(left/size) {
		r.fail("length %d, but at most %d can follow", arg, left/size)
		return 0
	}
	r.at = next
	return int(arg)
}

// uint reads an unsigned integer that is at most limit.
func (r *reader) uint(limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	arg, next, ok := readHead(r.b, r.at)
	if !ok {
		r.err = verifier{r.b, r.what}.badHead(r.at)
		return 0
	}
	if r.b[r.at]&majorMask != majorUint || arg > limit {
		r.fail("expected an unsigned integer up to %d", limit)
		return 0
	}
	r.at = next
	return arg
}

// positive is uint without 0: an optional field that holds 0 is left out, not written.
func (r *reader) positive(limit uint64) uint64 {
	start := r.at
	v := r.uint(limit)
	if v == 0 && r.err == nil {
		r.at = start
		r.fail("0 written out")
	}
	return v
}

// int reads an integer of either sign.
func (r *reader) int() int64 {
	if r.err != nil {
		return 0
	}
	arg, next, ok := readHead(r.b, r.at)
	if !ok {
		r.err = verifier{r.b, r.what}.badHead(r.at)
		return 0
	}
	major := r.b[r.at] & majorMask
	if major > majorNeg || arg > math.MaxInt64 {
		r.fail("expected an integer of 64 bits")
		return 0
	}
	r.at = next
	if major == majorNeg {
		return ^int64(arg)
	}
	return int64(arg)
}

// nonzero is int without 0.
func (r *reader) nonzero() int64 {
	start := r.at
	v := r.int()
	if v == 0 && r.err == nil {
		r.at = start
		r.fail("0 written out")
	}
	return v
}

// bytes reads a byte string; it aliases the input.
func (r *reader) bytes() []byte {
	n := r.head(majorBytes, 1)
	b := r.b[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

// filled is bytes without the empty one.
func (r *reader) filled() []byte {
	b := r.bytes()
	if len(b) == 0 {
		r.fail("an empty field written out")
	}
	return b
}

// text reads a text string that is not empty; it aliases the input.
func (r *reader) text() string {
	n := r.head(majorText, 1)
	s := aliasString(r.b[r.at : r.at+n])
	if n == 0 {
		r.fail("an empty text written out")
	} else if !utf8.ValidString(s) {
		r.fail("text is not UTF-8")
	}
	r.at += n
	return s
}

// skip passes over one item, whatever it is.
func (r *reader) skip() {
	if r.err != nil {
		return
	}
	end, _, err := verifier{r.b, r.what}.item(r.at, 0)
	if err != nil {
		r.err = err
		return
	}
	r.at = end
}

// value reads one value; it aliases the input.
func (r *reader) value() Value {
	start := r.at
	r.skip()
	if r.err != nil {
		return Value{}
	}
	v, _ := valueAt(aliasString(r.b), start)
	if size := v.contentSize(); size > MaxValueSize {
		r.fail("value of %d bytes, limit %d", size, MaxValueSize)
	}
	return v
}

// appendField appends a field number >= 0 below 24.
func appendField(dst []byte, key byte) []byte { return append(dst, majorUint|key) }

// The appenders below write a field only if it is not zero, and count it.

func appendUintField(dst []byte, n *int, key byte, v uint64) []byte {
	if v == 0 {
		return dst
	}
	*n++
	return appendHead(appendField(dst, key), majorUint, v)
}

func appendIntField(dst []byte, n *int, key byte, v int64) []byte {
	if v == 0 {
		return dst
	}
	*n++
	return appendCBORInt(appendField(dst, key), v)
}

func appendTextField(dst []byte, n *int, key byte, s string) []byte {
	if s == "" {
		return dst
	}
	*n++
	return append(appendHead(appendField(dst, key), majorText, uint64(len(s))), s...)
}

func appendBytesField(dst []byte, n *int, key byte, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	*n++
	return append(appendHead(appendField(dst, key), majorBytes, uint64(len(b))), b...)
}
